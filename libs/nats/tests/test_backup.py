"""A backup holds what cannot be made again, and a bus made of it is the bus that was."""

from pathlib import Path

import pytest

from loopline.ingestion.v1.events_pb2 import DocumentDeleted
from loopline_contracts.channels import DOCUMENT_DELETED
from loopline_contracts.streams import Bucket
from loopline_nats.access import KeyRing
from loopline_nats.backup import TRUTH, restore, save
from loopline_nats.line import Fact, open_line
from loopline_nats.objects import Objects
from loopline_nats.provision import apply
from loopline_runtime.access import Right, hash_of
from loopline_runtime.errors import Conflict, NotFound, Rejected
from loopline_testing.fixtures import SCALE, bus_settings
from loopline_testing.nats import NatsServer, nats_server


async def test_a_lost_bus_comes_back_with_its_facts_in_their_places_its_bytes_and_its_keys(
    provisioned: NatsServer, tmp_path: Path
):
    raw = bytes(range(256)) * 2000
    async with open_line(bus_settings(provisioned), "ingestion") as line:
        for number in (1, 2, 3):
            body = DocumentDeleted(document_id=f"d{number}")
            await line.say(Fact(DOCUMENT_DELETED, body, f"d{number}/gone", "acme", f"d{number}"))
        await line.jetstream.delete_msg("INGESTION", 2)

        async def parts():
            yield raw

        await Objects(line).put("u1", parts())
        plain, _ = await KeyRing(line).add("app", "acme", {Right.READ})
        saved = {one.name: one async for one in save(line, tmp_path / "backup")}
    assert set(saved) == set(TRUTH)
    assert saved["INGESTION"].messages == 2
    assert "INGESTION_BATCHES" not in saved
    assert f"KV_{Bucket.RETRIEVAL_DOCUMENTS}" not in saved
    with nats_server() as fresh:
        async with open_line(bus_settings(fresh), "ingestion") as line:
            assert {one.name async for one in restore(line, tmp_path / "backup")} == set(TRUTH)
            await apply(line, scale=SCALE)
            last = await line.last_on(DOCUMENT_DELETED, "acme", "d3")
            assert last
            assert last.delivery.sequence == 3
            # What is said now comes after all that was said before.
            body = DocumentDeleted(document_id="d4")
            assert await line.say(Fact(DOCUMENT_DELETED, body, "d4/gone", "acme", "d4")) == 4
            assert b"".join([part async for part in Objects(line).get("u1")]) == raw
            async with KeyRing.watching(line) as ring:
                assert ring.find(hash_of(plain))
            with pytest.raises(Conflict, match="empty bus"):
                [one async for one in restore(line, tmp_path / "backup")]


async def test_a_backup_that_is_torn_or_in_the_way_is_refused(provisioned: NatsServer, tmp_path: Path):
    async with open_line(bus_settings(provisioned), "operator") as line:
        with pytest.raises(NotFound, match="no backup"):
            [one async for one in restore(line, tmp_path / "nothing")]
        assert [one.name async for one in save(line, tmp_path)] == list(TRUTH)
        with pytest.raises(Conflict, match="another folder"):
            [one async for one in save(line, tmp_path)]
        (tmp_path / "INGESTION.json").unlink()
        with pytest.raises(Rejected, match="INGESTION is torn"):
            [one async for one in restore(line, tmp_path)]

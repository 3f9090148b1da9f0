"""Downstream teams read what they were given, from where they asked."""

from datetime import UTC, datetime, timedelta

import pytest

from loopline.ingestion.v1.events_pb2 import DocumentAccepted
from loopline_contracts.channels import DOCUMENT_ACCEPTED
from loopline_nats.content import Content, Contents
from loopline_nats.line import Fact, Line, open_line
from loopline_nats.subscribers import Subscribers
from loopline_runtime.errors import Conflict, Forbidden, Invalid, NotFound
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer


async def say(provisioned: NatsServer, tenant: str, *documents: str) -> list[int]:
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:
        return [
            await ingestion.say(Fact(DOCUMENT_ACCEPTED, DocumentAccepted(document_id=d), f"{tenant}/{d}", tenant, d))
            for d in documents
        ]


async def read(line: Line, name: str, count: int) -> list[str]:
    found: list[str] = []
    events = Subscribers(line).read(name)
    async for event in events:
        await event.ack()
        assert isinstance(event.body, DocumentAccepted)
        found.append(event.body.document_id)
        if len(found) == count:
            break
    await events.aclose()
    return found


async def test_a_team_reads_its_tenants_events_from_a_sequence_a_time_or_now(provisioned: NatsServer, line: Line):
    subscribers = Subscribers(line)
    await say(provisioned, "other", "x")
    sequences = await say(provisioned, "acme", "a", "b")
    await subscribers.add("by-sequence", "acme", ["document_accepted"], since=sequences[1])
    await subscribers.add("by-time", "acme", ["document_accepted"], since=datetime.now(UTC) - timedelta(hours=1))
    await subscribers.add("new", "acme", ["document_accepted", "document_deleted", "answer_finished"])
    await say(provisioned, "acme", "c")
    assert await read(line, "by-sequence", 2) == ["b", "c"]
    assert await read(line, "by-time", 3) == ["a", "b", "c"]
    assert await read(line, "new", 1) == ["c"]
    listed = {sub.name: sub for sub in await subscribers.list()}
    assert listed["new"].streams == ("INGESTION", "GENERATION")
    assert listed["by-time"].pending == 0
    await subscribers.remove("new")
    with pytest.raises(NotFound):
        await subscribers.remove("new")


async def test_wrong_names_are_told(line: Line):
    subscribers = Subscribers(line)
    with pytest.raises(Invalid, match="document_accepted"):
        await subscribers.add("team", "acme", ["document_eaten"])
    with pytest.raises(Invalid):
        await subscribers.add("a.b", "acme", ["document_accepted"])
    await subscribers.add("team", "acme", ["document_accepted"])
    with pytest.raises(Conflict):
        await subscribers.add("team", "acme", ["document_accepted"])


async def test_text_of_documents_is_only_for_tenants_whose_content_is_full(line: Line):
    await Contents(line).put("acme", Content.HASHED)
    with pytest.raises(Forbidden):
        await Subscribers(line).add("team", "acme", ["document_chunked"])

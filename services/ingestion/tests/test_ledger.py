"""The ledger takes facts in any order, counts each batch once, and can be thrown away."""

import asyncio
import itertools
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loopline.ingestion.v1.events_pb2 import BatchOf, DocumentAccepted
from loopline.retrieval.v1.events_pb2 import ChunksIndexed
from loopline_contracts.channels import CHUNKS_INDEXED, DOCUMENT_ACCEPTED, DOCUMENT_REJECTED, INGESTION_LEDGER
from loopline_ingestion import facts
from loopline_ingestion.adapters.history_nats import HistoryNats
from loopline_ingestion.adapters.ledger_sql import LedgerSql
from loopline_ingestion.adapters.ledger_tables import METADATA
from loopline_ingestion.adapters.plans_sql import PlansSql
from loopline_ingestion.adapters.receipts_sql import ReceiptsSql
from loopline_ingestion.events import noted
from loopline_ingestion.model import Collection, Document, Reason, State
from loopline_ingestion.rebuilding import rebuilt
from loopline_nats.line import Delivery, Fact, Line, open_line
from loopline_runtime.errors import Rejected
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer
from loopline_testing.postgres import PostgresServer, differences

NOW = datetime.now(UTC)
DOCUMENT = Document("acme", "d1", "default", "d1.md", "v1", 5, State.ACCEPTED, NOW, NOW, size_bytes=3, upload_id="u1")


async def state_of(ledger: LedgerSql) -> tuple[State, int]:
    found = await ledger.document("acme", "d1")
    assert found
    return found.state, found.revision


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_whatever_comes_first_the_end_is_the_same(ledger: LedgerSql, order: tuple[int, ...]):
    for step in order:
        match step:
            case 0:
                await ledger.accepted(DOCUMENT)
            case 1 | 2:
                await ledger.indexed("acme", "d1", 5, step - 1, 2, 7, NOW, "v1")
    found = await ledger.document("acme", "d1")
    assert found
    assert (found.state, found.source, found.batches_indexed, found.batch_count, found.chunk_count) == (
        State.INDEXED,
        "d1.md",
        2,
        2,
        14,
    )


@pytest.mark.parametrize("first", ["accepted", "rejected"])
async def test_a_rejection_may_come_before_its_acceptance(ledger: LedgerSql, first: str):
    reasons = [Reason("EMPTY", "the document is empty")]
    for step in ("accepted", "rejected") if first == "accepted" else ("rejected", "accepted"):
        if step == "accepted":
            await ledger.accepted(DOCUMENT)
        else:
            await ledger.failed("acme", "d1", 5, State.REJECTED, reasons, NOW)
    found = await ledger.document("acme", "d1")
    assert found
    assert (found.state, found.reasons, found.source, found.size_bytes) == (State.REJECTED, tuple(reasons), "d1.md", 3)


async def test_what_is_older_changes_nothing(ledger: LedgerSql):
    await ledger.accepted(replace(DOCUMENT, revision=9))
    await ledger.accepted(DOCUMENT)
    await ledger.indexed("acme", "d1", 5, 0, 1, 7, NOW, "v1")
    await ledger.failed("acme", "d1", 5, State.FAILED, [], NOW)
    await ledger.deleted("acme", "d1", 8, NOW)
    assert await state_of(ledger) == (State.ACCEPTED, 9)


async def test_a_late_batch_does_not_raise_the_dead(ledger: LedgerSql):
    await ledger.accepted(DOCUMENT)
    await ledger.deleted("acme", "d1", 6, NOW)
    await ledger.indexed("acme", "d1", 5, 0, 1, 7, NOW, "v1")
    assert await state_of(ledger) == (State.DELETED, 6)


async def test_a_batch_counts_once_and_a_failure_turns_back(ledger: LedgerSql):
    await ledger.accepted(DOCUMENT)
    for _ in range(3):
        await ledger.indexed("acme", "d1", 5, 0, 2, 7, NOW, "v1")
    assert await state_of(ledger) == (State.INDEXING, 5)
    await ledger.failed("acme", "d1", 5, State.FAILED, [Reason("BUG", "oops")], NOW)
    assert await state_of(ledger) == (State.FAILED, 5)
    await ledger.indexed("acme", "d1", 5, 1, 2, 7, NOW, "v1")
    assert await state_of(ledger) == (State.INDEXED, 5)


async def test_the_migrated_tables_are_those_of_the_code(ledger: LedgerSql):
    assert await differences(ledger.database, METADATA) == [], "add a revision to adapters/ledger_migrations"


async def test_a_ledger_from_before_migrations_is_dropped_to_be_rebuilt(tmp_path: Path):
    with sqlite3.connect(tmp_path / "old.db") as db:
        db.execute("create table shape (hash text)")
        db.execute("create table documents (tenant text, document_id text, revision integer)")
        db.execute("insert into documents values ('acme', 'd1', 7)")
    db.close()
    async with LedgerSql.opened(f"sqlite:///{tmp_path}/old.db") as ledger:
        assert await ledger.highest_revision() == 0
        await ledger.accepted(DOCUMENT)


async def test_replicas_that_hear_about_one_document_at_once_count_every_batch(database_url: str):
    async with LedgerSql.opened(database_url) as one, LedgerSql.opened(database_url) as two:
        batches = [by.indexed("acme", "d1", 5, number, 16, 1, NOW, "v1") for number in range(16) for by in (one, two)]
        await asyncio.gather(*batches[:16], one.accepted(DOCUMENT), two.accepted(DOCUMENT), *batches[16:])
        assert await state_of(one) == (State.INDEXED, 5)


async def test_it_is_rebuilt_from_the_streams(provisioned: NatsServer, line: Line, tmp_path: Path, ledger: LedgerSql):
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:
        history = HistoryNats(ingestion)
        await history.plan(Collection("acme", "default"), 0)
        for number in range(4):
            document = replace(DOCUMENT, document_id=f"d{number}", source=f"d{number}.md")
            revision = await history.accept(document, after=0)
            said = replace(document, revision=revision)
            if number == 1:
                await history.delete(said, after=revision)
            if number == 2:
                body = facts.rejected(said, [Reason("EMPTY", "the document is empty")])
                await ingestion.say(Fact(DOCUMENT_REJECTED, body, "d2/rejected", "acme", "d2"))
            if number == 3:
                batch = BatchOf(document_id="d3", revision=revision, batch_count=1, index_version="v1")
                async with open_line(bus_settings(provisioned), "retrieval") as retrieval:
                    await retrieval.say(
                        Fact(CHUNKS_INDEXED, ChunksIndexed(batch=batch, chunk_count=2), "x", "acme", "d3")
                    )
        await rebuilt(ingestion, ledger, PlansSql(ledger), ReceiptsSql(ledger.database))
        found = await ledger.documents("acme", "", [], "", "", 10)
        assert [d.state for d in found] == [State.ACCEPTED, State.DELETED, State.REJECTED, State.INDEXED]
        assert (await ledger.collections("acme"))[0].name == "default"
        await rebuilt(ingestion, ledger, PlansSql(ledger), ReceiptsSql(ledger.database))


async def test_facts_wait_while_postgresql_is_away_and_none_is_lost(
    provisioned: NatsServer, line: Line, postgres: PostgresServer
):
    async with (
        LedgerSql.opened(postgres.new_database()) as ledger,
        open_line(bus_settings(provisioned), "ingestion") as ingestion,
    ):

        @ingestion.hears(INGESTION_LEDGER, probe=ledger.ready)
        async def note(event: DocumentAccepted, delivery: Delivery) -> None:
            await noted(ledger, event, delivery)

        async def accept(numbers: range) -> None:
            for number in numbers:
                body = DocumentAccepted(document_id=f"d{number}", collection="default", source=f"{number}.md")
                await ingestion.say(Fact(DOCUMENT_ACCEPTED, body, f"d{number}", "acme", f"d{number}"))

        await ingestion.start()
        await accept(range(20))
        await asyncio.to_thread(postgres.kill)
        await accept(range(20, 40))
        async with asyncio.timeout(20):
            while ingestion.parked() != ["ingestion-ledger"]:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(postgres.start)
        async with asyncio.timeout(30):
            while len(await ledger.documents("acme", "", [], "", "", 100)) < 40:
                await asyncio.sleep(0.1)
        assert (await line.jetstream.stream_info("DEAD_LETTER")).state.messages == 0


async def test_a_stream_that_was_restored_or_made_anew_is_moved_past_the_ledger(
    provisioned: NatsServer, line: Line, ledger: LedgerSql, caplog: pytest.LogCaptureFixture
):
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:
        history = HistoryNats(ingestion)
        stores = (ledger, PlansSql(ledger), ReceiptsSql(ledger.database))
        await ledger.accepted(replace(DOCUMENT, revision=300))
        await rebuilt(ingestion, *stores)  # made anew: it is empty
        assert await history.accept(replace(DOCUMENT, document_id="d1"), after=0) == 301
        await ledger.accepted(replace(DOCUMENT, revision=900))
        await rebuilt(ingestion, *stores)  # restored: it holds what was there before
        assert "the ledger has seen revision 900, but stream INGESTION ended at 301" in caplog.text
        assert await history.last("acme", "d1") is not None
        assert await history.accept(replace(DOCUMENT, document_id="d2"), after=0) == 901
        await ledger.accepted(replace(DOCUMENT, revision=10_000_000))
        with pytest.raises(Rejected, match="is this its server"):
            await rebuilt(ingestion, *stores)

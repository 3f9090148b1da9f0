"""Whose turn it is, also while the bus is away."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from loopline_contracts.channels import INGESTION_EXTRACT
from loopline_ingestion.adapters.fakes import FakeHistory
from loopline_ingestion.adapters.history_nats import HistoryNats
from loopline_ingestion.adapters.ledger_sql import MIGRATIONS, LedgerSql
from loopline_ingestion.adapters.plans_sql import PlansSql
from loopline_ingestion.adapters.turns_sql import TurnsSql
from loopline_ingestion.app import Turns
from loopline_ingestion.model import Document, State
from loopline_nats.line import open_line
from loopline_runtime.errors import Unavailable
from loopline_sql.database import open_engine
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class AwayOnce(FakeHistory):
    """The bus does not take the first turn."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.away = True

    async def work_again(self, document: Document, why: str) -> None:
        if self.away:
            self.away = False
            raise Unavailable("the leader is being chosen")
        self.told.append(document.document_id)


async def accepted(ledger: LedgerSql, number: int, at: datetime = NOW) -> Document:
    name = f"d{number}"
    document = Document("acme", name, "default", f"{name}.md", "v", number, State.ACCEPTED, at, at, upload_id="u")
    await ledger.accepted(document)
    return document


async def test_a_turn_that_could_not_be_told_is_given_again(ledger: LedgerSql):
    history = AwayOnce()
    turns = Turns(TurnsSql(ledger.database), PlansSql(ledger), history, at_once=1, lost_after_s=60)
    first, second = await accepted(ledger, 1), await accepted(ledger, 2)
    assert await turns.begins(first, again=False)
    assert not await turns.begins(second, again=False)
    await ledger.deleted("acme", "d1", 3, NOW)
    with pytest.raises(Unavailable):
        await turns.give()
    assert await turns.give() == 1
    assert history.told == ["d2"]


async def test_its_own_message_or_that_of_its_turn_is_worked_on_but_not_both(ledger: LedgerSql):
    waiting = TurnsSql(ledger.database)
    first, second = await accepted(ledger, 1), await accepted(ledger, 2)
    await accepted(ledger, 9, at=datetime.now(UTC) + timedelta(seconds=60))
    assert await waiting.begin(first, most=1)
    assert not await waiting.begin(second, most=1)
    assert await waiting.begin(first, most=1), "delivered again after a crash"
    assert await waiting.give(most=1) == []
    await ledger.deleted("acme", "d1", 3, NOW)
    assert [document.document_id for document in await waiting.give(most=9)] == ["d2"], "the third's own is on its way"
    assert not await waiting.begin(second, most=9), "its own message comes late"


async def test_who_has_just_been_given_a_turn_is_not_lost(ledger: LedgerSql):
    history, waiting = FakeHistory(), TurnsSql(ledger.database)
    turns = Turns(waiting, PlansSql(ledger), history, at_once=1, lost_after_s=60)
    for number in (1, 2):
        await turns.begins(await accepted(ledger, number), again=False)
    await ledger.deleted("acme", "d1", 3, NOW)
    assert await turns.give() == 1
    began = datetime.now(UTC)
    assert await ledger.stuck(began - timedelta(seconds=60), 10) == []
    assert [document.document_id for document in await ledger.stuck(began + timedelta(seconds=60), 10)] == ["d2"]


async def test_turns_that_were_given_before_who_waits_was_derived_come_along(database_url: str):
    engine = open_engine(database_url, "ledger")
    await MIGRATIONS.apply(engine, "0004")
    row = "insert into turns (tenant, document_id, revision, given, at) values ('acme', :name, :number, :given, :at)"
    async with engine.begin() as db:
        await db.execution_options(writes=True)
        for number, given in ((1, True), (2, False)):
            at = NOW if engine.dialect.name == "postgresql" else str(NOW)
            await db.execute(text(row), {"name": f"d{number}", "number": number, "given": given, "at": at})
    await engine.dispose()
    async with LedgerSql.opened(database_url) as ledger:
        waiting = TurnsSql(ledger.database)
        assert await waiting.begin(await accepted(ledger, 1), most=1), "it is its own message that is worked on"
        assert not await waiting.begin(await accepted(ledger, 2), most=1)


async def test_a_turn_is_under_way_until_its_message_is_dealt_with(provisioned: NatsServer):
    async with open_line(bus_settings(provisioned), "ingestion") as line:
        history = HistoryNats(line)
        document = Document("acme", "d1", "default", "d1.md", "v", 0, State.ACCEPTED, NOW, NOW, upload_id="u1")
        document = replace(document, revision=await history.accept(document, after=0))
        extract = await line.jetstream.pull_subscribe_bind(INGESTION_EXTRACT.name, INGESTION_EXTRACT.stream)

        async def dealt_with() -> None:
            (message,) = await extract.fetch(1, timeout=5)
            await message.ack_sync()

        assert await history.under_way(document)
        await dealt_with()
        assert not await history.under_way(document)
        await history.work_again(document, "turn")
        assert await history.under_way(document)
        await dealt_with()
        assert not await history.under_way(document)

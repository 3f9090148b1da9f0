"""Whose turn it is, also while the bus is away."""

from datetime import UTC, datetime

import pytest

from loopline_ingestion.adapters.fakes import FakeHistory
from loopline_ingestion.adapters.ledger_sql import LedgerSql
from loopline_ingestion.adapters.plans_sql import PlansSql
from loopline_ingestion.adapters.turns_sql import TurnsSql
from loopline_ingestion.app import Turns
from loopline_ingestion.model import Document, State
from loopline_runtime.errors import Unavailable

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


async def test_a_turn_that_could_not_be_told_is_given_again(ledger: LedgerSql):
    history = AwayOnce()
    turns = Turns(TurnsSql(ledger.database), PlansSql(ledger), history, at_once=1, lost_after_s=60)
    first, second = (
        Document("acme", f"d{number}", "default", f"d{number}.md", "v", number, State.ACCEPTED, NOW, NOW)
        for number in (1, 2)
    )
    for document in (first, second):
        await ledger.accepted(document)
    assert await turns.begins(first, again=False)
    assert not await turns.begins(second, again=False)
    await ledger.deleted("acme", "d1", 3, NOW)
    with pytest.raises(Unavailable):
        await turns.give()
    assert await turns.give() == 1
    assert history.told == ["d2"]

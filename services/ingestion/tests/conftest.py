"""The apps over fakes and a real ledger, in SQLite and in PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from loopline_ingestion.adapters.fakes import FakeExtraction, FakeHistory, FakeUploads
from loopline_ingestion.adapters.ledger_sql import LedgerSql
from loopline_ingestion.adapters.plans_sql import PlansSql
from loopline_ingestion.app import Accepted, Building, Collections, Documents, Planning, Sweeping, Working
from loopline_ingestion.model import Header


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[LedgerSql]:
    async with LedgerSql.opened(database_url) as opened:
        yield opened


class Bench:
    """Everything the service does, and short ways to use it."""

    def __init__(self, ledger: LedgerSql) -> None:
        self.ledger = ledger
        self.history, self.uploads, self.extraction = FakeHistory(), FakeUploads(), FakeExtraction()
        self.collections = Collections(ledger, self.history, self.extraction)
        self.documents = Documents(ledger, self.history, self.uploads, self.collections, most_bytes=1000, at_once=4)
        self.plans = PlansSql(ledger)
        self.planning = Planning(ledger, self.plans, self.history)
        self.working = Working(self.uploads, self.history, self.extraction, self.collections, self.plans)
        self.building = Building(self.plans, self.history, self.working, in_flight=2, lost_after_s=0.2)
        self.sweeping = Sweeping(ledger, self.history, self.uploads, lost_after_s=0, aged_after_s=3600)

    async def submit(self, source: str, data: bytes, tenant: str = "acme", **header: object) -> Accepted:
        async def parts() -> AsyncIterator[bytes]:
            yield data[:3]
            yield data[3:]

        return await self.documents.submit(tenant, Header("default", source, **header), parts())


@pytest.fixture
def bench(ledger: LedgerSql) -> Bench:
    return Bench(ledger)

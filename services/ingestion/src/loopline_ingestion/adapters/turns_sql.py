"""Whose documents are under way and whose wait, in the ledger's database."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline_ingestion.adapters.ledger_rows import document as as_document
from loopline_ingestion.adapters.ledger_rows import documents
from loopline_ingestion.adapters.ledger_tables import DOCUMENTS, TURNS
from loopline_ingestion.model import Document, State
from loopline_sql.database import Database

SETTLED = [state.value for state in State if state.settled]
# A turn may be noted before its document is; one that is over is forgotten after this long.
OVER = timedelta(seconds=60)
FORGET_EVERY_S = 30.0
SAME = and_(*(TURNS.c[name] == DOCUMENTS.c[name] for name in ("tenant", "document_id", "revision")))


class TurnsSql:
    """The port `Waiting`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._forgot = 0.0

    async def begin(self, document: Document, most: int) -> bool:
        """See the port."""
        tenant, document_id, revision = document.tenant, document.document_id, document.revision
        async with self._database.transaction() as db:
            await self._database.hold(db, "turns", tenant)
            which = and_(TURNS.c.tenant == tenant, TURNS.c.document_id == document_id)
            known = (await db.execute(select(TURNS.c.revision, TURNS.c.given).where(which))).first()
            if known is not None and known.revision >= revision:
                return bool(known.given) or known.revision > revision
            given = await _under_way(db, tenant) < most
            values: dict[str, Any] = {"revision": revision, "given": given, "at": datetime.now(UTC)}
            keys = {"tenant": tenant, "document_id": document_id}
            noted = self._database.insert(TURNS).values(**keys, **values)
            await db.execute(noted.on_conflict_do_update(index_elements=list(keys), set_=values))
            return given

    async def give(self, most: int) -> list[Document]:
        """See the port."""
        found: list[Document] = []
        for row in await self._database.rows(select(TURNS.c.tenant).where(TURNS.c.given.is_(False)).distinct()):
            async with self._database.transaction() as db:
                await self._database.hold(db, "turns", row.tenant)
                free = most - await _under_way(db, row.tenant)
                if free > 0:
                    found += await self._given(db, row.tenant, free)
        if time.monotonic() - self._forgot > FORGET_EVERY_S:
            self._forgot = time.monotonic()
            async with self._database.transaction() as db:
                going = exists().where(SAME, DOCUMENTS.c.state.not_in(SETTLED))
                await db.execute(delete(TURNS).where(TURNS.c.at < datetime.now(UTC) - OVER, ~going))
        return found

    async def take_back(self, documents: Sequence[Document]) -> None:
        """See the port."""
        async with self._database.transaction() as db:
            for one in documents:
                mine = and_(TURNS.c.tenant == one.tenant, TURNS.c.document_id == one.document_id)
                which = and_(mine, TURNS.c.revision == one.revision)
                await db.execute(update(TURNS).where(which).values(given=False))

    async def _given(self, db: AsyncConnection, tenant: str, free: int) -> list[Document]:
        """The oldest that wait, so many; they wait no more."""
        query = documents().join(TURNS, SAME).where(TURNS.c.tenant == tenant, TURNS.c.given.is_(False))
        query = query.where(DOCUMENTS.c.state == State.ACCEPTED.value).order_by(TURNS.c.revision).limit(free)
        chosen = [as_document(row) for row in (await db.execute(query)).all()]
        which = and_(TURNS.c.tenant == tenant, TURNS.c.document_id.in_([one.document_id for one in chosen]))
        await db.execute(update(TURNS).where(which).values(given=True, at=datetime.now(UTC)))
        return chosen


async def _under_way(db: AsyncConnection, tenant: str) -> int:
    query = select(func.count()).select_from(TURNS.join(DOCUMENTS, SAME))
    query = query.where(TURNS.c.tenant == tenant, TURNS.c.given.is_(True), DOCUMENTS.c.state.not_in(SETTLED))
    return int((await db.execute(query)).scalar_one())

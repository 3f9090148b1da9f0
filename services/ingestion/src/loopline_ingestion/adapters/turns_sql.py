"""Whose documents are under way and whose wait, in the ledger's database."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import and_, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline_ingestion.adapters.ledger_rows import ITS_TURN, SETTLED, documents
from loopline_ingestion.adapters.ledger_rows import document as as_document
from loopline_ingestion.adapters.ledger_tables import DOCUMENTS, TURNS
from loopline_ingestion.model import Document, State
from loopline_sql.database import Database

# A document's own message reaches us within this long, when nothing waits before it; a turn would say it twice.
OWN_MESSAGE = timedelta(seconds=0.25)
FORGET_EVERY_S = 30.0
WAITS = and_(DOCUMENTS.c.state == State.ACCEPTED.value, DOCUMENTS.c.upload_id != "", ~exists().where(ITS_TURN))


class TurnsSql:
    """The port `Waiting`. Who waits costs no writing: there may be thousands before somebody else's one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._forgot = 0.0

    async def begin(self, document: Document, most: int) -> bool:
        """See the port."""
        async with self._database.reading() as db:
            begins = await _begins(db, document, most)
        if begins is not None:
            return begins
        async with self._database.transaction() as db:
            await self._database.hold(db, "turns", document.tenant)
            begins = await _begins(db, document, most)
            if begins is None:
                await self._note(db, document, waited=False)
        return begins is None or begins

    async def give(self, most: int) -> list[Document]:
        """See the port."""
        found: list[Document] = []
        accepted = select(DOCUMENTS.c.tenant).where(DOCUMENTS.c.state == State.ACCEPTED.value).distinct()
        for row in await self._database.rows(accepted):
            async with self._database.reading() as db:
                if not await self._next(db, row.tenant, most):
                    continue
            async with self._database.transaction() as db:
                await self._database.hold(db, "turns", row.tenant)
                chosen = await self._next(db, row.tenant, most)
                for document in chosen:
                    await self._note(db, document, waited=True)
                found += chosen
        if time.monotonic() - self._forgot > FORGET_EVERY_S:
            self._forgot = time.monotonic()
            async with self._database.transaction() as db:
                going = exists().where(ITS_TURN, DOCUMENTS.c.state.not_in(SETTLED))
                await db.execute(delete(TURNS).where(~going))
        return found

    async def take_back(self, documents: Sequence[Document]) -> None:
        """See the port."""
        async with self._database.transaction() as db:
            for one in documents:
                mine = and_(TURNS.c.tenant == one.tenant, TURNS.c.document_id == one.document_id)
                await db.execute(delete(TURNS).where(mine, TURNS.c.revision == one.revision))

    async def _next(self, db: AsyncConnection, tenant: str, most: int) -> list[Document]:
        """The oldest that wait, as many as there is room for."""
        free = most - await _under_way(db, tenant)
        if free <= 0:
            return []
        query = documents().where(DOCUMENTS.c.tenant == tenant, WAITS)
        query = query.where(DOCUMENTS.c.changed_at < datetime.now(UTC) - OWN_MESSAGE)
        return [as_document(row) for row in (await db.execute(query.order_by(DOCUMENTS.c.revision).limit(free))).all()]

    async def _note(self, db: AsyncConnection, document: Document, *, waited: bool) -> None:
        values = {"revision": document.revision, "waited": waited, "at": datetime.now(UTC)}
        keys = {"tenant": document.tenant, "document_id": document.document_id}
        noted = self._database.insert(TURNS).values(**keys, **values)
        await db.execute(noted.on_conflict_do_update(index_elements=list(keys), set_=values))


async def _begins(db: AsyncConnection, document: Document, most: int) -> bool | None:
    """What was decided of this revision, or that it waits; None: it is its turn, and that must be noted."""
    which = and_(TURNS.c.tenant == document.tenant, TURNS.c.document_id == document.document_id)
    known = (await db.execute(select(TURNS.c.revision, TURNS.c.waited).where(which))).first()
    if known is not None and known.revision >= document.revision:
        return known.revision > document.revision or not known.waited
    return None if await _under_way(db, document.tenant) < most else False


async def _under_way(db: AsyncConnection, tenant: str) -> int:
    query = select(func.count()).select_from(TURNS.join(DOCUMENTS, ITS_TURN))
    query = query.where(TURNS.c.tenant == tenant, DOCUMENTS.c.state.not_in(SETTLED))
    return int((await db.execute(query)).scalar_one())

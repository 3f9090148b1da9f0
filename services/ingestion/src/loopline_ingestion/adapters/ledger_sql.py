"""The ledger in SQL, through SQLAlchemy: SQLite here, PostgreSQL where there are several replicas."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, and_, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline_ingestion.adapters.ledger_rows import (
    COUNTS,
    ITS_TURN,
    SETTLED,
    batches_of,
    collection,
    collections,
    document,
    documents,
    in_collection,
    is_document,
    is_plan,
    keyed,
)
from loopline_ingestion.adapters.ledger_tables import BATCHES, COLLECTIONS, DOCUMENTS, PLANS, SETBACKS, TURNS
from loopline_ingestion.model import Collection, Document, Plan, Reason, State
from loopline_ingestion.receipts import Disk
from loopline_sql.database import Database
from loopline_sql.migrations import Migrations

MIGRATIONS = Migrations("ledger", Path(__file__).parent / "ledger_migrations")


class LedgerSql:
    """The port `Ledger`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ready = database.ready

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator["LedgerSql"]:
        """Connects and migrates; see `Database.opened`."""
        async with Database.opened(url, MIGRATIONS) as database:
            yield cls(database)

    async def accepted(self, document: Document) -> None:
        """See the port. Both who submits it and who hears of it note it; the second time nothing is written."""
        known = select(DOCUMENTS.c.revision, DOCUMENTS.c.upload_id).where(
            is_document(document.tenant, document.document_id)
        )
        for row in await self.database.rows(known):
            same = row.revision == document.revision and row.upload_id == document.upload_id
            if same or row.revision > document.revision:
                return
        details = {
            "collection": document.collection,
            "source": document.source,
            "version": document.version,
            "accepted_at": document.accepted_at,
            "size_bytes": document.size_bytes,
            "content_type": document.content_type,
            "upload_id": document.upload_id,
            "metadata": dict(document.metadata),
        }
        async with self._holding(document.tenant, document.document_id) as db:
            found = await self._row(db, document.tenant, document.document_id, document.accepted_at)
            if found.revision > document.revision:
                return
            if found.readers_since < document.revision:
                details |= {"readers": list(document.readers), "readers_since": document.revision}
            if found.revision < document.revision:  # else something of this very revision came before it
                state = {"state": State.ACCEPTED.value, "reasons": [], "changed_at": document.accepted_at}
                details |= {**state, "revision": document.revision}
            await self._change(db, document.tenant, document.document_id, details)
            older = and_(batches_of(document.tenant, document.document_id), BATCHES.c.revision < document.revision)
            await db.execute(delete(BATCHES).where(older))
            await self._weigh(db, document.tenant, document.document_id, document.revision, document.accepted_at)

    async def readers_changed(self, tenant: str, document_id: str, readers: tuple[str, ...], sequence: int) -> None:
        """See the port."""
        async with self._holding(tenant, document_id) as db:
            found = await self._row(db, tenant, document_id, datetime.now(UTC))
            if found.readers_since < sequence:
                await self._change(db, tenant, document_id, {"readers": list(readers), "readers_since": sequence})

    async def deleted(self, tenant: str, document_id: str, revision: int, at: datetime) -> None:
        """See the port."""
        async with self._holding(tenant, document_id) as db:
            found = await self._row(db, tenant, document_id, at)
            if found.revision < revision:
                gone = {
                    "state": State.DELETED.value,
                    "revision": revision,
                    "changed_at": at,
                    "reasons": [],
                    "upload_id": "",
                }
                await self._change(db, tenant, document_id, gone)

    async def erase(self, tenant: str, document_id: str, revision: int, at: datetime) -> None:
        """See the port."""
        texts = dict.fromkeys(("source", "version", "content_type", "upload_id"), "")
        gone = {**texts, "reasons": [], "metadata": {}, "readers": [], "readers_since": revision}
        async with self._holding(tenant, document_id) as db:
            found = await self._row(db, tenant, document_id, at)
            if found.revision < revision:
                gone |= {"state": State.DELETED.value, "revision": revision, "changed_at": at}
            if found.revision <= revision:
                await self._change(db, tenant, document_id, gone)
            whose = (SETBACKS.c.tenant == tenant, SETBACKS.c.document_id == document_id)
            await db.execute(delete(SETBACKS).where(*whose, SETBACKS.c.revision <= revision))

    async def settle(self) -> Disk:
        """See the port."""
        await self.database.checkpoint()
        return Disk("tables of the ledger", self.database.disk, self.database.is_sqlite)

    async def failed(
        self, tenant: str, document_id: str, revision: int, state: State, reasons: Sequence[Reason], at: datetime
    ) -> None:
        """See the port."""
        async with self._holding(tenant, document_id) as db:
            found = await self._row(db, tenant, document_id, at)
            settled = found.revision == revision and found.state in (State.INDEXED.value, State.DELETED.value)
            if found.revision <= revision and not settled:
                why = {"state": state.value, "reasons": [asdict(reason) for reason in reasons]}
                await self._change(db, tenant, document_id, {**why, "revision": revision, "changed_at": at})

    async def indexed(
        self,
        tenant: str,
        document_id: str,
        revision: int,
        batch: int,
        batch_count: int,
        chunks: int,
        at: datetime,
        version: str,
    ) -> None:
        """See the port."""
        key = {"tenant": tenant, "document_id": document_id, "revision": revision}
        key |= {"index_version": version, "number": batch}
        async with self._holding(tenant, document_id) as db:
            which = and_(*(BATCHES.c[name] == value for name, value in key.items()))
            if (await db.execute(select(BATCHES.c.number).where(which))).first() is None:
                await db.execute(BATCHES.insert().values(**key, batch_count=batch_count, chunks=chunks))
            overcome = and_(*(SETBACKS.c[name] == key[name] for name in ("tenant", "document_id", "index_version")))
            await db.execute(delete(SETBACKS).where(overcome, SETBACKS.c.revision <= revision))
            await self._weigh(db, tenant, document_id, revision, at, arrived=version)

    async def _weigh(
        self, db: AsyncConnection, tenant: str, document_id: str, revision: int, at: datetime, *, arrived: str = ""
    ) -> None:
        """A revision that is whole in every index version that counts is indexed, with some of its batches on its way."""
        mine = and_(batches_of(tenant, document_id), BATCHES.c.revision == revision)
        counted = select(BATCHES.c.index_version, func.count() == func.max(BATCHES.c.batch_count))
        rows = (await db.execute(counted.where(mine).group_by(BATCHES.c.index_version))).all()
        counts = (
            select(PLANS.c.index_version)
            .join(DOCUMENTS, in_collection())
            .where(is_document(tenant, document_id), COUNTS)
        )
        wanted = set((await db.scalars(counts)).all()) or {version for version, _ in rows}
        if not wanted & {version for version, _ in rows} or (arrived and arrived not in wanted):
            return
        state = State.INDEXED if wanted <= {version for version, whole in rows if whole} else State.INDEXING
        await db.execute(
            update(DOCUMENTS)
            .where(is_document(tenant, document_id), DOCUMENTS.c.revision == revision)
            .where(DOCUMENTS.c.state != State.DELETED.value)
            .values(state=state.value, reasons=[], changed_at=at)
        )

    async def touched(self, tenant: str, document_id: str, at: datetime) -> None:
        """See the port."""
        async with self.database.transaction() as db:
            await db.execute(update(DOCUMENTS).where(is_document(tenant, document_id)).values(changed_at=at))

    async def document(self, tenant: str, document_id: str) -> Document | None:
        """See the port."""
        rows = await self.database.rows(documents().where(is_document(tenant, document_id)))
        return document(rows[0]) if rows else None

    async def documents(
        self, tenant: str, collection: str, states: Sequence[State], prefix: str, after: str, limit: int
    ) -> list[Document]:
        """See the port."""
        query = documents().where(DOCUMENTS.c.tenant == tenant)
        if collection:
            query = query.where(DOCUMENTS.c.collection == collection)
        if states:
            query = query.where(DOCUMENTS.c.state.in_([state.value for state in states]))
        if prefix:
            query = query.where(DOCUMENTS.c.source.startswith(prefix, autoescape=True))
        if after:
            source, _, document_id = after.partition("\0")
            query = query.where(tuple_(DOCUMENTS.c.source, DOCUMENTS.c.document_id) > (source, document_id))
        ordered = query.order_by(DOCUMENTS.c.source, DOCUMENTS.c.document_id).limit(limit)
        return [document(row) for row in await self.database.rows(ordered)]

    async def stuck(self, before: datetime, limit: int) -> list[Document]:
        """See the port."""
        had_its_turn = exists().where(ITS_TURN, TURNS.c.at < before)
        goes = or_(DOCUMENTS.c.state != State.ACCEPTED.value, had_its_turn)
        query = documents().where(DOCUMENTS.c.state.not_in(SETTLED), DOCUMENTS.c.changed_at < before, goes)
        return [document(row) for row in await self.database.rows(query.order_by(DOCUMENTS.c.changed_at).limit(limit))]

    async def uploads_named(self, names: Sequence[str]) -> set[str]:
        """See the port."""
        found: set[str] = set()
        for start in range(0, len(names), 500):
            part = names[start : start + 500]
            rows = await self.database.rows(select(DOCUMENTS.c.upload_id).where(DOCUMENTS.c.upload_id.in_(part)))
            found |= {row.upload_id for row in rows}
        return found

    async def planned(self, collection: Collection, at: datetime) -> None:
        """See the port."""
        which = and_(COLLECTIONS.c.tenant == collection.tenant, COLLECTIONS.c.name == collection.name)
        values = {"expectations_json": collection.expectations_json, "revision": collection.revision}
        async with self._holding(collection.tenant, collection.name) as db:
            found = (await db.execute(select(COLLECTIONS.c.revision).where(which))).first()
            if found is None:
                await db.execute(COLLECTIONS.insert().values(tenant=collection.tenant, name=collection.name, **values))
            elif found.revision < collection.revision:
                await db.execute(update(COLLECTIONS).where(which).values(**values))
            key = (collection.tenant, collection.name, collection.index_version)
            plan = {"plan": asdict(collection.plan), "revision": collection.revision, "build": collection.build}
            known = (await db.execute(select(PLANS.c.revision).where(is_plan(*key)))).first()
            if known is None:
                await db.execute(PLANS.insert().values(**keyed(key), **plan, retired=False, added_at=at))
            elif not known.revision:
                await db.execute(update(PLANS).where(is_plan(*key)).values(**plan, added_at=at))

    async def retired(self, tenant: str, collection: str, version: str) -> None:
        """See the port. Documents that waited for this version alone are indexed now."""
        now = datetime.now(UTC)
        ids = select(DOCUMENTS.c.document_id).where(DOCUMENTS.c.tenant == tenant, DOCUMENTS.c.collection == collection)
        key = (tenant, collection, version)
        async with self._holding(tenant, collection) as db:
            if not (await db.execute(update(PLANS).where(is_plan(*key)).values(retired=True))).rowcount:
                unknown = {"plan": asdict(Plan()), "revision": 0, "build": True, "added_at": now}
                await db.execute(PLANS.insert().values(**keyed(key), **unknown, retired=True))
            for table in (BATCHES, SETBACKS):
                made_for = and_(table.c.tenant == tenant, table.c.index_version == version)
                await db.execute(delete(table).where(made_for, table.c.document_id.in_(ids)))
            waiting = ids.add_columns(DOCUMENTS.c.revision).where(DOCUMENTS.c.state.not_in(SETTLED))
            for document_id, revision in (await db.execute(waiting)).all():
                await self._weigh(db, tenant, document_id, revision, now)

    async def collection(self, tenant: str, name: str) -> Collection | None:
        """See the port."""
        rows = await self.database.rows(collections().where(COLLECTIONS.c.tenant == tenant, COLLECTIONS.c.name == name))
        return collection(rows[0]) if rows else None

    async def collections(self, tenant: str) -> list[Collection]:
        """See the port."""
        rows = await self.database.rows(
            collections().where(COLLECTIONS.c.tenant == tenant).order_by(COLLECTIONS.c.name)
        )
        return [collection(row) for row in rows]

    async def highest_revision(self) -> int:
        """See the port."""
        rows = await self.database.rows(
            select(func.coalesce(func.max(DOCUMENTS.c.revision), 0).label("documents")).add_columns(
                select(func.coalesce(func.max(COLLECTIONS.c.revision), 0)).scalar_subquery().label("collections")
            )
        )
        return max(int(rows[0].documents), int(rows[0].collections))

    async def _row(self, db: AsyncConnection, tenant: str, document_id: str, at: datetime) -> Row[Any]:
        """The document's row; an empty one of revision 0 when its acceptance has not come yet."""
        query = select(DOCUMENTS).where(is_document(tenant, document_id))
        found = (await db.execute(query)).first()
        if found is not None:
            return found
        texts = dict.fromkeys(("collection", "source", "version", "content_type", "upload_id"), "")
        empty = {"state": State.ACCEPTED.value, "reasons": [], "metadata": {}, "readers": []}
        numbers = dict.fromkeys(("revision", "size_bytes", "readers_since"), 0)
        times = {"accepted_at": at, "changed_at": at}
        await db.execute(
            DOCUMENTS.insert().values(tenant=tenant, document_id=document_id, **texts, **empty, **numbers, **times)
        )
        return (await db.execute(query)).one()

    async def _change(self, db: AsyncConnection, tenant: str, document_id: str, values: dict[str, Any]) -> None:
        await db.execute(update(DOCUMENTS).where(is_document(tenant, document_id)).values(**values))

    @asynccontextmanager
    async def _holding(self, tenant: str, name: str) -> AsyncIterator[AsyncConnection]:
        """A transaction that alone writes about one document (or collection): replicas hear facts about it side by side."""
        async with self.database.transaction() as db:
            await self.database.hold(db, tenant, name)
            yield db

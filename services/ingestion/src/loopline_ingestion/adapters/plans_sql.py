"""How far index versions have come, in the ledger's database."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, delete, func, or_, select, update

from loopline_ingestion.adapters.ledger_rows import document, documents, is_plan, plan_of, utc
from loopline_ingestion.adapters.ledger_sql import LedgerSql
from loopline_ingestion.adapters.ledger_tables import BATCHES, DOCUMENTS, PLANS, SETBACKS
from loopline_ingestion.model import Come, Document, IndexPlan, Reason, State

# Documents that have text for the index, or will have; what was rejected or failed as such is not a build's concern.
WITH_TEXT = DOCUMENTS.c.state.in_([state.value for state in (State.ACCEPTED, State.INDEXING, State.INDEXED)])
SHOWN_FAILURES = 5


class PlansSql:
    """The port `Plans`."""

    def __init__(self, ledger: LedgerSql) -> None:
        self._database = ledger.database

    async def plans(self, tenant: str, collection: str) -> list[IndexPlan]:
        """See the port."""
        mine = select(PLANS).where(PLANS.c.tenant == tenant, PLANS.c.collection == collection)
        return [_plan(row) for row in await self._database.rows(mine.order_by(PLANS.c.revision))]

    async def unbuilt(self) -> list[IndexPlan]:
        """See the port."""
        query = select(PLANS).where(PLANS.c.retired.is_(False), PLANS.c.build.is_(True), PLANS.c.built_at.is_(None))
        return [_plan(row) for row in await self._database.rows(query)]

    async def built(self, plan: IndexPlan, at: datetime) -> None:
        """See the port."""
        async with self._database.transaction() as db:
            which = is_plan(plan.tenant, plan.collection, plan.version)
            await db.execute(update(PLANS).where(which, PLANS.c.built_at.is_(None)).values(built_at=at))

    async def come(self, plan: IndexPlan) -> Come:
        """See the port."""
        in_it, failed = _in_it(plan), _failed(plan)
        query: Any = (
            select(
                func.count().label("documents"),
                func.count().filter(in_it.c.seen == in_it.c.count).label("complete"),
                func.coalesce(func.sum(in_it.c.chunks), 0).label("chunks"),
            )
            .select_from(DOCUMENTS.outerjoin(in_it, _same(in_it)))
            .where(*_of(plan), WITH_TEXT)
        )
        total = (await self._database.rows(query))[0]
        mine = select(SETBACKS.c.reasons).join(DOCUMENTS, failed).where(*_of(plan), WITH_TEXT)
        rows = await self._database.rows(mine.order_by(SETBACKS.c.document_id))
        reasons = tuple(Reason(**reason) for row in rows[:SHOWN_FAILURES] for reason in row.reasons)
        return Come(total.documents, total.complete, int(total.chunks), len(rows), reasons)

    async def missing(self, plan: IndexPlan, after: str, limit: int) -> list[Document]:
        """See the port."""
        in_it = _in_it(plan)
        query = (
            documents()
            .outerjoin(in_it, _same(in_it))
            .outerjoin(SETBACKS, _failed(plan))
            .where(*_of(plan), WITH_TEXT, DOCUMENTS.c.document_id > after)
            .where(or_(in_it.c.seen.is_(None), in_it.c.seen < in_it.c.count), SETBACKS.c.document_id.is_(None))
        )
        rows = await self._database.rows(query.order_by(DOCUMENTS.c.document_id).limit(limit))
        return [document(row) for row in rows]

    async def arrived(self, plan: IndexPlan, document_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """See the port."""
        in_it = _in_it(plan, document_ids)
        query = (
            select(DOCUMENTS.c.document_id, DOCUMENTS.c.revision, func.coalesce(in_it.c.seen, 0).label("seen"))
            .outerjoin(in_it, _same(in_it))
            .outerjoin(SETBACKS, _failed(plan))
            .where(*_of(plan), DOCUMENTS.c.document_id.in_(document_ids))
            .where(DOCUMENTS.c.state != State.DELETED.value, SETBACKS.c.document_id.is_(None))
        )
        return {row.document_id: (row.revision, row.seen) for row in await self._database.rows(query)}

    async def set_back(self, plan: IndexPlan, document_id: str, revision: int, reasons: Sequence[Reason]) -> None:
        """See the port."""
        key = {"tenant": plan.tenant, "document_id": document_id, "index_version": plan.version}
        which = and_(*(SETBACKS.c[name] == value for name, value in key.items()))
        said = {"revision": revision, "reasons": [asdict(reason) for reason in reasons]}
        async with self._database.transaction() as db:
            known = (await db.execute(select(SETBACKS.c.revision).where(which))).first()
            if known is None:
                await db.execute(SETBACKS.insert().values(**key, **said))
            elif known.revision <= revision:
                await db.execute(update(SETBACKS).where(which).values(**said))

    async def forgive(self, plan: IndexPlan) -> None:
        """See the port."""
        ids = select(DOCUMENTS.c.document_id).where(*_of(plan))
        mine = and_(SETBACKS.c.tenant == plan.tenant, SETBACKS.c.index_version == plan.version)
        async with self._database.transaction() as db:
            await db.execute(delete(SETBACKS).where(mine, SETBACKS.c.document_id.in_(ids)))

    async def expected(self, plan: IndexPlan, after: str, limit: int) -> list[tuple[Document, int]]:
        """See the port."""
        in_it = _in_it(plan)
        query = (
            documents()
            .add_columns(in_it.c.seen, in_it.c.count.label("wanted"), in_it.c.chunks)
            .outerjoin(in_it, _same(in_it))
            .where(*_of(plan), DOCUMENTS.c.state != State.DELETED.value, DOCUMENTS.c.document_id > after)
        )
        rows = await self._database.rows(query.order_by(DOCUMENTS.c.document_id).limit(limit))
        return [(document(row), int(row.chunks) if row.seen and row.seen == row.wanted else -1) for row in rows]


def _of(plan: IndexPlan) -> tuple[Any, Any]:
    return DOCUMENTS.c.tenant == plan.tenant, DOCUMENTS.c.collection == plan.collection


def _in_it(plan: IndexPlan, document_ids: Sequence[str] | None = None) -> Any:
    """Of each revision, how many batches of how many are in the version, and their chunks."""
    query: Select[Any] = select(
        BATCHES.c.document_id,
        BATCHES.c.revision,
        func.count().label("seen"),
        func.max(BATCHES.c.batch_count).label("count"),
        func.sum(BATCHES.c.chunks).label("chunks"),
    ).where(BATCHES.c.tenant == plan.tenant, BATCHES.c.index_version == plan.version)
    if document_ids is not None:
        query = query.where(BATCHES.c.document_id.in_(document_ids))
    return query.group_by(BATCHES.c.document_id, BATCHES.c.revision).subquery("in_it")


def _same(in_it: Any) -> Any:
    return and_(in_it.c.document_id == DOCUMENTS.c.document_id, in_it.c.revision == DOCUMENTS.c.revision)


def _failed(plan: IndexPlan) -> Any:
    return and_(
        SETBACKS.c.tenant == plan.tenant,
        SETBACKS.c.index_version == plan.version,
        SETBACKS.c.document_id == DOCUMENTS.c.document_id,
        SETBACKS.c.revision == DOCUMENTS.c.revision,
    )


def _plan(row: Row[Any]) -> IndexPlan:
    return IndexPlan(
        row.tenant,
        row.collection,
        row.index_version,
        plan_of(row.plan),
        row.revision,
        row.build,
        utc(row.added_at),
        utc(row.built_at) if row.built_at else None,
        row.retired,
    )

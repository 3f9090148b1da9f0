"""How the ledger's rows are chosen, and what they become."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select

from loopline_ingestion.adapters.ledger_tables import BATCHES, COLLECTIONS, DOCUMENTS, PLANS, TURNS
from loopline_ingestion.model import Collection, Cutting, Document, Model, Plan, Reason, State

# Plans that a document must be whole in.
COUNTS = and_(PLANS.c.retired.is_(False), or_(PLANS.c.build.is_(False), PLANS.c.built_at.is_not(None)))

SETTLED = [state.value for state in State if state.settled]
# The turn of a document's newest revision.
ITS_TURN = and_(*(TURNS.c[name] == DOCUMENTS.c[name] for name in ("tenant", "document_id", "revision")))


def is_document(tenant: str, document_id: str) -> Any:
    """The document's row."""
    return and_(DOCUMENTS.c.tenant == tenant, DOCUMENTS.c.document_id == document_id)


def batches_of(tenant: str, document_id: str) -> Any:
    """All that is known of its batches."""
    return and_(BATCHES.c.tenant == tenant, BATCHES.c.document_id == document_id)


def in_collection() -> Any:
    """Plans of a document's collection."""
    return and_(PLANS.c.tenant == DOCUMENTS.c.tenant, PLANS.c.collection == DOCUMENTS.c.collection)


def is_plan(tenant: str, collection: str, version: str) -> Any:
    """The plan's row."""
    return and_(*(PLANS.c[name] == value for name, value in keyed((tenant, collection, version)).items()))


def keyed(key: tuple[str, str, str]) -> dict[str, str]:
    """The columns that name a plan."""
    return dict(zip(("tenant", "collection", "index_version"), key, strict=True))


def _newest(tenant: Any, collection: Any) -> Any:
    """The newest index version that counts."""
    mine = select(PLANS.c.index_version).where(PLANS.c.tenant == tenant, PLANS.c.collection == collection, COUNTS)
    return mine.order_by(PLANS.c.revision.desc()).limit(1).correlate(DOCUMENTS, COLLECTIONS).scalar_subquery()


def documents() -> Select[Any]:
    """Documents with what their batches in the newest index version add up to."""
    version = func.coalesce(_newest(DOCUMENTS.c.tenant, DOCUMENTS.c.collection), "v1")
    mine = and_(*(BATCHES.c[name] == DOCUMENTS.c[name] for name in ("tenant", "document_id", "revision")))
    mine = and_(mine, BATCHES.c.index_version == version)
    return select(
        DOCUMENTS,
        select(func.coalesce(func.max(BATCHES.c.batch_count), 0)).where(mine).scalar_subquery().label("batch_count"),
        select(func.count()).where(mine).scalar_subquery().label("batches_indexed"),
        select(func.coalesce(func.sum(BATCHES.c.chunks), 0)).where(mine).scalar_subquery().label("chunk_count"),
    )


def collections() -> Select[Any]:
    """Collections with their newest plan that counts."""
    counted = select(func.count()).where(
        DOCUMENTS.c.tenant == COLLECTIONS.c.tenant,
        DOCUMENTS.c.collection == COLLECTIONS.c.name,
        or_(DOCUMENTS.c.state != State.DELETED.value),
    )
    newest = and_(
        PLANS.c.tenant == COLLECTIONS.c.tenant,
        PLANS.c.collection == COLLECTIONS.c.name,
        PLANS.c.index_version == _newest(COLLECTIONS.c.tenant, COLLECTIONS.c.name),
    )
    shown = (PLANS.c.index_version, PLANS.c.plan, PLANS.c.build, counted.scalar_subquery().label("document_count"))
    return select(COLLECTIONS, *shown).join(PLANS, newest)


def document(row: Row[Any]) -> Document:
    """From its row."""
    return Document(
        tenant=row.tenant,
        document_id=row.document_id,
        collection=row.collection,
        source=row.source,
        version=row.version,
        revision=row.revision,
        state=State(row.state),
        accepted_at=utc(row.accepted_at),
        changed_at=utc(row.changed_at),
        reasons=tuple(Reason(**reason) for reason in row.reasons),
        batches_indexed=row.batches_indexed,
        batch_count=row.batch_count,
        chunk_count=row.chunk_count,
        size_bytes=row.size_bytes,
        content_type=row.content_type,
        upload_id=row.upload_id,
        metadata=row.metadata,
        readers=tuple(row.readers),
    )


def plan_of(plan: dict[str, Any]) -> Plan:
    """From its column."""
    return Plan(Cutting(**plan["cutting"]), Model(**plan["model"]))


def collection(row: Row[Any]) -> Collection:
    """From its row."""
    return Collection(
        row.tenant,
        row.name,
        row.index_version,
        plan_of(row.plan),
        row.expectations_json,
        row.revision,
        row.document_count,
        row.build,
    )


def utc(when: datetime) -> datetime:
    """SQLite forgets the zone."""
    return when if when.tzinfo else when.replace(tzinfo=UTC)

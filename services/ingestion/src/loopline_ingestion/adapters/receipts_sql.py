"""Receipts in the ledger's database."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, select

from loopline_ingestion.adapters.ledger_tables import ERASURES, REMOVALS
from loopline_ingestion.receipts import Order, Removal, Said
from loopline_sql.database import Database


class ReceiptsSql:
    """The port `Receipts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ordered(self, order: Order) -> None:
        """See the port."""
        values = {name: getattr(order, name) for name in ERASURES.c.keys()}  # noqa: SIM118 - columns, not a dictionary
        async with self._database.transaction() as db:
            await db.execute(self._database.insert(ERASURES).values(**values).on_conflict_do_nothing())

    async def said(self, tenant: str, document_id: str, revision: int, said: Said) -> None:
        """See the port."""
        values = {
            "tenant": tenant,
            "owner": said.owner,
            "event_id": said.event_id,
            "document_id": document_id,
            "revision": revision,
            "said_at": said.at,
            "removals": [_plain(removal) for removal in said.removals],
        }
        async with self._database.transaction() as db:
            await db.execute(self._database.insert(REMOVALS).values(**values).on_conflict_do_nothing())

    async def get(self, tenant: str, document_id: str, revision: int) -> tuple[Order, tuple[Said, ...]] | None:
        """See the port."""
        which = (ERASURES.c.document_id == document_id, ERASURES.c.revision == revision)
        found = await self._with_said(select(ERASURES).where(ERASURES.c.tenant == tenant, *which))
        return found[0] if found else None

    async def page(self, tenant: str, limit: int, before: int) -> list[tuple[Order, tuple[Said, ...]]]:
        """See the port."""
        query = select(ERASURES).where(ERASURES.c.tenant == tenant)
        if before:
            query = query.where(ERASURES.c.revision < before)
        return await self._with_said(query.order_by(ERASURES.c.revision.desc()).limit(limit))

    async def since(self, at: datetime) -> list[Order]:
        """See the port."""
        query = select(ERASURES).where(ERASURES.c.ordered_at >= at).order_by(ERASURES.c.revision)
        return [_order(row) for row in await self._database.rows(query)]

    async def _with_said(self, query: Select[Any]) -> list[tuple[Order, tuple[Said, ...]]]:
        orders = [_order(row) for row in await self._database.rows(query)]
        which = REMOVALS.c.document_id.in_([order.document_id for order in orders])
        rows = await self._database.rows(select(REMOVALS).where(which).order_by(REMOVALS.c.said_at)) if orders else []
        return [(order, _said_of(order, rows)) for order in orders]


def _said_of(order: Order, rows: Sequence[Row[Any]]) -> tuple[Said, ...]:
    mine = (order.tenant, order.document_id, order.revision)
    return tuple(
        Said(row.owner, row.event_id, _utc(row.said_at), tuple(_removal(plain) for plain in row.removals))
        for row in rows
        if (row.tenant, row.document_id, row.revision) == mine
    )


def _order(row: Row[Any]) -> Order:
    return Order(row.tenant, row.document_id, row.collection, row.revision, _utc(row.ordered_at), row.reason)


def _plain(removal: Removal) -> dict[str, Any]:
    gone_by = removal.gone_by.isoformat() if removal.gone_by else None
    return {**asdict(removal), "removed_at": removal.removed_at.isoformat(), "gone_by": gone_by}


def _removal(plain: dict[str, Any]) -> Removal:
    removed_at, gone_by = plain["removed_at"], plain["gone_by"]
    told = {
        "removed_at": datetime.fromisoformat(removed_at),
        "gone_by": datetime.fromisoformat(gone_by) if gone_by else None,
    }
    return Removal(**{**plain, **told})


def _utc(when: datetime) -> datetime:
    """SQLite forgets the zone."""
    return when if when.tzinfo else when.replace(tzinfo=UTC)

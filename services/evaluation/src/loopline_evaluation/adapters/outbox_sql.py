"""What is to be said, kept in the transaction that made it true: nothing acknowledged is lost, and the bus may be away."""

from collections.abc import Sequence

from google.protobuf.message import Message
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline_evaluation.adapters.tables import OUTBOX
from loopline_evaluation.ports import Waiting
from loopline_sql.database import Database

PAGE = 100


async def to_say(db: AsyncConnection, kind: str, fact_id: str, tenant: str, body: Message) -> None:
    """Puts a fact down to be said, within a transaction."""
    row = {"id": fact_id, "kind": kind, "tenant": tenant, "body": body.SerializeToString()}
    await db.execute(insert(OUTBOX).values(**row))


class OutboxSql:
    """The port `Outbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self) -> Sequence[Waiting]:
        """See the port."""
        rows = await self._database.rows(select(OUTBOX).order_by(OUTBOX.c.number).limit(PAGE))
        return [Waiting(row.number, row.id, row.kind, row.tenant, row.body) for row in rows]

    async def said(self, number: int) -> None:
        """See the port."""
        async with self._database.transaction() as db:
            await db.execute(delete(OUTBOX).where(OUTBOX.c.number == number))

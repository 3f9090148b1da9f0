"""Answers and conversations in SQL: SQLite here, PostgreSQL where there are several replicas."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import JSON, Column, Float, Index, Integer, MetaData, String, Table, Text, delete, select

from loopline_generation import plain
from loopline_generation.model import Message, Record
from loopline_sql.database import Database
from loopline_sql.migrations import Migrations

MIGRATIONS = Migrations("answers", Path(__file__).parent / "records_migrations")
# When these change, records_migrations/ gets a revision; a test compares the two.
METADATA = MetaData()
ANSWERS = Table(
    "answers",
    METADATA,
    Column("answer_id", String(32), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("record", JSON, nullable=False),
    Index("answers_by_start", "started_at"),
    Index("answers_by_outcome", "outcome"),
)
TURNS = Table(
    "turns",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("conversation_id", String(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("role", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Index("turns_by_conversation", "tenant", "conversation_id", "id"),
)


class RecordsSql:
    """The port `Records`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ready = database.ready

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator["RecordsSql"]:
        """Connects and migrates; see `Database.opened`."""
        async with Database.opened(url, MIGRATIONS) as database:
            yield cls(database)

    async def put(self, record: Record) -> None:
        """See the port."""
        values = {"outcome": record.outcome.value if record.outcome else "", "record": plain.to_json(record)}
        keys = {"answer_id": record.answer_id, "tenant": record.tenant, "started_at": record.started_at}
        put = self.database.insert(ANSWERS).values(**keys, **values)
        async with self.database.transaction() as db:
            await db.execute(put.on_conflict_do_update(index_elements=["answer_id"], set_=values))

    async def get(self, tenant: str, answer_id: str) -> Record | None:
        """See the port."""
        which = (ANSWERS.c.tenant == tenant, ANSWERS.c.answer_id == answer_id)
        rows = await self.database.rows(select(ANSWERS.c.record).where(*which))
        return plain.from_json(rows[0].record) if rows else None

    async def unfinished(self) -> list[Record]:
        """See the port."""
        rows = await self.database.rows(select(ANSWERS.c.record).where(ANSWERS.c.outcome == ""))
        return [plain.from_json(row.record) for row in rows]

    async def forget(self, before: float) -> int:
        """See the port."""
        async with self.database.transaction() as db:
            done = await db.execute(delete(ANSWERS).where(ANSWERS.c.started_at < before))
            await db.execute(delete(TURNS).where(TURNS.c.at < before))
            return int(done.rowcount)

    async def turns(self, tenant: str, conversation_id: str) -> list[Message]:
        """See the port."""
        which = (TURNS.c.tenant == tenant, TURNS.c.conversation_id == conversation_id)
        rows = await self.database.rows(select(TURNS.c.role, TURNS.c.content).where(*which).order_by(TURNS.c.id))
        return [Message(row.role, row.content) for row in rows]

    async def add_turns(self, tenant: str, conversation_id: str, turns: Sequence[Message], at: float) -> None:
        """See the port."""
        common = {"tenant": tenant, "conversation_id": conversation_id, "at": at}
        async with self.database.transaction() as db:
            await db.execute(TURNS.insert(), [{**common, "role": t.role, "content": t.content} for t in turns])

    async def forget_conversation(self, tenant: str, conversation_id: str) -> None:
        """See the port."""
        async with self.database.transaction() as db:
            which = (TURNS.c.tenant == tenant, TURNS.c.conversation_id == conversation_id)
            await db.execute(delete(TURNS).where(*which))

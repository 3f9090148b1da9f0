"""Answers and conversations in SQL: SQLite here, PostgreSQL where there are several replicas."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import JSON, Column, Float, Index, Integer, MetaData, String, Table, Text, delete, event, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from loopline_generation import plain
from loopline_generation.model import Message, Record
from loopline_runtime.errors import Unavailable

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

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # SQLite has one writer; waiting here is better than being refused there.
        self._writing: AbstractAsyncContextManager[object] = (
            asyncio.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        )

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator["RecordsSql"]:
        """Connects and makes the tables that are missing."""
        engine = create_async_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _pragmas)
        records = cls(engine)
        try:
            async with records._transaction() as db:
                await db.run_sync(METADATA.create_all)
            yield records
        finally:
            await engine.dispose()

    async def ready(self) -> None:
        """Unavailable while the database does not answer."""
        await self._rows(select(ANSWERS.c.answer_id).limit(1))

    async def put(self, record: Record) -> None:
        """See the port."""
        values = {"outcome": record.outcome.value if record.outcome else "", "record": plain.to_json(record)}
        async with self._transaction() as db:
            done = await db.execute(update(ANSWERS).where(ANSWERS.c.answer_id == record.answer_id).values(**values))
            if not done.rowcount:
                keys = {"answer_id": record.answer_id, "tenant": record.tenant, "started_at": record.started_at}
                await db.execute(ANSWERS.insert().values(**keys, **values))

    async def get(self, tenant: str, answer_id: str) -> Record | None:
        """See the port."""
        which = (ANSWERS.c.tenant == tenant, ANSWERS.c.answer_id == answer_id)
        rows = await self._rows(select(ANSWERS.c.record).where(*which))
        return plain.from_json(rows[0].record) if rows else None

    async def unfinished(self) -> list[Record]:
        """See the port."""
        rows = await self._rows(select(ANSWERS.c.record).where(ANSWERS.c.outcome == ""))
        return [plain.from_json(row.record) for row in rows]

    async def forget(self, before: float) -> int:
        """See the port."""
        async with self._transaction() as db:
            done = await db.execute(delete(ANSWERS).where(ANSWERS.c.started_at < before))
            await db.execute(delete(TURNS).where(TURNS.c.at < before))
            return int(done.rowcount)

    async def turns(self, tenant: str, conversation_id: str) -> list[Message]:
        """See the port."""
        which = (TURNS.c.tenant == tenant, TURNS.c.conversation_id == conversation_id)
        rows = await self._rows(select(TURNS.c.role, TURNS.c.content).where(*which).order_by(TURNS.c.id))
        return [Message(row.role, row.content) for row in rows]

    async def add_turns(self, tenant: str, conversation_id: str, turns: Sequence[Message], at: float) -> None:
        """See the port."""
        common = {"tenant": tenant, "conversation_id": conversation_id, "at": at}
        async with self._transaction() as db:
            await db.execute(TURNS.insert(), [{**common, "role": t.role, "content": t.content} for t in turns])

    async def forget_conversation(self, tenant: str, conversation_id: str) -> None:
        """See the port."""
        async with self._transaction() as db:
            which = (TURNS.c.tenant == tenant, TURNS.c.conversation_id == conversation_id)
            await db.execute(delete(TURNS).where(*which))

    async def _rows(self, query: Any) -> Sequence[Any]:
        try:
            async with self._engine.connect() as db:
                return list((await db.execute(query)).all())
        except (SQLAlchemyError, OSError) as error:
            raise Unavailable(f"the store of answers does not answer: {error}") from error

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._writing, self._engine.begin() as db:
                yield db
        except (SQLAlchemyError, OSError) as error:
            raise Unavailable(f"the store of answers does not answer: {error}") from error


def _pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode = wal", "synchronous = normal", "busy_timeout = 10000"):
        cursor.execute(f"pragma {pragma}")
    cursor.close()

"""Answers and conversations in SQL: SQLite here, PostgreSQL where there are several replicas."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import delete, select

from loopline_generation import plain
from loopline_generation.adapters import quotes_sql
from loopline_generation.adapters.records_tables import ANSWERS, SOURCES, TURNS
from loopline_generation.model import Disk, Erased, Message, Record
from loopline_sql.database import Database
from loopline_sql.migrations import Migrations

MIGRATIONS = Migrations("answers", Path(__file__).parent / "records_migrations")


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
            async with database.transaction() as db:
                await quotes_sql.noted_all(db)
            yield cls(database)

    async def put(self, record: Record) -> None:
        """See the port."""
        keys = {"answer_id": record.answer_id, "tenant": record.tenant, "started_at": record.started_at}
        async with self.database.transaction() as db:
            record = await quotes_sql.cleaned(db, record)
            values = {"outcome": record.outcome.value if record.outcome else "", "record": plain.to_json(record)}
            put = self.database.insert(ANSWERS).values(**keys, **values)
            await db.execute(put.on_conflict_do_update(index_elements=["answer_id"], set_=values))
            await quotes_sql.noted(db, record)

    async def get(self, tenant: str, answer_id: str) -> Record | None:
        """See the port."""
        which = (ANSWERS.c.tenant == tenant, ANSWERS.c.answer_id == answer_id)
        rows = await self.database.rows(select(ANSWERS.c.record).where(*which))
        return plain.from_json(rows[0].record) if rows else None

    async def unfinished(self, before: float) -> list[Record]:
        """See the port."""
        begun = (ANSWERS.c.outcome == "", ANSWERS.c.started_at < before)
        rows = await self.database.rows(select(ANSWERS.c.record).where(*begun))
        return [plain.from_json(row.record) for row in rows]

    async def forget(self, before: float) -> int:
        """See the port."""
        async with self.database.transaction() as db:
            done = await db.execute(delete(ANSWERS).where(ANSWERS.c.started_at < before))
            await db.execute(delete(SOURCES).where(SOURCES.c.answer_id.not_in(select(ANSWERS.c.answer_id))))
            await db.execute(delete(TURNS).where(TURNS.c.at < before))
            return int(done.rowcount)

    async def remember(self, tenant: str, document: str, revision: int) -> None:
        """See the port."""
        async with self.database.transaction() as db:
            await quotes_sql.remember(db, tenant, document, revision)

    async def affected(self, tenant: str, document: str, revision: int) -> list[str]:
        """See the port."""
        async with self.database.transaction() as db:
            return [record.answer_id for record in await quotes_sql.affected(db, tenant, document, revision)]

    async def erase(self, tenant: str, document: str, revision: int) -> Erased:
        """See the port."""
        async with self.database.transaction() as db:
            return await quotes_sql.erase(db, tenant, document, revision)

    async def cleaned(self, record: Record) -> Record:
        """See the port."""
        async with self.database.transaction() as db:
            return await quotes_sql.cleaned(db, record)

    async def settle(self) -> Disk:
        """See the port."""
        await self.database.checkpoint()
        return Disk(self.database.disk, self.database.is_sqlite)

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

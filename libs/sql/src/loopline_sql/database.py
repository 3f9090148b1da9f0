"""One database of one store: opened from a URL, migrated, read, written.

    async with Database.opened("postgresql://...", Migrations("ledger", Path(__file__).parent / "migrations")) as db:
        rows = await db.rows(select(DOCUMENTS))
        async with db.transaction() as tx:
            await tx.execute(DOCUMENTS.insert().values(...))

SQLite for one process, PostgreSQL for several replicas. Psycopg speaks to PostgreSQL, since its URLs are libpq's: sslmode,
several hosts, passfile and service files work as an operator expects.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import Executable, Row, Table, event, text
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from loopline_runtime.errors import Invalid, Unavailable
from loopline_sql.foreign import translated
from loopline_sql.migrations import Migrations

POOL = 8
CONNECT_S = 5
POOL_S = 10.0
STATEMENT_S = 30
BUSY_S = 10
CHECKPOINT_TRIES, CHECKPOINT_AGAIN_S = 50, 0.1
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class Database:
    """A pool of connections and the only way to them; every failure is told as a LooplineError."""

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        self.engine = engine
        self.name = name
        # SQLite has one writer; waiting here is better than being refused there.
        self._writing: AbstractAsyncContextManager[object] = asyncio.Lock() if self.is_sqlite else nullcontext()

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, migrations: Migrations) -> AsyncIterator["Database"]:
        """Connects and brings the tables forward.

        `url`: `sqlite:///path` or `postgresql://user@host/database`; in PostgreSQL the tables lie in a schema called as
        the store is, so several stores may share one database. Invalid for another URL; Rejected when newer code has
        migrated it; Unavailable when it does not answer.
        """
        engine = open_engine(url, migrations.name)
        try:
            with translated(migrations.name):
                await migrations.apply(engine)
            yield cls(engine, migrations.name)
        finally:
            await engine.dispose()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of this process alone."""
        return self.engine.dialect.name == "sqlite"

    async def ready(self) -> None:
        """Unavailable while the database does not answer."""
        await self.rows(text("select 1"))

    async def rows(self, query: Executable) -> Sequence[Row[Any]]:
        """All rows of one query."""
        async with self.reading() as db:
            return (await db.execute(query)).all()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Several queries over one state of the data; in SQLite they wait for no writer."""
        with translated(self.name):
            async with self.engine.connect() as db:
                yield db

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """All of it or nothing. In PostgreSQL others write meanwhile: `hold` what you read before you write it."""
        with translated(self.name):
            async with self._writing, self.engine.connect() as db:
                await db.execution_options(writes=True)
                async with db.begin():
                    yield db

    async def hold(self, tx: AsyncConnection, *words: str) -> None:
        """Until the transaction ends nobody else holds the same words. SQLite's writer holds everything as it is."""
        if not self.is_sqlite:
            await tx.execute(
                text("select pg_advisory_xact_lock(hashtextextended(:words, 0))"), {"words": "\x1f".join(words)}
            )

    def insert(self, table: Table) -> "SqliteInsert | PostgresInsert":
        """An INSERT that knows `on_conflict_do_nothing(index_elements=...)` and `on_conflict_do_update`."""
        return insert_sqlite(table) if self.is_sqlite else insert_postgres(table)

    @property
    def disk(self) -> str:
        """How bytes of what was removed leave the disk, for receipts."""
        if self.is_sqlite:
            return "overwritten (secure_delete, its log emptied)"
        return "in PostgreSQL's tables and write-ahead log until an operator has them written anew (vacuum full; see ingestion's README)"

    async def checkpoint(self) -> None:
        """After an erasure: what was overwritten leaves SQLite's log too. PostgreSQL needs an operator, as `disk` says.

        Unavailable while others read without a pause.
        """
        for _ in range(CHECKPOINT_TRIES if self.is_sqlite else 0):
            with translated(self.name):
                async with self._writing, self.engine.connect() as db:
                    raw = await db.get_raw_connection()
                    cursor = await raw.driver_connection.execute("pragma wal_checkpoint(truncate)")  # type: ignore[union-attr]
                    (busy, *_) = await cursor.fetchone()
                    await cursor.close()
            if not busy:
                return
            await asyncio.sleep(CHECKPOINT_AGAIN_S)
        if self.is_sqlite:
            raise Unavailable(f"the {self.name} is being read without a pause; its log is emptied later")


def open_engine(url: str, name: str) -> AsyncEngine:
    """A pool that connects at its first use."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Invalid(f"the {name}'s URL is none: {error}") from error
    backend = parsed.get_backend_name()
    if backend not in DRIVERS:
        raise Invalid(f"the {name}'s URL begins with {backend}; use sqlite:///PATH or postgresql://USER@HOST/DATABASE")
    parsed = parsed.set(drivername=DRIVERS[backend])
    # No more than these: one that is opened beyond them is closed again after its statement.
    pool: dict[str, Any] = {"pool_size": POOL, "max_overflow": 0, "pool_timeout": POOL_S}
    if backend == "sqlite":
        engine = create_async_engine(parsed, connect_args={"timeout": BUSY_S}, **pool)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    settings = {"search_path": name, "statement_timeout": f"{STATEMENT_S}s", "lock_timeout": f"{STATEMENT_S}s"}
    return create_async_engine(
        parsed,
        **pool,
        # A server that was restarted is noticed before the statement, not by it.
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": CONNECT_S,
            "application_name": f"loopline-{name}",
            "options": " ".join(f"-c {key}={value}" for key, value in settings.items()),
        },
    )


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # Transactions begin where we say, not where the driver guesses.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on", "secure_delete = on"):
        cursor.execute(f"pragma {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    """A writer takes its lock at once: it could not take it later if somebody wrote since it read."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("begin immediate" if writes else "begin")

"""The database of this service: SQLite here, PostgreSQL where there are several replicas."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from loopline_evaluation.adapters.tables import METADATA
from loopline_runtime.errors import Unavailable


class Database:
    """One engine, one writer at a time where it is SQLite, errors translated."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing: AbstractAsyncContextManager[object] = (
            asyncio.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        )

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator["Database"]:
        """Connects and makes the tables that are missing."""
        engine = create_async_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _pragmas)
        database = cls(engine)
        try:
            async with database.transaction() as db:
                await db.run_sync(METADATA.create_all)
            yield database
        finally:
            await engine.dispose()

    async def rows(self, query: Any) -> Sequence[Any]:
        """What a query finds."""
        try:
            async with self._engine.connect() as db:
                return list((await db.execute(query)).all())
        except (SQLAlchemyError, OSError) as error:
            raise Unavailable(f"the store of scores does not answer: {error}") from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """All of the block or nothing."""
        try:
            async with self._writing, self._engine.begin() as db:
                yield db
        except (SQLAlchemyError, OSError) as error:
            raise Unavailable(f"the store of scores does not answer: {error}") from error


def _pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode = wal", "synchronous = normal", "secure_delete = on", "busy_timeout = 10000"):
        cursor.execute(f"pragma {pragma}")
    cursor.close()

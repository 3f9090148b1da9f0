"""What must survive, in SQL: records, and the places of the readers, written in one transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, delete, event, select, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from loopline_monitoring.ports import Kept
from loopline_runtime.errors import Unavailable

METADATA = MetaData()
RECORDS = Table(
    "records",
    METADATA,
    Column("kind", String(32), primary_key=True),
    Column("id", String(512), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
PLACES = Table(
    "places",
    METADATA,
    Column("reader", String(64), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)
# Parameters of one statement are bounded.
AT_ONCE = 200


class StateSql:
    """The port `State`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator["StateSql"]:
        """Connects and makes the tables that are missing."""
        engine = create_async_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _pragmas)
        state = cls(engine)
        try:
            async with state._transaction() as db:
                await db.run_sync(METADATA.create_all)
            yield state
        finally:
            await engine.dispose()

    async def ready(self) -> None:
        """Unavailable while the database does not answer."""
        async with self._transaction() as db:
            await db.execute(select(PLACES.c.reader).limit(1))

    async def load(self) -> Kept:
        """See the port."""
        async with self._transaction() as db:
            records = (await db.execute(select(RECORDS))).all()
            places = (await db.execute(select(PLACES))).all()
        return Kept({(row.kind, row.id): row.body for row in records}, {row.reader: row.sequence for row in places})

    async def keep(self, what: Kept) -> None:
        """See the port."""
        async with self._transaction() as db:
            keys = list(what.records)
            for start in range(0, len(keys), AT_ONCE):
                some = keys[start : start + AT_ONCE]
                await db.execute(delete(RECORDS).where(tuple_(RECORDS.c.kind, RECORDS.c.id).in_(some)))
            rows = [
                {"kind": kind, "id": key, "body": body}
                for (kind, key), body in what.records.items()
                if body is not None
            ]
            if rows:
                await db.execute(RECORDS.insert(), rows)
            if what.places:
                await db.execute(delete(PLACES).where(PLACES.c.reader.in_(what.places)))
                await db.execute(
                    PLACES.insert(), [{"reader": name, "sequence": last} for name, last in what.places.items()]
                )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as db:
                yield db
        except (SQLAlchemyError, OSError) as error:
            raise Unavailable(f"the state of monitoring cannot be reached: {error}") from error


def _pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode = wal", "synchronous = normal", "busy_timeout = 10000"):
        cursor.execute(f"pragma {pragma}")
    cursor.close()

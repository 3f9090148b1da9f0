"""What must survive, in SQL: records, closed windows, letters, and the places of the readers, written in one transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    delete,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline_monitoring.app.plain import Form
from loopline_monitoring.model import Change, Key, Span
from loopline_monitoring.ports import Kept, Letter, Row
from loopline_sql.database import Database
from loopline_sql.migrations import Migrations

MIGRATIONS = Migrations("monitoring", Path(__file__).parent / "state_migrations")
METADATA = MetaData()
RECORDS = Table(
    "records",
    METADATA,
    Column("kind", String(32), primary_key=True),
    Column("id", String(1024), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
PLACES = Table(
    "places",
    METADATA,
    Column("reader", String(64), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)
WINDOWS = Table(
    "windows",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("collection", String(255), nullable=False),
    Column("slice", String(255), nullable=False),
    Column("signal", String(255), nullable=False),
    Column("ended", Float, nullable=False),
    Column("span", LargeBinary, nullable=False),
    Column("sketch", LargeBinary, nullable=False),
    Index("windows_by_time", "tenant", "ended"),
)
LETTERS = Table(
    "letters",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("id", String(160), nullable=False),
    Column("receiver", String(64), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("id", name="letters_by_id"),
)
SPAN: Form[Span] = Form(Span)
CHANGE: Form[Change] = Form(Change)


class StateSql:
    """The port `State`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ready = database.ready

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator["StateSql"]:
        """Connects and brings the tables forward."""
        async with Database.opened(url, MIGRATIONS) as database:
            yield cls(database)

    async def load(self) -> Kept:
        """See the port."""
        async with self.database.reading() as db:
            records = (await db.execute(select(RECORDS))).all()
            places = (await db.execute(select(PLACES))).all()
        return Kept({(row.kind, row.id): row.body for row in records}, {row.reader: row.sequence for row in places})

    async def keep(self, what: Kept) -> None:
        """See the port."""
        async with self.database.transaction() as tx:
            await self._put_records(tx, what)
            if what.places:
                places = self.database.insert(PLACES)
                places = places.on_conflict_do_update(
                    index_elements=["reader"], set_={"sequence": places.excluded.sequence}
                )
                await tx.execute(places, [{"reader": name, "sequence": last} for name, last in what.places.items()])
            if what.rows:
                await tx.execute(WINDOWS.insert(), [_window(row) for row in what.rows])
            if what.letters:
                letters = self.database.insert(LETTERS).on_conflict_do_nothing(index_elements=["id"])
                await tx.execute(letters, [_letter(letter) for letter in what.letters])

    async def rows(self, tenant: str, collection: str, signal: str, begin: float, end: float) -> list[Row]:
        """See the port."""
        query = select(WINDOWS).where(WINDOWS.c.tenant == tenant, WINDOWS.c.ended >= begin, WINDOWS.c.ended <= end)
        if collection:
            query = query.where(WINDOWS.c.collection == collection)
        if signal:
            query = query.where(WINDOWS.c.signal == signal)
        found = await self.database.rows(query.order_by(WINDOWS.c.number))
        return [
            Row(Key(row.tenant, row.collection, row.slice, row.signal), SPAN.unpack(row.span), row.sketch)
            for row in found
        ]

    async def letters(self, to: str, now: float, most: int) -> list[Letter]:
        """See the port."""
        # A later letter of an alarm waits for an earlier one, so those not due yet are looked at too.
        query = select(LETTERS).where(LETTERS.c.receiver == to).order_by(LETTERS.c.number).limit(most * 4)
        found, waiting = [], set()
        for row in await self.database.rows(query):
            letter = Letter(row.id, row.receiver, CHANGE.unpack(row.body), row.tries)
            alarm_id = letter.change.alarm.alarm_id
            if row.due > now:
                waiting.add(alarm_id)
            elif alarm_id not in waiting:
                found.append(letter)
        return found[:most]

    async def sent(self, letter_id: str) -> None:
        """See the port."""
        async with self.database.transaction() as tx:
            await tx.execute(delete(LETTERS).where(LETTERS.c.id == letter_id))

    async def failed(self, letter_id: str, again_at: float) -> None:
        """See the port."""
        async with self.database.transaction() as tx:
            later = update(LETTERS).where(LETTERS.c.id == letter_id)
            await tx.execute(later.values(tries=LETTERS.c.tries + 1, due=again_at))

    async def forget(self, before: float) -> int:
        """See the port."""
        async with self.database.transaction() as tx:
            done = await tx.execute(delete(WINDOWS).where(WINDOWS.c.ended < before))
            return int(done.rowcount)

    async def _put_records(self, tx: AsyncConnection, what: Kept) -> None:
        rows = [
            {"kind": kind, "id": name, "body": body} for (kind, name), body in what.records.items() if body is not None
        ]
        if rows:
            records = self.database.insert(RECORDS)
            records = records.on_conflict_do_update(index_elements=["kind", "id"], set_={"body": records.excluded.body})
            await tx.execute(records, rows)
        for kind, name in (key for key, body in what.records.items() if body is None):
            await tx.execute(delete(RECORDS).where(RECORDS.c.kind == kind, RECORDS.c.id == name))


def _window(row: Row) -> dict[str, Any]:
    key = row.key
    return {
        "tenant": key.tenant,
        "collection": key.collection,
        "slice": key.slice,
        "signal": key.signal,
        "ended": row.span.end,
        "span": SPAN.pack(row.span),
        "sketch": row.sketch,
    }


def _letter(letter: Letter) -> dict[str, Any]:
    body = CHANGE.pack(letter.change)
    return {"id": letter.id, "receiver": letter.to, "tries": 0, "due": 0.0, "body": body}

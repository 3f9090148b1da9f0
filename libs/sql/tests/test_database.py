"""A store in SQL, told the same way on SQLite and on PostgreSQL."""

import asyncio
import multiprocessing
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, select, text, update

from loopline_runtime.errors import Invalid, Rejected, Unavailable
from loopline_sql.database import Database, open_engine
from loopline_sql.migrations import Migrations
from loopline_testing.postgres import PostgresServer

MIGRATIONS = Migrations("people", Path(__file__).parent / "revisions")
PEOPLE = Table("people", MetaData(), Column("name", String(8), primary_key=True), Column("age", Integer))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.opened(database_url, MIGRATIONS) as opened:
        yield opened


async def add(database: Database, name: str, age: int | str = 1) -> None:
    async with database.transaction() as tx:
        await tx.execute(PEOPLE.insert().values(name=name, age=age))


async def test_a_transaction_is_all_or_nothing(database: Database):
    async def twice() -> None:
        async with database.transaction() as tx:
            await tx.execute(PEOPLE.insert().values(name="ada", age=1))
            await tx.execute(PEOPLE.insert().values(name="ada", age=1))

    with pytest.raises(Unavailable, match="somebody wrote the same row"):
        await twice()
    assert await database.rows(select(PEOPLE)) == []


async def test_an_upsert_is_written_once_for_both(database: Database):
    put = database.insert(PEOPLE).on_conflict_do_update(index_elements=["name"], set_={"age": 7})
    for _ in range(2):
        async with database.transaction() as tx:
            await tx.execute(put.values(name="ada", age=6))
    assert [(row.name, row.age) for row in await database.rows(select(PEOPLE))] == [("ada", 7)]


async def test_a_wrong_statement_stays_a_bug(database: Database):
    with pytest.raises(Exception, match="nowhere") as told:
        await database.rows(text("select * from nowhere"))
    assert not isinstance(told.value, Rejected)


async def test_who_holds_the_same_words_waits(database_url: str):
    """Two replicas read, then write what they read plus one; none is lost."""
    async with Database.opened(database_url, MIGRATIONS) as one, Database.opened(database_url, MIGRATIONS) as two:
        await add(one, "ada", 0)

        async def older(by: Database) -> None:
            async with by.transaction() as tx:
                await by.hold(tx, "ada")
                age = (await tx.execute(select(PEOPLE.c.age))).scalar_one()
                await asyncio.sleep(0.01)
                await tx.execute(update(PEOPLE).values(age=age + 1))

        await asyncio.gather(*(older(by) for by in (one, two) * 5))
        assert (await one.rows(select(PEOPLE.c.age)))[0].age == 10


async def test_a_long_value_or_a_nul_is_the_senders_fault(postgres: PostgresServer):
    async with Database.opened(postgres.new_database(), MIGRATIONS) as database:
        for name in ("a name too long", "nul\0"):
            with pytest.raises(Invalid, match="cannot hold"):
                await add(database, name)


async def test_rows_of_the_previous_version_come_along(database_url: str):
    engine = open_engine(database_url, "people")
    assert await MIGRATIONS.apply(engine, upto="1") == ["1"]
    async with engine.begin() as tx:
        await tx.execute(text("insert into people (name, age) values ('ada', '36')"))
    await engine.dispose()
    async with Database.opened(database_url, MIGRATIONS) as database:
        assert (await database.rows(select(func.sum(PEOPLE.c.age))))[0][0] == 36


def migrate(url: str, told: "multiprocessing.Queue[list[str]]") -> None:
    async def apply() -> list[str]:
        engine = open_engine(url, "people")
        try:
            return await MIGRATIONS.apply(engine)
        finally:
            await engine.dispose()

    told.put(asyncio.run(apply()))


async def test_of_processes_that_start_at_once_one_migrates(database_url: str):
    processes = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[list[str]] = processes.Queue()
    started = [processes.Process(target=migrate, args=(database_url, told)) for _ in range(2)]
    for process in started:
        process.start()
    applied = sorted([await asyncio.to_thread(told.get, timeout=30) for _ in started])
    for process in started:
        process.join()
    assert applied == [[], ["1", "2"]]


async def test_code_that_is_older_than_the_database_refuses_it(database_url: str):
    async with Database.opened(database_url, MIGRATIONS) as database, database.transaction() as tx:
        await tx.execute(text("update migrations set version_num = '9'"))
    with pytest.raises(Rejected, match="written by newer code") as told:
        async with Database.opened(database_url, MIGRATIONS):
            pass
    assert told.value.reason == "NEWER_SCHEMA"


async def test_a_migration_that_fails_leaves_nothing(database_url: str, tmp_path: Path):
    for revision in (Path(__file__).parent / "revisions").glob("*.py"):
        (tmp_path / revision.name).write_text(revision.read_text())
    (tmp_path / "r3_wrong.py").write_text(
        'revision = "3"\ndown_revision = "2"\n\ndef upgrade(op):\n    op.execute("insert into people values (\'x\', 1)")\n'
        "    op.execute(\"insert into people values ('x', 1)\")\n"
    )
    with pytest.raises(Unavailable, match="same row"):
        async with Database.opened(database_url, Migrations("people", tmp_path)):
            pass
    async with Database.opened(database_url, MIGRATIONS) as database:
        assert await database.rows(select(PEOPLE)) == []


async def test_stores_share_one_postgresql_without_meeting(postgres: PostgresServer):
    url = postgres.new_database()
    others = Migrations("others", MIGRATIONS.folder)
    async with Database.opened(url, MIGRATIONS) as one, Database.opened(url, others) as two:
        await add(one, "ada")
        assert await two.rows(select(PEOPLE)) == []


async def test_a_server_that_restarts_is_found_again(postgres: PostgresServer):
    async with Database.opened(postgres.new_database(), MIGRATIONS) as database:
        await add(database, "before")

        async def broken_off() -> None:
            async with database.transaction() as tx:
                await tx.execute(PEOPLE.insert().values(name="lost", age=1))
                postgres.kill()

        with pytest.raises(Unavailable) as told:
            await broken_off()
        assert told.value.reason == "PEOPLE_UNAVAILABLE"
        with pytest.raises(Unavailable):
            await database.ready()
        postgres.start()
        await add(database, "after")
        assert [row.name for row in await database.rows(select(PEOPLE).order_by("name"))] == ["after", "before"]


async def test_what_is_deleted_leaves_the_file(tmp_path: Path):
    path = tmp_path / "store.db"
    async with Database.opened(f"sqlite+aiosqlite:///{path}", MIGRATIONS) as database:
        await add(database, "canary7")
        async with database.transaction() as tx:
            await tx.execute(PEOPLE.delete())
        await database.checkpoint()
        assert b"canary7" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
        with sqlite3.connect(path) as raw:
            assert raw.execute("pragma journal_mode").fetchone() == ("wal",)
        raw.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://u@h/d", "sqlite"])
async def test_a_url_that_will_not_do_is_told(url: str):
    with pytest.raises(Invalid, match="people's URL"):
        open_engine(url, "people")


async def test_a_server_that_is_away_is_unavailable_at_the_start():
    with pytest.raises(Unavailable, match="does not answer"):
        async with Database.opened("postgresql://u@127.0.0.1:1/d", MIGRATIONS):
            pass

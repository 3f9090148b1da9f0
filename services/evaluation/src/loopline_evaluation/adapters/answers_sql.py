"""Answers and their scores in SQL: SQLite here, PostgreSQL where there are several replicas."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import delete, event, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_evaluation import plain
from loopline_evaluation.adapters.tables import ANSWERS, METADATA, SCORES
from loopline_evaluation.model import Kept, Score
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


class AnswersSql:
    """The port `Answers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, kept: Kept) -> None:
        """See the port."""
        answer = kept.answer
        async with self._database.transaction() as db:
            known = (await db.execute(select(ANSWERS.c.tenant).where(ANSWERS.c.answer_id == answer.answer_id))).all()
            if not known:
                keys = {"answer_id": answer.answer_id, "tenant": answer.tenant, "started_at": answer.started_at}
                await db.execute(ANSWERS.insert().values(**keys, fact=kept.fact))
            await _put_scores(db, answer.answer_id, kept.scores)

    async def add_scores(self, tenant: str, answer_id: str, scores: Sequence[Score]) -> None:
        """See the port."""
        async with self._database.transaction() as db:
            which = (ANSWERS.c.tenant == tenant, ANSWERS.c.answer_id == answer_id)
            if (await db.execute(select(ANSWERS.c.answer_id).where(*which))).all():
                await _put_scores(db, answer_id, scores)

    async def get(self, tenant: str, answer_ids: Sequence[str]) -> list[Kept]:
        """See the port."""
        which = (ANSWERS.c.tenant == tenant, ANSWERS.c.answer_id.in_(answer_ids))
        facts = {row.answer_id: row.fact for row in await self._database.rows(select(ANSWERS).where(*which))}
        scores: dict[str, list[Score]] = {answer_id: [] for answer_id in facts}
        of_them = select(SCORES).where(SCORES.c.answer_id.in_(list(facts))).order_by(SCORES.c.metric)
        for row in await self._database.rows(of_them):
            scores[row.answer_id].append(plain.from_json(row.score))
        return [
            Kept(plain.answer(AnswerFinished.FromString(facts[one]), tenant), facts[one], tuple(scores[one]))
            for one in answer_ids
            if one in facts
        ]

    async def ready(self) -> None:
        """See the port."""
        await self._database.rows(select(ANSWERS.c.answer_id).limit(1))


async def _put_scores(db: AsyncConnection, answer_id: str, scores: Sequence[Score]) -> None:
    if not scores:
        return
    which = (SCORES.c.answer_id == answer_id, SCORES.c.metric.in_([score.metric for score in scores]))
    await db.execute(delete(SCORES).where(*which))
    rows = [
        {"answer_id": answer_id, "metric": one.metric, "value": one.value, "score": plain.to_json(one)}
        for one in scores
    ]
    await db.execute(SCORES.insert(), rows)


def _pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode = wal", "synchronous = normal", "busy_timeout = 10000"):
        cursor.execute(f"pragma {pragma}")
    cursor.close()

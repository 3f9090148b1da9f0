"""Answers that wait for the judge, in SQL."""

import time
from collections.abc import Sequence

from sqlalchemy import select, update

from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_evaluation import plain
from loopline_evaluation.adapters.answers_sql import AnswersSql, put_scores
from loopline_evaluation.adapters.outbox_sql import to_say
from loopline_evaluation.adapters.tables import ANSWERS
from loopline_evaluation.model import Judging, Kept, Score, Stage
from loopline_sql.database import Database


class QueueSql:
    """The port `Queue`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._answers = AnswersSql(database)

    async def claim(self, most: int, lease_s: float) -> list[Kept]:
        """See the port."""
        now = time.time()
        waiting = (ANSWERS.c.stage == Stage.WAITING, ANSWERS.c.lease_until < now)
        oldest = select(ANSWERS.c.answer_id).where(*waiting).order_by(ANSWERS.c.flagged.desc(), ANSWERS.c.started_at)
        if not await self._database.rows(oldest.limit(1)):
            return []
        async with self._database.transaction() as db:
            rows = (await db.execute(oldest.limit(most).with_for_update(skip_locked=True))).all()
            ids = [row.answer_id for row in rows]
            await db.execute(update(ANSWERS).where(ANSWERS.c.answer_id.in_(ids)).values(lease_until=now + lease_s))
        return await self._answers.by_id(ids)

    async def renew(self, answer_ids: Sequence[str], lease_s: float) -> None:
        """See the port."""
        if answer_ids:
            kept = {"lease_until": time.time() + lease_s}
            async with self._database.transaction() as db:
                await db.execute(update(ANSWERS).where(ANSWERS.c.answer_id.in_(answer_ids)).values(**kept))

    async def note(self, answer_id: str, score: Score) -> None:
        """See the port."""
        async with self._database.transaction() as db:
            await put_scores(db, answer_id, [score])

    async def finish(self, kept: Kept, scores: Sequence[Score], judging: Judging) -> None:
        """See the port."""
        answer = kept.answer
        done = {"stage": judging.stage, "why": judging.why, "lease_until": 0.0}
        async with self._database.transaction() as db:
            mine = (ANSWERS.c.answer_id == answer.answer_id, ANSWERS.c.stage == Stage.WAITING)
            if not (await db.execute(update(ANSWERS).where(*mine).values(**done))).rowcount:
                return
            await put_scores(db, answer.answer_id, scores)
            if scores:
                said = plain.evaluated(AnswerFinished.FromString(kept.fact), scores)
                await to_say(db, "answer_evaluated", f"{answer.answer_id}/judged", answer.tenant, said)

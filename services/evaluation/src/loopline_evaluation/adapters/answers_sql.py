"""Answers, their scores and opinions on them, in SQL."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, insert, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_evaluation import plain
from loopline_evaluation.adapters.erasure_sql import cleaned, mark, wordless
from loopline_evaluation.adapters.outbox_sql import to_say
from loopline_evaluation.adapters.tables import ANSWERS, FEEDBACK, ITEMS, LABELS, MARKS, SCORES
from loopline_evaluation.model import (
    Answer,
    Condition,
    Feedback,
    Given,
    Judging,
    Kept,
    Score,
    Stage,
    Thumb,
    Verdict,
    Wanted,
    Why,
)
from loopline_sql.database import Database

_COMPARED: dict[str, Any] = {
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "=": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
}
# Removed at once, so that nobody waits long.
PAGE = 500


class AnswersSql:
    """The port `Answers`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ready = database.ready

    async def put(self, kept: Kept) -> None:
        """See the port."""
        answer = kept.answer
        async with self._database.transaction() as db:
            await self._database.hold(db, "erasure", answer.tenant)
            known = (await db.execute(select(ANSWERS.c.tenant).where(ANSWERS.c.answer_id == answer.answer_id))).all()
            if not known:
                keys = {"answer_id": answer.answer_id, "tenant": answer.tenant, "started_at": answer.started_at}
                judging: dict[str, object] = {
                    "stage": kept.judging.stage,
                    "why": kept.judging.why,
                    "flagged": _flagged(kept.judging),
                }
                fact, bare = await cleaned(db, answer.tenant, kept.fact)
                if bare:
                    judging = {"stage": Stage.SKIPPED, "why": Why.NO_CONTENT, "flagged": False}
                    await mark(db, answer.answer_id)
                await db.execute(insert(ANSWERS).values(**keys, **judging, fact=fact))
                await db.execute(insert(MARKS), _marks(answer))
            await put_scores(db, answer.answer_id, kept.scores)

    async def get(self, tenant: str, answer_ids: Sequence[str]) -> list[Kept]:
        """See the port."""
        query = _in(answer_ids).where(ANSWERS.c.tenant == tenant)
        found = {kept.answer.answer_id: kept for kept in await self._kept(query)}
        return [found[one] for one in answer_ids if one in found]

    async def by_id(self, answer_ids: Sequence[str]) -> list[Kept]:
        """Those that are there, of any tenant, in the order asked for: for work, not for callers."""
        found = {kept.answer.answer_id: kept for kept in await self._kept(_in(answer_ids))}
        return [found[one] for one in answer_ids if one in found]

    async def listed(self, wanted: Wanted) -> list[Kept]:
        """See the port."""
        newest = select(ANSWERS).order_by(ANSWERS.c.started_at.desc(), ANSWERS.c.answer_id.desc())
        return await self._kept(newest.where(*_conditions(wanted)).limit(wanted.most))

    async def give(self, tenant: str, answer_id: str, feedback: Feedback, at: float) -> Given | None:
        """See the port."""
        mine = (FEEDBACK.c.answer_id == answer_id, FEEDBACK.c.by == feedback.by)
        async with self._database.transaction() as db:
            which = (ANSWERS.c.tenant == tenant, ANSWERS.c.answer_id == answer_id)
            await self._database.hold(db, "feedback", answer_id, feedback.by)
            known = (await db.execute(select(ANSWERS.c.fact).where(*which))).all()
            if not known:
                return None
            former = [_given(row) for row in (await db.execute(select(FEEDBACK).where(*mine))).all()]
            if former and former[0].feedback == feedback:
                return former[0]
            if await wordless(db, answer_id):
                # It may repeat what had to go.
                feedback = replace(feedback, correction="", comment="")
            given = Given(feedback, at, former[0].revision + 1 if former else 1)
            await db.execute(delete(FEEDBACK).where(*mine))
            await db.execute(insert(FEEDBACK).values(**_row(tenant, answer_id, given)))
            said = plain.feedback_given(AnswerFinished.FromString(known[0].fact), given)
            await to_say(db, "feedback_given", plain.feedback_id(answer_id, given), tenant, said)
        return given

    async def forget(self, before: float, labelled_before: float) -> int:
        """See the port."""
        of_people = union(
            select(FEEDBACK.c.answer_id), select(LABELS.c.answer_id).where(LABELS.c.label != "")
        ).subquery()
        old = or_(
            ANSWERS.c.started_at < labelled_before,
            and_(ANSWERS.c.started_at < before, ANSWERS.c.answer_id.not_in(select(of_people.c.answer_id))),
        )
        async with self._database.transaction() as db:
            ids = [
                row.answer_id for row in (await db.execute(select(ANSWERS.c.answer_id).where(old).limit(PAGE))).all()
            ]
            for table in (ANSWERS, MARKS, SCORES, FEEDBACK, ITEMS, LABELS):
                await db.execute(delete(table).where(table.c.answer_id.in_(ids)))
        return len(ids)

    async def want_judged(self, tenant: str, answer_id: str, judging: Judging) -> None:
        """See the port."""
        judged = {"stage": judging.stage, "why": judging.why, "flagged": _flagged(judging)}
        which = (ANSWERS.c.tenant == tenant, ANSWERS.c.answer_id == answer_id)
        # What cannot be judged is not wanted again.
        may = ANSWERS.c.why.not_in([Why.NO_CONTENT, Why.NOT_COMPLETED])
        async with self._database.transaction() as db:
            await db.execute(update(ANSWERS).where(*which, may, ANSWERS.c.stage != Stage.JUDGED).values(**judged))

    async def _kept(self, query: Any) -> list[Kept]:
        rows = await self._database.rows(query)
        ids = [row.answer_id for row in rows]
        scores: dict[str, list[Score]] = {answer_id: [] for answer_id in ids}
        of_them = select(SCORES.c.answer_id, SCORES.c.score).where(SCORES.c.answer_id.in_(ids))
        for row in await self._database.rows(of_them.order_by(SCORES.c.metric)):
            scores[row.answer_id].append(plain.from_json(row.score))
        feedback: dict[str, list[Given]] = {answer_id: [] for answer_id in ids}
        of_them = select(FEEDBACK).where(FEEDBACK.c.answer_id.in_(ids)).order_by(FEEDBACK.c.at)
        for row in await self._database.rows(of_them):
            feedback[row.answer_id].append(_given(row))
        return [
            Kept(
                plain.answer(AnswerFinished.FromString(row.fact), row.tenant),
                row.fact,
                tuple(scores[row.answer_id]),
                Judging(Stage(row.stage), Why(row.why)),
                tuple(feedback[row.answer_id]),
            )
            for row in rows
        ]


async def put_scores(db: AsyncConnection, answer_id: str, scores: Sequence[Score]) -> None:
    """Scores of an answer, each in place of a former one of its metric."""
    if not scores:
        return
    if await wordless(db, answer_id):
        scores = [replace(score, evidence=()) for score in scores]
    which = (SCORES.c.answer_id == answer_id, SCORES.c.metric.in_([score.metric for score in scores]))
    await db.execute(delete(SCORES).where(*which))
    rows = [
        {
            "answer_id": answer_id,
            "metric": one.metric,
            "value": one.value,
            "verdict": one.verdict or "",
            "score": plain.to_json(one),
        }
        for one in scores
    ]
    await db.execute(insert(SCORES), rows)


def _in(answer_ids: Sequence[str]) -> Any:
    return select(ANSWERS).where(ANSWERS.c.answer_id.in_(answer_ids))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    held: list[ColumnElement[bool]] = [ANSWERS.c.tenant == wanted.tenant, *map(_scored, wanted.conditions)]
    if wanted.version:
        held.append(_marked("version", [wanted.version]))
    if wanted.collections:
        held.append(_marked("collection", wanted.collections))
    if wanted.thumb:
        which = and_(FEEDBACK.c.answer_id == ANSWERS.c.answer_id, FEEDBACK.c.thumb == wanted.thumb)
        held.append(exists().where(which))
    if wanted.judging:
        held.append(or_(ANSWERS.c.stage == wanted.judging, ANSWERS.c.why == wanted.judging))
    if wanted.since is not None:
        held.append(ANSWERS.c.started_at >= wanted.since)
    if wanted.until is not None:
        held.append(ANSWERS.c.started_at < wanted.until)
    if wanted.before:
        at, answer_id = wanted.before
        earlier = and_(ANSWERS.c.started_at == at, ANSWERS.c.answer_id < answer_id)
        held.append(or_(ANSWERS.c.started_at < at, earlier))
    return held


def _scored(condition: Condition) -> ColumnElement[bool]:
    which = [SCORES.c.answer_id == ANSWERS.c.answer_id, SCORES.c.metric == condition.metric]
    if condition.operator == "missing":
        return exists().where(*which, SCORES.c.value.is_(None))
    if isinstance(condition.value, Verdict):
        return exists().where(*which, SCORES.c.verdict == condition.value)
    compared: ColumnElement[bool] = _COMPARED[condition.operator](SCORES.c.value, condition.value)
    return exists().where(*which, compared)


def _marked(kind: str, values: Sequence[str]) -> ColumnElement[bool]:
    which = (MARKS.c.answer_id == ANSWERS.c.answer_id, MARKS.c.kind == kind, MARKS.c.value.in_(values))
    return exists().where(*which)


def _marks(answer: Answer) -> list[dict[str, str]]:
    marks = [
        *(("version", name) for name in answer.versions),
        *(("collection", name) for name in answer.collections),
        *(("document", passage.document) for passage in answer.passages),
        ("answer", ""),
    ]
    return [{"kind": kind, "value": value, "answer_id": answer.answer_id} for kind, value in dict.fromkeys(marks)]


def _flagged(judging: Judging) -> bool:
    return judging.stage is Stage.WAITING and judging.why is not Why.BASE_RATE


def _row(tenant: str, answer_id: str, given: Given) -> dict[str, Any]:
    feedback = given.feedback
    return {
        "answer_id": answer_id,
        "by": feedback.by,
        "tenant": tenant,
        "thumb": feedback.thumb or "",
        "score": feedback.score,
        "correction": feedback.correction,
        "comment": feedback.comment,
        "categories": list(feedback.categories),
        "at": given.at,
        "revision": given.revision,
    }


def _given(row: Any) -> Given:
    thumb = Thumb(row.thumb) if row.thumb else None
    feedback = Feedback(row.by, thumb, row.score, row.correction, row.comment, tuple(row.categories))
    return Given(feedback, row.at, row.revision)

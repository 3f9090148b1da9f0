"""Answers that quote an erased document lose their words, wherever scores, opinions and labels repeat them. Figures stay."""

from collections.abc import Sequence

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from loopline.evaluation.v1.events_pb2 import FeedbackGiven
from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_evaluation import plain
from loopline_evaluation.adapters.tables import ANSWERS, ERASED, FEEDBACK, LABELS, MARKS, OUTBOX, SCORES
from loopline_evaluation.model import Stage, Why
from loopline_sql.database import Database

# The mark of an answer whose words are gone.
WORDLESS = "wordless"


class ErasureSql:
    """The port `Erasable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase(self, tenant: str, document: str, revision: int) -> int:
        """See the port."""
        async with self._database.transaction() as db:
            await self._database.hold(db, "erasure", tenant)
            await _remember(db, tenant, document, revision)
            answer_ids = await _quoting(db, tenant, document, revision)
            for answer_id in answer_ids:
                await _scrub(db, answer_id)
        await self._database.checkpoint()
        return len(answer_ids)

    async def quoting(self, tenant: str, document: str) -> Sequence[str]:
        """All answers that were made from a document, also those whose words are gone."""
        of_it = (MARKS.c.kind == "document", MARKS.c.value == document, ANSWERS.c.tenant == tenant)
        query = select(MARKS.c.answer_id).join(ANSWERS, ANSWERS.c.answer_id == MARKS.c.answer_id).where(*of_it)
        return [row.answer_id for row in await self._database.rows(query)]


async def cleaned(db: AsyncConnection, tenant: str, fact: bytes) -> tuple[bytes, bool]:
    """An announced answer as it may be kept, and whether it lost its words: a document it quotes was erased meanwhile."""
    read = AnswerFinished.FromString(fact)
    documents = {passage.document_id for passage in read.passages}
    which = and_(ERASED.c.tenant == tenant, ERASED.c.document.in_(documents))
    erased = {row.document: row.revision for row in (await db.execute(select(ERASED).where(which))).all()}
    if any(one.revision <= erased.get(one.document_id, -1) for one in read.passages):
        return plain.scrubbed(read).SerializeToString(), True
    return fact, False


async def wordless(db: AsyncConnection, answer_id: str) -> bool:
    """Whether the words of an answer are gone."""
    which = (MARKS.c.answer_id == answer_id, MARKS.c.kind == WORDLESS)
    return bool((await db.execute(select(MARKS.c.answer_id).where(*which))).all())


async def mark(db: AsyncConnection, answer_id: str) -> None:
    """Its words are gone."""
    await db.execute(insert(MARKS).values(kind=WORDLESS, value="", answer_id=answer_id))


async def _remember(db: AsyncConnection, tenant: str, document: str, revision: int) -> None:
    which = (ERASED.c.tenant == tenant, ERASED.c.document == document)
    known = (await db.execute(select(ERASED.c.revision).where(*which))).first()
    if known is None:
        await db.execute(insert(ERASED).values(tenant=tenant, document=document, revision=revision))
    elif known.revision < revision:
        await db.execute(update(ERASED).where(*which).values(revision=revision))


async def _quoting(db: AsyncConnection, tenant: str, document: str, revision: int) -> list[str]:
    """Those that have their words still."""
    bare = select(MARKS.c.answer_id).where(MARKS.c.kind == WORDLESS)
    of_it = select(MARKS.c.answer_id).where(MARKS.c.kind == "document", MARKS.c.value == document)
    which = (ANSWERS.c.tenant == tenant, ANSWERS.c.answer_id.in_(of_it), ANSWERS.c.answer_id.not_in(bare))
    rows = (await db.execute(select(ANSWERS.c.answer_id, ANSWERS.c.fact).where(*which))).all()
    return [
        row.answer_id
        for row in rows
        if any(
            one.document_id == document and one.revision <= revision
            for one in AnswerFinished.FromString(row.fact).passages
        )
    ]


async def _scrub(db: AsyncConnection, answer_id: str) -> None:
    mine = ANSWERS.c.answer_id == answer_id
    row = (await db.execute(select(ANSWERS.c.fact, ANSWERS.c.stage).where(mine))).one()
    bare = plain.scrubbed(AnswerFinished.FromString(row.fact)).SerializeToString()
    skipped = {"stage": Stage.SKIPPED, "why": Why.NO_CONTENT} if row.stage == Stage.WAITING else {}
    await db.execute(update(ANSWERS).where(mine).values(fact=bare, **skipped))
    scores = (await db.execute(select(SCORES.c.metric, SCORES.c.score).where(SCORES.c.answer_id == answer_id))).all()
    for score in scores:
        which = (SCORES.c.answer_id == answer_id, SCORES.c.metric == score.metric)
        await db.execute(update(SCORES).where(*which).values(score={**score.score, "evidence": []}))
    await db.execute(update(FEEDBACK).where(FEEDBACK.c.answer_id == answer_id).values(correction="", comment=""))
    await db.execute(update(LABELS).where(LABELS.c.answer_id == answer_id).values(note=""))
    waiting = (await db.execute(select(OUTBOX).where(OUTBOX.c.id.startswith(f"{answer_id}/feedback/")))).all()
    for one in waiting:
        said = FeedbackGiven.FromString(one.body)
        said.feedback.correction = said.feedback.comment = ""
        await db.execute(update(OUTBOX).where(OUTBOX.c.number == one.number).values(body=said.SerializeToString()))
    await db.execute(delete(MARKS).where(MARKS.c.answer_id == answer_id, MARKS.c.kind == WORDLESS))
    await mark(db, answer_id)

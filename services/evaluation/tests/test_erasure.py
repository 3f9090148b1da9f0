"""A document that is erased leaves no word in this service: not in answers, scores, opinions, labels, nor on the bus; not later either."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loopline.evaluation.v1.events_pb2 import AnswerEvaluated, DocumentErased
from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline.ingestion.v1.events_pb2 import DocumentErasureOrdered
from loopline_contracts.channels import (
    DOCUMENT_ERASURE_ORDERED,
    EVALUATION_DOCUMENT_ERASED,
    FEEDBACK_GIVEN,
)
from loopline_evaluation import events, plain
from loopline_evaluation.adapters.annotations_sql import AnnotationsSql
from loopline_evaluation.adapters.answers_sql import AnswersSql
from loopline_evaluation.adapters.erasure_sql import ErasureSql
from loopline_evaluation.adapters.fakes import FakeEmbedder
from loopline_evaluation.adapters.outbox_sql import OutboxSql
from loopline_evaluation.adapters.queue_sql import QueueSql
from loopline_evaluation.adapters.said_nats import SaidNats
from loopline_evaluation.adapters.tables import MIGRATIONS
from loopline_evaluation.annotation.model import Asked, Label, Queue
from loopline_evaluation.app import Erasing, Feedbacks, Sampling, Scoring
from loopline_evaluation.model import Evidence, Feedback, Judging, Kept, Stage, Thumb, Why
from loopline_nats.content import Contents
from loopline_nats.line import Fact, Line, open_line
from loopline_sql.database import Database
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer

SECRET = "Marzipan Oberlin"
DOCUMENT = "d" * 32


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.opened(f"sqlite:///{tmp_path}/scores.db", MIGRATIONS) as database:
        yield database


def fact(number: int, document: str = DOCUMENT, revision: int = 3) -> AnswerFinished:
    made = AnswerFinished(
        answer_id=f"{number:032x}", question="Who is ill?", text=f"{SECRET} is ill. She lives in Hask. [1]", outcome=1
    )
    made.passages.add(chunk_id="c", document_id=document, revision=revision, text=f"{SECRET} was ill.", title=SECRET)
    made.citations.add(number=1, quote=f"{SECRET} was ill.")
    made.prompt.add(role="user", content=SECRET)
    return made


async def keep(database: Database, made: AnswerFinished) -> str:
    scoring = Scoring(AnswersSql(database), FakeEmbedder(), Sampling(judge=True, base_rate=1.0))
    await scoring.score(Kept(plain.answer(made, "acme"), made.SerializeToString()))
    return made.answer_id


def on_disk(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_file() and SECRET.encode() in path.read_bytes()]


async def test_no_word_is_left_and_figures_stay(database: Database, tmp_path: Path):
    answers, annotations, erasure = AnswersSql(database), AnnotationsSql(database), ErasureSql(database)
    answer_id = await keep(database, fact(1))
    other = await keep(database, fact(2, "e" * 32))
    newer = await keep(database, fact(3, revision=9))
    await Feedbacks(answers, judge=False).submit(
        "acme", answer_id, Feedback("ann", Thumb.DOWN, None, f"{SECRET} is well", f"poor {SECRET}")
    )
    queue = Queue("truth", "Is it true?", ("no", "yes"))
    await annotations.put_queue("acme", queue)
    await annotations.add("acme", "truth", answer_id, Asked.RANDOM)
    await annotations.label("acme", "truth", Label(answer_id, "ann", "no", SECRET))
    assert await erasure.erase("acme", DOCUMENT, 5) == 1
    assert await erasure.erase("acme", DOCUMENT, 5) == 0
    (bare, whole, later) = await answers.get("acme", [answer_id, other, newer])
    assert SECRET not in repr((bare, await annotations.labels("acme", "truth")))
    assert bare.judging == Judging(Stage.SKIPPED, Why.NO_CONTENT)
    assert not bare.answer.readable
    assert {score.metric: score.value for score in bare.scores}["support"] == 0.5
    assert bare.feedback[0].feedback.thumb is Thumb.DOWN
    assert SECRET in whole.answer.text
    assert SECRET in later.answer.text
    for answer in (other, newer):
        await erasure.erase("acme", "e" * 32 if answer == other else DOCUMENT, 9)
    assert on_disk(tmp_path) == []


async def test_what_comes_late_has_no_words_either(database: Database):
    answers = AnswersSql(database)
    before = await keep(database, fact(1))
    await ErasureSql(database).erase("acme", DOCUMENT, 5)
    late = await keep(database, fact(2))
    (kept,) = await answers.get("acme", [before])
    judged = next(score for score in kept.scores if score.metric == "support")
    await QueueSql(database).note(
        before, judged.__class__(**{**plain_fields(judged), "evidence": (Evidence(1, note=SECRET),)})
    )
    await Feedbacks(answers, judge=False).submit("acme", late, Feedback("eve", Thumb.UP, comment=f"dear {SECRET}"))
    assert SECRET not in repr(await answers.get("acme", [before, late]))
    assert SECRET not in repr(await OutboxSql(database).waiting())


def plain_fields(score: object) -> dict[str, object]:
    return {name: getattr(score, name) for name in score.__slots__}  # type: ignore[attr-defined]


async def test_an_order_is_carried_out_and_answered_and_the_bus_forgets(
    provisioned: NatsServer, line: Line, database: Database
):
    answers, erasure = AnswersSql(database), ErasureSql(database)
    answer_id = await keep(database, fact(1))
    await Feedbacks(answers, judge=False).submit("acme", answer_id, Feedback("ann", Thumb.DOWN, comment=SECRET))
    async with (
        open_line(bus_settings(provisioned), "evaluation") as ours,
        open_line(bus_settings(provisioned), "ingestion") as theirs,
    ):
        announcing = asyncio.create_task(events.announce(ours, OutboxSql(database), Contents(ours)))
        while not await line.last_on(FEEDBACK_GIVEN, "acme"):
            await asyncio.sleep(0.05)
        announcing.cancel()
        erasing = Erasing({"scores": erasure}, erasure, SaidNats(ours), disk=database.disk, gone=True)
        events.bind_erasure(ours, erasing, answers)
        order = DocumentErasureOrdered(document_id=DOCUMENT, collection="default")
        await ours.start()
        sequence = await theirs.say(Fact(DOCUMENT_ERASURE_ORDERED, order, f"{DOCUMENT}/order", "acme", DOCUMENT))
        async with asyncio.timeout(20):
            while not (heard := await line.last_on(EVALUATION_DOCUMENT_ERASED, "acme")):
                await asyncio.sleep(0.05)
        receipt = heard.event
        assert isinstance(receipt, DocumentErased)
        counts = {one.what: one.count for one in receipt.removals}
        # The order's revision is its sequence, and lies below that of the answer's passage: nothing of it goes.
        assert (receipt.revision, counts) == (sequence, {"scores": 0, "feedback_facts": 1})
        assert await line.last_on(FEEDBACK_GIVEN, "acme") is None
        await keep(database, fact(2, revision=sequence))
        await events.look_again(ours, erasing)
        (late,) = await answers.get("acme", [f"{2:032x}"])
        assert SECRET not in repr(late)


def test_scores_on_the_bus_quote_nothing():
    made = fact(1)
    scores = events.plain.evaluated(made, [])
    assert isinstance(scores, AnswerEvaluated)
    assert SECRET.encode() not in scores.SerializeToString()

"""An answer that was announced is scored and can be asked about, over a real bus and a real store."""

import asyncio
import math
from collections.abc import AsyncIterator

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from loopline.evaluation.v1.evaluation_service_pb2 import (
    GetScoresRequest,
    ListAnswersRequest,
    ShowAnswerRequest,
    SubmitFeedbackRequest,
)
from loopline.evaluation.v1.events_pb2 import (
    VERDICT_FAIL,
    VERDICT_PASS,
    AnswerEvaluated,
    Feedback,
    FeedbackGiven,
    Thumb,
)
from loopline.generation.v1.events_pb2 import AnswerFinished, Outcome, Timings, Verdicts, Versions
from loopline.retrieval.v1.retrieval_service_pb2 import Passage, Scores
from loopline_contracts.channels import ANSWER_EVALUATED, ANSWER_FINISHED, FEEDBACK_GIVEN
from loopline_evaluation import events, plain
from loopline_evaluation.adapters.answers_sql import AnswersSql
from loopline_evaluation.adapters.fakes import FakeEmbedder
from loopline_evaluation.adapters.outbox_sql import OutboxSql
from loopline_evaluation.adapters.tables import METADATA, MIGRATIONS
from loopline_evaluation.app import Feedbacks, Sampling, Scoring
from loopline_evaluation.model import Kept
from loopline_evaluation.rpc import EvaluationRpc
from loopline_grpc.access import called_by
from loopline_nats.content import Content, Contents
from loopline_nats.line import Fact, Line, open_line
from loopline_runtime.access import Caller, Right
from loopline_runtime.errors import Invalid, NotFound
from loopline_sql.database import Database
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer
from loopline_testing.postgres import differences

ANSWER = AnswerFinished(
    answer_id="a" * 32,
    outcome=Outcome.OUTCOME_COMPLETED,
    collections=["default"],
    question="Who built the lighthouse?",
    text="Ada Moreland built the lighthouse in 1871. [1] It was painted green by pirates. [1]",
    passages=[
        Passage(chunk_id="c1", document_id="d1", text="The lighthouse was built in 1871 by Ada Moreland.", scores=Scores(cosine=0.8))
    ],
    versions=Versions(model="small", prompt="short", prompt_version="1", indexes=["default=v1"]),
    verdicts=Verdicts(answerability=0.9),
)  # fmt: skip


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """SQLite, then PostgreSQL."""
    async with Database.opened(database_url, MIGRATIONS) as database:
        yield database


@pytest.fixture
def answers(database: Database) -> AnswersSql:
    return AnswersSql(database)


@pytest.fixture
def door(answers: AnswersSql) -> EvaluationRpc:
    return EvaluationRpc(answers, Feedbacks(answers, judge=True))


def caller(tenant: str = "acme"):
    return called_by(Caller(tenant=tenant, rights=frozenset({Right.READ}), key_name="k"))


@pytest.fixture
async def said(provisioned: NatsServer, line: Line, answers: AnswersSql) -> AsyncIterator[AnswerEvaluated]:
    async with (
        open_line(bus_settings(provisioned), "evaluation") as ours,
        open_line(bus_settings(provisioned), "generation") as theirs,
    ):
        events.bind(ours, Scoring(answers, FakeEmbedder(), Sampling()), answers)
        await ours.start()
        of_a_run = AnswerFinished(answer_id="c" * 32, run_id="r1", outcome=Outcome.OUTCOME_COMPLETED)
        await theirs.say(Fact(ANSWER_FINISHED, of_a_run, f"{of_a_run.answer_id}/finished", "acme"))
        await theirs.say(Fact(ANSWER_FINISHED, ANSWER, f"{ANSWER.answer_id}/finished", "acme"))
        async with asyncio.timeout(20):
            while not (heard := await line.last_on(ANSWER_EVALUATED, "acme")):
                await asyncio.sleep(0.05)
        assert isinstance(heard.event, AnswerEvaluated)
        yield heard.event


async def test_every_answer_that_ended_is_scored_and_the_scores_are_said(said: AnswerEvaluated):
    scores = {score.metric: score for score in said.scores}
    assert scores["support"].value == 0.5
    assert scores["support"].verdict == VERDICT_FAIL
    (unsupported,) = scores["support"].evidence
    assert (unsupported.sentence, unsupported.document_id) == (2, "d1")
    assert scores["citation_coverage"].verdict == VERDICT_PASS
    assert not scores["quotes_verified"].HasField("value")
    assert scores["quotes_verified"].missing_reason == "NOTHING_TO_SCORE"
    assert said.versions.model == "small"


async def test_answers_of_runs_are_left_to_their_runs(said: AnswerEvaluated, answers: AnswersSql):
    assert [one.answer.answer_id for one in await answers.get("acme", ["c" * 32, said.answer_id])] == [said.answer_id]


async def test_scores_and_the_answer_can_be_asked_for_by_its_tenant_alone(said: AnswerEvaluated, door: EvaluationRpc):
    with caller():
        found = await door.GetScores(GetScoresRequest(answer_ids=[said.answer_id, "b" * 32]), None)
        (ours,) = found.answers
        told = {score.metric: (score.value, score.missing_reason) for score in said.scores}
        assert {score.metric: (score.value, score.missing_reason) for score in ours.scores} == told
        shown = await door.ShowAnswer(ShowAnswerRequest(answer_id=said.answer_id), None)
        assert (shown.text, shown.passages[0].document_id, shown.versions.prompt) == (ANSWER.text, "d1", "short")
        assert (shown.judging.state, shown.judging.reason) == ("SKIPPED", "NO_JUDGE")
    with caller("other"), pytest.raises(NotFound):
        await door.ShowAnswer(ShowAnswerRequest(answer_id=said.answer_id), None)


async def kept(answers: AnswersSql, number: int, **fields: object) -> str:
    """An answer of its own, scored and kept."""
    fact = AnswerFinished()
    fact.CopyFrom(ANSWER)
    fact.answer_id = f"{number:032x}"
    fact.started_at.FromSeconds(1000 + number)
    fact.MergeFrom(AnswerFinished(**fields))  # type: ignore[arg-type]
    scoring = Scoring(answers, FakeEmbedder(), Sampling(judge=True, base_rate=0))
    await scoring.score(Kept(plain.answer(fact, "acme"), fact.SerializeToString()))
    return fact.answer_id


async def listed(door: EvaluationRpc, **wanted: object) -> list[str]:
    with caller():
        found = await door.ListAnswers(ListAnswersRequest(**wanted), None)  # type: ignore[arg-type]
    return [one.answer_id for one in found.answers]


async def test_the_migrated_tables_are_those_of_the_code(database: Database):
    assert await differences(database, METADATA) == [], "add a revision to adapters/scores_migrations"


async def test_bad_answers_can_be_found(answers: AnswersSql, door: EvaluationRpc):
    good = await kept(answers, 1, text="Ada Moreland built the lighthouse. [1]", versions=Versions(model="large"))
    bad = await kept(answers, 2)
    slow = await kept(answers, 3, timings=Timings(total_ms=90_000))
    assert await listed(door, conditions=["support<0.9"]) == [slow, bad]
    assert await listed(door, conditions=["support=pass"]) == [good]
    assert await listed(door, conditions=["quotes_verified missing"]) == [slow, bad, good]
    assert await listed(door, version="large") == [good]
    assert await listed(door, version="default=v1", judging="NOT_SAMPLED") == [bad, good]
    assert await listed(door, judging="WAITING") == [slow]
    assert await listed(door, until=Timestamp(seconds=1002)) == [good]
    with caller():
        first = await door.ListAnswers(ListAnswersRequest(page_size=2), None)
        rest = await door.ListAnswers(ListAnswersRequest(page_size=2, page_token=first.next_page_token), None)
    assert [one.answer_id for one in (*first.answers, *rest.answers)] == [slow, bad, good]
    for written in ("support<", "1<2", "'; drop table answers"):
        with pytest.raises(Invalid, match="is no condition"):
            await listed(door, conditions=[written])


async def test_answers_are_kept_for_their_time_rated_ones_for_longer(answers: AnswersSql, door: EvaluationRpc):
    plain_one, rated = await kept(answers, 1), await kept(answers, 2)
    with caller():
        told = SubmitFeedbackRequest(answer_id=rated, feedback=Feedback(thumb=Thumb.THUMB_UP))
        await door.SubmitFeedback(told, None)
    assert await answers.forget(1001, 0) == 0
    assert await answers.forget(1010, 0) == 1
    assert [one.answer.answer_id for one in await answers.get("acme", [plain_one, rated])] == [rated]
    assert await answers.forget(1010, 1010) == 1
    assert await listed(door) == []


async def test_the_latest_opinion_of_each_person_counts_and_each_is_said_once(
    provisioned: NatsServer, line: Line, database: Database, answers: AnswersSql, door: EvaluationRpc
):
    answer_id = await kept(answers, 1)

    async def submit(by: str, thumb: Thumb.ValueType, comment: str = "") -> int:
        told = Feedback(thumb=thumb, by=by, comment=comment)
        with caller():
            return (await door.SubmitFeedback(SubmitFeedbackRequest(answer_id=answer_id, feedback=told), None)).revision

    assert await submit("ann", Thumb.THUMB_UP) == 1
    assert await submit("ann", Thumb.THUMB_UP) == 1
    assert await submit("bob", Thumb.THUMB_UP) == 1
    assert await listed(door, judging="WAITING") == []
    assert await submit("ann", Thumb.THUMB_DOWN, "the pirates are invented") == 2
    assert await listed(door, feedback=Thumb.THUMB_DOWN) == [answer_id]
    assert await listed(door, judging="THUMBS_DOWN") == [answer_id]
    async with open_line(bus_settings(provisioned), "evaluation") as ours:
        contents = Contents(ours)
        await contents.put("acme", Content.HASHED)
        announcing = asyncio.create_task(events.announce(ours, OutboxSql(database), contents))
        async with asyncio.timeout(20):
            while await OutboxSql(database).waiting():
                await asyncio.sleep(0.05)
        announcing.cancel()
    assert (await line.jetstream.stream_info("EVALUATION")).state.messages == 3
    heard = await line.last_on(FEEDBACK_GIVEN, "acme")
    assert heard is not None
    assert isinstance(heard.event, FeedbackGiven)
    assert (heard.event.feedback.by, heard.event.revision) == ("ann", 2)
    assert heard.event.feedback.comment.startswith("sha256:")


@pytest.mark.parametrize(
    ("feedback", "told"),
    [
        (Feedback(), "say something"),
        (Feedback(score=1.5), "0 to 1"),
        (Feedback(score=math.nan), "0 to 1"),
        (Feedback(categories=["x"] * 17), "at most 16"),
        (Feedback(thumb=Thumb.THUMB_UP, by="x" * 129), "at most 128"),
    ],
    ids=["nothing", "beyond", "nan", "many", "long"],
)
async def test_an_opinion_that_says_nothing_is_refused(door: EvaluationRpc, feedback: Feedback, told: str):
    with caller(), pytest.raises(Invalid, match=told):
        await door.SubmitFeedback(SubmitFeedbackRequest(answer_id="a" * 32, feedback=feedback), None)


async def test_nobody_rates_an_answer_that_is_not_known_or_not_theirs(answers: AnswersSql, door: EvaluationRpc):
    answer_id = await kept(answers, 1)
    for tenant, asked in (("acme", "f" * 32), ("other", answer_id)):
        told = SubmitFeedbackRequest(answer_id=asked, feedback=Feedback(thumb=Thumb.THUMB_UP))
        with caller(tenant), pytest.raises(NotFound):
            await door.SubmitFeedback(told, None)

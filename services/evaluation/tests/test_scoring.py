"""An answer that was announced is scored and can be asked about, over a real bus and a real store."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loopline.evaluation.v1.evaluation_service_pb2 import GetScoresRequest, ShowAnswerRequest
from loopline.evaluation.v1.events_pb2 import VERDICT_FAIL, VERDICT_PASS, AnswerEvaluated
from loopline.generation.v1.events_pb2 import AnswerFinished, Outcome, Verdicts, Versions
from loopline.retrieval.v1.retrieval_service_pb2 import Passage, Scores
from loopline_contracts.channels import ANSWER_EVALUATED, ANSWER_FINISHED
from loopline_evaluation import events
from loopline_evaluation.adapters.answers_sql import AnswersSql, Database
from loopline_evaluation.app import Scoring
from loopline_evaluation.rpc import EvaluationRpc
from loopline_grpc.access import called_by
from loopline_nats.line import Fact, Line, open_line
from loopline_runtime.access import Caller, Right
from loopline_runtime.errors import NotFound
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer

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
async def answers(tmp_path: Path) -> AsyncIterator[AnswersSql]:
    async with Database.opened(f"sqlite+aiosqlite:///{tmp_path}/scores.db") as database:
        yield AnswersSql(database)


@pytest.fixture
async def said(provisioned: NatsServer, line: Line, answers: AnswersSql) -> AsyncIterator[AnswerEvaluated]:
    async with (
        open_line(bus_settings(provisioned), "evaluation") as ours,
        open_line(bus_settings(provisioned), "generation") as theirs,
    ):
        events.bind(ours, Scoring(answers), answers)
        await ours.start()
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


async def test_scores_and_the_answer_can_be_asked_for_by_its_tenant_alone(said: AnswerEvaluated, answers: AnswersSql):
    door = EvaluationRpc(answers)
    with called_by(Caller(tenant="acme", rights=frozenset({Right.READ}), key_name="k")):
        found = await door.GetScores(GetScoresRequest(answer_ids=[said.answer_id, "b" * 32]), None)  # type: ignore[arg-type]
        assert [list(one.scores) for one in found.answers] == [sorted(said.scores, key=lambda score: score.metric)]
        shown = await door.ShowAnswer(ShowAnswerRequest(answer_id=said.answer_id), None)  # type: ignore[arg-type]
        assert (shown.text, shown.passages[0].document_id, shown.versions.prompt) == (ANSWER.text, "d1", "short")
    with called_by(Caller(tenant="other", rights=frozenset({Right.READ}), key_name="k")), pytest.raises(NotFound):
        await door.ShowAnswer(ShowAnswerRequest(answer_id=said.answer_id), None)  # type: ignore[arg-type]

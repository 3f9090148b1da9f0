"""Questions about answers in, what is known of them out."""

import grpc

from loopline.evaluation.v1 import evaluation_service_pb2 as messages
from loopline.evaluation.v1.evaluation_service_pb2_grpc import EvaluationServiceServicer
from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_evaluation import plain
from loopline_evaluation.model import Kept
from loopline_evaluation.ports import Answers
from loopline_grpc.access import caller
from loopline_runtime.errors import Invalid, NotFound

MOST_ASKED = 100


class EvaluationRpc(EvaluationServiceServicer):
    """The door for callers."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def GetScores(
        self,
        request: messages.GetScoresRequest,
        context: grpc.aio.ServicerContext[messages.GetScoresRequest, messages.GetScoresResponse],
    ) -> messages.GetScoresResponse:
        if len(request.answer_ids) > MOST_ASKED:
            raise Invalid(f"{len(request.answer_ids)} answers; ask for at most {MOST_ASKED}", field="answer_ids")
        found = await self._answers.get(caller().tenant, list(request.answer_ids))
        return messages.GetScoresResponse(answers=[_scores(kept) for kept in found])

    async def ShowAnswer(
        self,
        request: messages.ShowAnswerRequest,
        context: grpc.aio.ServicerContext[messages.ShowAnswerRequest, messages.ShowAnswerResponse],
    ) -> messages.ShowAnswerResponse:
        found = await self._answers.get(caller().tenant, [request.answer_id])
        if not found:
            raise NotFound("there is no such answer here (yet)", reason="UNKNOWN_ANSWER", field="answer_id")
        return _shown(found[0])


def _scores(kept: Kept) -> messages.AnswerScores:
    return messages.AnswerScores(answer_id=kept.answer.answer_id, scores=[plain.score(score) for score in kept.scores])


def _shown(kept: Kept) -> messages.ShowAnswerResponse:
    fact = AnswerFinished.FromString(kept.fact)
    return messages.ShowAnswerResponse(
        answer_id=fact.answer_id,
        started_at=fact.started_at,
        outcome=fact.outcome,
        collections=fact.collections,
        question=fact.question,
        text=fact.text,
        passages=fact.passages,
        citations=fact.citations,
        versions=fact.versions,
        timings=fact.timings,
        verdicts=fact.verdicts,
        trace_id=fact.trace_id,
        scores=[plain.score(score) for score in kept.scores],
    )

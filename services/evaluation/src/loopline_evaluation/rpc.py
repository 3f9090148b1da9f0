"""Questions about answers in, what is known of them out; opinions in."""

import base64
import binascii
import json
from datetime import UTC

import grpc

from loopline.evaluation.v1 import evaluation_service_pb2 as messages
from loopline.evaluation.v1.evaluation_service_pb2_grpc import EvaluationServiceServicer
from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_evaluation import plain
from loopline_evaluation.app import Feedbacks
from loopline_evaluation.app.listing import condition
from loopline_evaluation.model import Feedback, Judging, Kept, Thumb, Wanted
from loopline_evaluation.ports import Answers
from loopline_grpc.access import caller
from loopline_runtime.errors import Invalid, NotFound

MOST_ASKED, PAGE, MOST_PAGE = 100, 50, 500
_THUMBS = {value: thumb for thumb, value in plain.THUMBS.items()}


class EvaluationRpc(EvaluationServiceServicer):
    """The door for callers."""

    def __init__(self, answers: Answers, feedbacks: Feedbacks) -> None:
        self._answers = answers
        self._feedbacks = feedbacks

    async def GetScores(
        self,
        request: messages.GetScoresRequest,
        context: grpc.aio.ServicerContext[messages.GetScoresRequest, messages.GetScoresResponse],
    ) -> messages.GetScoresResponse:
        if len(request.answer_ids) > MOST_ASKED:
            raise Invalid(f"{len(request.answer_ids)} answers; ask for at most {MOST_ASKED}", field="answer_ids")
        found = await self._answers.get(caller().tenant, list(request.answer_ids))
        return messages.GetScoresResponse(answers=[_scores(kept) for kept in found])

    async def ListAnswers(
        self,
        request: messages.ListAnswersRequest,
        context: grpc.aio.ServicerContext[messages.ListAnswersRequest, messages.ListAnswersResponse],
    ) -> messages.ListAnswersResponse:
        wanted = _wanted(caller().tenant, request)
        found = await self._answers.listed(wanted)
        more = len(found) == wanted.most
        token = _token(found[-1]) if more else ""
        return messages.ListAnswersResponse(answers=[_summary(kept) for kept in found], next_page_token=token)

    async def ShowAnswer(
        self,
        request: messages.ShowAnswerRequest,
        context: grpc.aio.ServicerContext[messages.ShowAnswerRequest, messages.ShowAnswerResponse],
    ) -> messages.ShowAnswerResponse:
        found = await self._answers.get(caller().tenant, [request.answer_id])
        if not found:
            raise NotFound("there is no such answer here (yet)", reason="UNKNOWN_ANSWER", field="answer_id")
        return shown(found[0])

    async def SubmitFeedback(
        self,
        request: messages.SubmitFeedbackRequest,
        context: grpc.aio.ServicerContext[messages.SubmitFeedbackRequest, messages.SubmitFeedbackResponse],
    ) -> messages.SubmitFeedbackResponse:
        who, told = caller(), request.feedback
        feedback = Feedback(
            by=told.by or f"key:{who.key_name}",
            thumb=_THUMBS.get(told.thumb),
            score=told.score if told.HasField("score") else None,
            correction=told.correction,
            comment=told.comment,
            categories=tuple(told.categories),
        )
        given = await self._feedbacks.submit(who.tenant, request.answer_id, feedback)
        return messages.SubmitFeedbackResponse(revision=given.revision)


def _wanted(tenant: str, request: messages.ListAnswersRequest) -> Wanted:
    if request.page_size > MOST_PAGE:
        raise Invalid(f"a page has at most {MOST_PAGE} answers", field="page_size")
    return Wanted(
        tenant=tenant,
        conditions=tuple(condition(written) for written in request.conditions),
        version=request.version,
        thumb=_THUMBS.get(request.feedback),
        collections=tuple(request.collections),
        judging=request.judging.upper(),
        since=request.since.ToDatetime(UTC).timestamp() if request.HasField("since") else None,
        until=request.until.ToDatetime(UTC).timestamp() if request.HasField("until") else None,
        before=_before(request.page_token),
        most=request.page_size or PAGE,
    )


def _token(kept: Kept) -> str:
    return base64.urlsafe_b64encode(json.dumps([kept.answer.started_at, kept.answer.answer_id]).encode()).decode()


def _before(token: str) -> tuple[float, str] | None:
    if not token:
        return None
    try:
        at, answer_id = json.loads(base64.urlsafe_b64decode(token))
        return float(at), str(answer_id)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Invalid("this page token is none of ours", field="page_token") from error


def _judging(judging: Judging) -> messages.Judging:
    return messages.Judging(state=judging.stage, reason=judging.why)


def _scores(kept: Kept) -> messages.AnswerScores:
    scores = [plain.score(score) for score in kept.scores]
    return messages.AnswerScores(answer_id=kept.answer.answer_id, scores=scores, judging=_judging(kept.judging))


def _summary(kept: Kept) -> messages.AnswerSummary:
    fact = AnswerFinished.FromString(kept.fact)
    thumbs = [given.feedback.thumb for given in kept.feedback]
    return messages.AnswerSummary(
        answer_id=fact.answer_id,
        started_at=fact.started_at,
        question=fact.question,
        outcome=fact.outcome,
        scores=[plain.score(score) for score in kept.scores],
        judging=_judging(kept.judging),
        thumbs_up=thumbs.count(Thumb.UP),
        thumbs_down=thumbs.count(Thumb.DOWN),
    )


def shown(kept: Kept) -> messages.ShowAnswerResponse:
    """All that is known of an answer, as a message."""
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
        judging=_judging(kept.judging),
        feedback=[
            messages.GivenFeedback(
                feedback=plain.feedback(given.feedback), given_at=plain.time(given.at), revision=given.revision
            )
            for given in kept.feedback
        ],
    )

"""Scores of answers, what people say of them: `Loopline.evaluation`."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import grpc

from loopline.evaluation.v1 import evaluation_service_pb2 as messages
from loopline.evaluation.v1 import events_pb2 as events
from loopline.evaluation.v1.evaluation_service_pb2_grpc import EvaluationServiceStub
from loopline.generation.v1 import events_pb2 as generation
from loopline_client import results
from loopline_client.results import Passage
from loopline_grpc.client import calling

if TYPE_CHECKING:
    from loopline.evaluation.v1.evaluation_service_pb2_grpc import EvaluationServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of an answer. `value` None: missing, `missing` says why. `evidence`: (sentence, passage, note) of what it stands on."""

    metric: str
    value: float | None
    verdict: str
    missing: str
    evidence: tuple[tuple[int, int, str], ...]
    evaluator: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a person said of an answer."""

    by: str
    thumb: str
    score: float | None
    correction: str
    comment: str
    categories: tuple[str, ...]
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An answer in short. `judging`: WAITING, JUDGED or SKIPPED, and why."""

    answer_id: str
    started_at: datetime
    question: str
    outcome: str
    scores: tuple[Score, ...]
    judging: str
    thumbs_up: int
    thumbs_down: int


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of an answer."""

    answer_id: str
    question: str
    text: str
    passages: tuple[Passage, ...]
    scores: tuple[Score, ...]
    judging: str
    feedback: tuple[Opinion, ...]
    versions: tuple[str, ...]
    trace_id: str


class Evaluation:
    """What the evaluation service is asked."""

    def __init__(self, channel: Callable[[str], grpc.aio.Channel]) -> None:
        self._channel = channel

    async def scores(self, answer_ids: Sequence[str]) -> dict[str, tuple[Score, ...]]:
        """The scores of some answers, by answer; those not known (yet) are left out."""
        async with calling("evaluation"):
            found = await self._stub.GetScores(messages.GetScoresRequest(answer_ids=answer_ids))
        return {one.answer_id: tuple(_score(score) for score in one.scores) for one in found.answers}

    async def answers(
        self,
        *,
        conditions: Sequence[str] = (),
        version: str = "",
        feedback: str = "",
        collections: Sequence[str] = (),
        judging: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncIterator[Evaluated]:
        """Those that match, newest first. `conditions`: for example faithfulness<0.5; `feedback`: up or down."""
        request = messages.ListAnswersRequest(
            conditions=conditions,
            version=version,
            feedback=_thumb(feedback),
            collections=collections,
            judging=judging,
        )
        if since:
            request.since.FromDatetime(since)
        if until:
            request.until.FromDatetime(until)
        while True:
            async with calling("evaluation"):
                page = await self._stub.ListAnswers(request)
            for one in page.answers:
                yield _evaluated(one)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def show(self, answer_id: str) -> Shown:
        """One answer. NotFound when it is not known (yet, or any more)."""
        async with calling("evaluation"):
            return shown(await self._stub.ShowAnswer(messages.ShowAnswerRequest(answer_id=answer_id)))

    async def feedback(
        self,
        answer_id: str,
        *,
        thumb: str = "",
        score: float | None = None,
        correction: str = "",
        comment: str = "",
        categories: Sequence[str] = (),
        by: str = "",
    ) -> int:
        """Gives an opinion (thumb: up or down; score: 0 to 1); returns how many of this person's it is."""
        feedback = events.Feedback(
            thumb=_thumb(thumb), score=score, correction=correction, comment=comment, categories=categories, by=by
        )
        request = messages.SubmitFeedbackRequest(answer_id=answer_id, feedback=feedback)
        async with calling("evaluation"):
            return (await self._stub.SubmitFeedback(request)).revision

    @property
    def _stub(self) -> "EvaluationServiceAsyncStub":
        return EvaluationServiceStub(self._channel("evaluation"))


def _thumb(word: str) -> events.Thumb.ValueType:
    return events.Thumb.Value(f"THUMB_{word.upper()}") if word else events.THUMB_UNSPECIFIED


def _score(made: events.Score) -> Score:
    verdict = events.Verdict.Name(made.verdict).removeprefix("VERDICT_").lower()
    evidence = tuple((one.sentence, one.passage, one.note) for one in made.evidence)
    return Score(
        made.metric,
        made.value if made.HasField("value") else None,
        "" if verdict == "unspecified" else verdict,
        f"{made.missing_reason}: {made.missing_detail}" if made.missing_reason else "",
        evidence,
        "/".join(filter(None, (made.evaluator.name, made.evaluator.version, made.evaluator.model))),
        made.cost.prompt_tokens + made.cost.completion_tokens,
    )


def _evaluated(one: messages.AnswerSummary) -> Evaluated:
    return Evaluated(
        one.answer_id,
        one.started_at.ToDatetime(),
        one.question,
        generation.Outcome.Name(one.outcome).removeprefix("OUTCOME_"),
        tuple(_score(score) for score in one.scores),
        f"{one.judging.state} {one.judging.reason}",
        one.thumbs_up,
        one.thumbs_down,
    )


def shown(found: messages.ShowAnswerResponse) -> Shown:
    """From its message."""
    made = found.versions
    named = (made.engine, made.model, f"{made.prompt}.{made.prompt_version}", *made.indexes, made.policy)
    return Shown(
        found.answer_id,
        found.question,
        found.text,
        tuple(results.passage(one) for one in found.passages),
        tuple(_score(score) for score in found.scores),
        f"{found.judging.state} {found.judging.reason}",
        tuple(_opinion(one) for one in found.feedback),
        tuple(name for name in named if name.strip(".")),
        found.trace_id,
    )


def _opinion(given: messages.GivenFeedback) -> Opinion:
    told = given.feedback
    thumb = events.Thumb.Name(told.thumb).removeprefix("THUMB_").lower()
    return Opinion(
        told.by,
        "" if thumb == "unspecified" else thumb,
        told.score if told.HasField("score") else None,
        told.correction,
        told.comment,
        tuple(told.categories),
        given.given_at.ToDatetime(),
    )

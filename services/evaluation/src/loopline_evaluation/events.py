"""Facts in, facts out: every answer that ended is scored, and the scores are said; what people and judges say waits in the outbox."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from loopline.evaluation.v1.events_pb2 import AnswerEvaluated, FeedbackGiven
from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_contracts.channels import ANSWER_EVALUATED, EVALUATION_SCORE, FEEDBACK_GIVEN
from loopline_evaluation import plain
from loopline_evaluation.app import Scoring
from loopline_evaluation.model import Kept
from loopline_evaluation.ports import Answers, Outbox, Waiting
from loopline_nats.content import Contents
from loopline_nats.line import Delivery, Fact, Line
from loopline_runtime.errors import Unavailable

log = logging.getLogger(__name__)
LOOK_S = 0.5


def bind(line: Line, scoring: Scoring, answers: Answers) -> None:
    """Hears answers."""

    @line.hears(EVALUATION_SCORE, probe=answers.ready)
    async def score(event: AnswerFinished, delivery: Delivery) -> AsyncIterator[Fact[AnswerEvaluated]]:
        scores = await scoring.score(Kept(plain.answer(event, delivery.tenant), event.SerializeToString()))
        said = plain.evaluated(event, scores)
        yield Fact(ANSWER_EVALUATED, said, f"{event.answer_id}/scored{delivery.replay_suffix}", delivery.tenant)


async def announce(line: Line, outbox: Outbox, contents: Contents) -> None:
    """Says what waits in the outbox, in order, without end."""
    while True:
        try:
            waiting = await outbox.waiting()
            for one in waiting:
                await line.say(await _fact(one, contents))
                await outbox.said(one.number)
        except Unavailable as error:
            log.info("what is to be said waits: %s", error)
            waiting = []
        if not waiting:
            await asyncio.sleep(LOOK_S)


async def _fact(waiting: Waiting, contents: Contents) -> Fact[Any]:
    if waiting.kind == FEEDBACK_GIVEN.name:
        said = FeedbackGiven.FromString(waiting.body)
        shown = (await contents.of(waiting.tenant)).shown
        said.feedback.correction, said.feedback.comment = shown(said.feedback.correction), shown(said.feedback.comment)
        return Fact(FEEDBACK_GIVEN, said, waiting.id, waiting.tenant)
    return Fact(ANSWER_EVALUATED, AnswerEvaluated.FromString(waiting.body), waiting.id, waiting.tenant)

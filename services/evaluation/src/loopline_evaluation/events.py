"""Facts in, facts out: every answer that ended is scored, and the scores are said."""

from collections.abc import AsyncIterator

from loopline.evaluation.v1.events_pb2 import AnswerEvaluated
from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_contracts.channels import ANSWER_EVALUATED, EVALUATION_SCORE
from loopline_evaluation import plain
from loopline_evaluation.app import Scoring
from loopline_evaluation.model import Kept
from loopline_evaluation.ports import Answers
from loopline_nats.line import Delivery, Fact, Line


def bind(line: Line, scoring: Scoring, answers: Answers) -> None:
    """Hears answers."""

    @line.hears(EVALUATION_SCORE, probe=answers.ready)
    async def score(event: AnswerFinished, delivery: Delivery) -> AsyncIterator[Fact[AnswerEvaluated]]:
        scores = await scoring.score(Kept(plain.answer(event, delivery.tenant), event.SerializeToString()))
        said = AnswerEvaluated(
            answer_id=event.answer_id,
            scores=[plain.score(one) for one in scores],
            collections=event.collections,
            versions=event.versions,
            started_at=event.started_at,
        )
        yield Fact(ANSWER_EVALUATED, said, f"{event.answer_id}/scored{delivery.replay_suffix}", delivery.tenant)

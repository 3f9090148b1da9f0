"""Signals of answer_evaluated and feedback_given: the same questions, worse answers."""

from loopline.evaluation.v1.events_pb2 import AnswerEvaluated, FeedbackGiven, Thumb
from loopline_monitoring.model import Observed, Value
from loopline_monitoring.readings.answers import versions_of
from loopline_monitoring.readings.times import happened
from loopline_nats.envelope import Delivery


def of_evaluated(fact: AnswerEvaluated, delivery: Delivery) -> Observed:
    """Each score that has a value, by its metric."""
    values: dict[str, Value] = {
        f"evaluation.{score.metric}": score.value for score in fact.scores if score.HasField("value")
    }
    return Observed(
        id=delivery.id,
        tenant=delivery.tenant,
        collection="+".join(sorted(fact.collections)),
        at=happened(fact.started_at if fact.HasField("started_at") else None, delivery),
        told_at=delivery.time.timestamp(),
        about=fact.answer_id,
        values=values,
        versions=versions_of(fact.versions),
    )


def of_feedback(fact: FeedbackGiven, delivery: Delivery) -> Observed:
    """What a person thinks of an answer, by their first word on it."""
    values: dict[str, Value] = {}
    said = fact.feedback
    if fact.revision <= 1:
        if said.thumb != Thumb.THUMB_UNSPECIFIED:
            values["feedback.thumb_up"] = float(said.thumb == Thumb.THUMB_UP)
        if said.HasField("score"):
            values["feedback.score"] = said.score
        if said.categories:
            values["feedback.category"] = sorted(said.categories)[0]
    return Observed(
        id=delivery.id,
        tenant=delivery.tenant,
        collection="+".join(sorted(fact.collections)),
        at=happened(fact.given_at if fact.HasField("given_at") else None, delivery),
        told_at=delivery.time.timestamp(),
        about=fact.answer_id,
        values=values,
    )

"""Signals of prediction_served."""

from loopline.monitoring.v1.events_pb2 import CanaryAnswered, PredictionServed
from loopline.monitoring.v1.events_pb2 import Value as Said
from loopline_monitoring.model import Observed, Value
from loopline_monitoring.readings.times import happened
from loopline_nats.envelope import Delivery


def of_prediction(fact: PredictionServed, delivery: Delivery) -> Observed:
    """Features, prediction and label as they are; the collection is the model's name."""
    values = {f"feature.{name}": plain(value) for name, value in sorted(fact.features.items())}
    if fact.HasField("prediction"):
        values["prediction.value"] = plain(fact.prediction)
    if fact.HasField("label"):
        values["prediction.label"] = plain(fact.label)
    return Observed(
        id=delivery.id,
        tenant=delivery.tenant,
        collection=fact.model,
        at=happened(fact.at if fact.HasField("at") else None, delivery),
        told_at=delivery.time.timestamp(),
        about=fact.prediction_id,
        values=values,
        slices=tuple(f"{name}={value}" for name, value in sorted(fact.slices.items())),
        versions={"model_version": fact.model_version} if fact.model_version else {},
    )


def of_canary(fact: CanaryAnswered, delivery: Delivery) -> Observed:
    """How alike the answer is to the agreed one."""
    return Observed(
        id=delivery.id,
        tenant=delivery.tenant,
        collection=fact.collection,
        at=happened(fact.at if fact.HasField("at") else None, delivery),
        told_at=delivery.time.timestamp(),
        about=fact.answer_id,
        values={"canary.similarity": fact.similarity},
        question=fact.question,
        canary=True,
    )


def plain(said: Said) -> Value:
    """A value as the core knows it; None when it is missing."""
    match said.WhichOneof("kind"):
        case "number":
            return said.number
        case "category":
            return said.category
        case _:
            return None

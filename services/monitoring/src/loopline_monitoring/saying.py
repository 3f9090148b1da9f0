"""What this service says on the line: alarms, how canaries were answered, what models of others predicted."""

import time

from loopline.monitoring.v1.events_pb2 import CanaryAnswered, DriftCleared, DriftDetected, PredictionServed
from loopline_contracts.channels import CANARY_ANSWERED, DRIFT_CLEARED, DRIFT_DETECTED, PREDICTION_SERVED
from loopline_monitoring.messages import alarm_of, when
from loopline_monitoring.model import Saying
from loopline_monitoring.ports import Answered, Letter
from loopline_nats.line import Fact, Line
from loopline_runtime.errors import Invalid

MOST_FEATURES, LONGEST_NAME = 500, 128


class ToTheLine:
    """Says alarms; a receiver of letters like any other."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def tell(self, letter: Letter) -> None:
        """See the port. The id is the letter's, so that a second try is the same fact."""
        alarm, body = letter.change.alarm, alarm_of(letter.change.alarm)
        identity = f"{alarm.alarm_id}/{alarm.update}"
        if letter.change.saying is Saying.CLEARED:
            await self._line.say(Fact(DRIFT_CLEARED, DriftCleared(alarm=body), identity, alarm.tenant))
        else:
            await self._line.say(Fact(DRIFT_DETECTED, DriftDetected(alarm=body), identity, alarm.tenant))


class Canaried:
    """Says how a canary was answered."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def canary_answered(
        self, tenant: str, collection: str, question: str, answer: Answered, similarity: float, occasion: str
    ) -> None:
        """See the port."""
        body = CanaryAnswered(
            answer_id=answer.answer_id,
            collection=collection,
            question=question,
            similarity=similarity,
            occasion=occasion,
            at=when(time.time()),
        )
        await self._line.say(Fact(CANARY_ANSWERED, body, f"{answer.answer_id}/canary", tenant))


class Recording:
    """Says what models of others predicted."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def record(self, prediction: PredictionServed, tenant: str) -> None:
        """On the line, when this returns. Invalid names the field. The id is made of model, prediction, and whether only the label comes."""
        if not 0 < len(prediction.prediction_id) <= LONGEST_NAME:
            raise Invalid(
                "prediction_id is 1 to 128 characters, unique for its model", field="prediction.prediction_id"
            )
        if not 0 < len(prediction.model) <= LONGEST_NAME:
            raise Invalid("model is 1 to 128 characters", field="prediction.model")
        if not prediction.HasField("prediction") and not prediction.HasField("label"):
            raise Invalid("a prediction, a label, or both must be there", field="prediction.prediction")
        if len(prediction.features) > MOST_FEATURES:
            raise Invalid(f"{len(prediction.features)} features; at most {MOST_FEATURES}", field="prediction.features")
        part = "prediction" if prediction.HasField("prediction") else "label"
        identity = f"{prediction.prediction_id}/{prediction.model}/{part}"
        await self._line.say(Fact(PREDICTION_SERVED, prediction, identity, tenant))

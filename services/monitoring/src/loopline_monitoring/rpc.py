"""Questions of people and dashboards; predictions of models that are not ours."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from loopline.monitoring.v1 import events_pb2 as events
from loopline.monitoring.v1 import monitoring_service_pb2 as messages
from loopline.monitoring.v1.monitoring_service_pb2_grpc import MonitoringServiceServicer
from loopline_contracts.channels import PREDICTION_SERVED
from loopline_grpc.access import caller
from loopline_monitoring.app import Monitor
from loopline_monitoring.model import Kind
from loopline_nats.line import Fact, Line
from loopline_runtime.errors import Invalid, Rejected

MOST_FEATURES, MOST_REFUSALS = 500, 100
KINDS = {
    Kind.NUMERIC: messages.KIND_NUMERIC,
    Kind.CATEGORICAL: messages.KIND_CATEGORICAL,
    Kind.VECTOR: messages.KIND_VECTOR,
}


class MonitoringRpc(MonitoringServiceServicer):
    """The door for callers."""

    def __init__(self, monitor: Monitor, line: Line) -> None:
        self._monitor = monitor
        self._line = line

    async def GetDrift(
        self, request: messages.GetDriftRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> messages.GetDriftResponse:
        tenant = caller().tenant
        return messages.GetDriftResponse(
            signals=[
                messages.SignalState(
                    collection=key.collection,
                    slice=key.slice,
                    signal=key.signal,
                    kind=KINDS[watched.kind],
                    seen=watched.seen,
                    missing=watched.missing,
                )
                for key, watched in sorted(self._monitor.watching.signals.items())
                if key.tenant == tenant
                and request.collection in ("", key.collection)
                and request.signal in ("", key.signal)
            ]
        )

    async def RecordPrediction(
        self, request: messages.RecordPredictionRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> messages.RecordPredictionResponse:
        await self._record(request.prediction)
        return messages.RecordPredictionResponse()

    async def RecordPredictions(
        self,
        request_iterator: AsyncIterator[messages.RecordPredictionsRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> messages.RecordPredictionsResponse:
        told = messages.RecordPredictionsResponse()
        async for request in request_iterator:
            try:
                await self._record(request.prediction)
                told.recorded += 1
            except Rejected as error:
                told.refused_count += 1
                if told.refused_count <= MOST_REFUSALS:
                    told.refused.append(f"{request.prediction.prediction_id}: {error}")
        return told

    async def _record(self, prediction: events.PredictionServed) -> None:
        await self._line.say(_fact(prediction, caller().tenant))


def _fact(prediction: events.PredictionServed, tenant: str) -> Fact[events.PredictionServed]:
    """The prediction as a fact, its id made of model and prediction, and of whether it brings the label alone."""
    if not prediction.prediction_id or len(prediction.prediction_id) > 128:
        raise Invalid("prediction_id is 1 to 128 characters, unique for its model", field="prediction.prediction_id")
    if not prediction.model or len(prediction.model) > 128:
        raise Invalid("model is 1 to 128 characters", field="prediction.model")
    if not prediction.HasField("prediction") and not prediction.HasField("label"):
        raise Invalid("a prediction, a label, or both must be there", field="prediction.prediction")
    if len(prediction.features) > MOST_FEATURES:
        raise Invalid(f"{len(prediction.features)} features; at most {MOST_FEATURES}", field="prediction.features")
    part = "prediction" if prediction.HasField("prediction") else "label"
    return Fact(PREDICTION_SERVED, prediction, f"{prediction.prediction_id}/{prediction.model}/{part}", tenant)

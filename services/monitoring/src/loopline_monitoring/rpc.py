"""Questions of people and dashboards, what they agree on, and predictions of models that are not ours."""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc

from loopline.monitoring.v1 import events_pb2 as events
from loopline.monitoring.v1 import monitoring_service_pb2 as messages
from loopline.monitoring.v1.monitoring_service_pb2_grpc import MonitoringServiceServicer
from loopline_grpc.access import caller
from loopline_monitoring.app import Agreeing, Monitor, Watching
from loopline_monitoring.app.watching import matching
from loopline_monitoring.messages import (
    KINDS,
    alarm_of,
    baseline_of,
    comparison_of,
    intention_of,
    seconds,
    signal_of,
    version_of,
    window_of,
)
from loopline_monitoring.model import Change, Intention
from loopline_monitoring.ports import State
from loopline_monitoring.saying import Recording
from loopline_runtime.errors import Invalid, Rejected

MOST_REFUSALS = 100
# An intention without an end is one of a day.
INTENDED_S = 86_400.0
# Sketches are sent for so many windows of a signal; of older ones the summary.
SKETCHED = 60
Context = grpc.aio.ServicerContext[Any, Any]


class MonitoringRpc(MonitoringServiceServicer):
    """The door for callers."""

    def __init__(self, monitor: Monitor, agreeing: Agreeing, state: State, recording: Recording) -> None:
        self._monitor = monitor
        self._agreeing = agreeing
        self._state = state
        self._recording = recording

    async def GetDrift(self, request: messages.GetDriftRequest, context: Context) -> messages.GetDriftResponse:
        tenant, watching = caller().tenant, self._monitor.watching
        wanted = matching(watching.signals, tenant, request.collection, request.signal)
        alarms = watching.alarms.of(tenant, request.collection)
        return messages.GetDriftResponse(
            signals=[signal_of(key, watching.signals[key]) for key in wanted],
            alarms=[
                alarm_of(alarm)
                for alarm in alarms
                if (alarm.open or request.closed) and request.signal in ("", alarm.signal)
            ],
            versions=[version_of(one) for one in watching.versions.of(tenant, request.collection)],
            intentions=[intention_of(one) for one in watching.versions.intentions if one.tenant == tenant],
            comparisons=[comparison_of(watching.comparisons[key]) for key in wanted if key in watching.comparisons],
            promise=watching.policy.false_alarms_per_week,
            tested=watching.tested,
        )

    async def WatchDrift(
        self, request: messages.WatchDriftRequest, context: Context
    ) -> AsyncIterator[messages.WatchDriftResponse]:
        async for alarm in self._monitor.watch(caller().tenant, request.collection):
            yield messages.WatchDriftResponse(alarm=alarm_of(alarm))

    async def GetHistory(
        self, request: messages.GetHistoryRequest, context: Context
    ) -> AsyncIterator[messages.GetHistoryResponse]:
        tenant, watching = caller().tenant, self._monitor.watching
        begin = seconds(getattr(request, "from"))
        end = seconds(request.to) or time.time()
        await self._monitor.write()
        for key in matching(watching.signals, tenant, request.collection, request.signal):
            series = watching.signals[key]
            rows = await self._state.rows(tenant, key.collection, key.signal, begin, end)
            ours = [row for row in rows if row.key == key]
            history = messages.SignalHistory(
                collection=key.collection,
                slice=key.slice,
                signal=key.signal,
                kind=KINDS[series.kind],
                baseline=baseline_of(series),
                baseline_sketch=series.baseline.sketch.to_bytes() if series.baseline else b"",
                windows=[window_of(row.span) for row in ours],
                sketches=[row.sketch if len(ours) - n <= SKETCHED else b"" for n, row in enumerate(ours)],
            )
            yield messages.GetHistoryResponse(signal=history)
        for alarm in watching.alarms.of(tenant, request.collection):
            if (
                request.signal in ("", alarm.signal)
                and alarm.opened_at <= end
                and (alarm.open or alarm.cleared_at >= begin)
            ):
                yield messages.GetHistoryResponse(alarm=alarm_of(alarm))
        for version in watching.versions.of(tenant, request.collection):
            if begin <= version.at <= end:
                yield messages.GetHistoryResponse(version=version_of(version))
        for key in matching(watching.comparisons, tenant, request.collection, request.signal):
            yield messages.GetHistoryResponse(comparison=comparison_of(watching.comparisons[key]))

    async def SetBaseline(self, request: messages.SetBaselineRequest, context: Context) -> messages.SetBaselineResponse:
        tenant, watching = caller().tenant, self._monitor.watching
        which = (tenant, request.collection, request.signal, request.name or "agreed")
        match request.WhichOneof("values"):
            case "period":
                period = request.period
                end = seconds(period.to) or time.time()
                refused = await self._agreeing.from_period(*which, seconds(getattr(period, "from")), end)
            case "last":
                refused = await self._agreeing.from_last(*which, request.last)
            case "next":
                refused = await self._agreeing.from_next(*which, request.next)
            case _:
                raise Invalid("say which values: a period, the last, or the next so many", field="values")
        keys = matching(watching.signals, tenant, request.collection, request.signal)
        told = [f"{key.collection}/{key.slice or 'all'}/{key.signal}: {why}" for key, why in refused.items()]
        agreed = [signal_of(key, watching.signals[key]) for key in keys if key not in refused]
        return messages.SetBaselineResponse(signals=agreed, refused=told)

    async def Acknowledge(self, request: messages.AcknowledgeRequest, context: Context) -> messages.AcknowledgeResponse:
        who = caller()
        found = []

        def act(watching: Watching) -> Iterator[Change]:
            alarms = watching.alarms
            change = alarms.acknowledge(
                who.tenant, request.alarm_id, who.key_name, request.reason, seconds(request.muted_until)
            )
            yield change
            if request.close and change.alarm.open:
                change = alarms.end(change.alarm, time.time(), f"closed by {who.key_name}: {request.reason}")
                yield change
            found.append(change.alarm)

        if not request.reason.strip():
            raise Invalid("say why: whoever looks next wants to know", field="reason")
        await self._monitor.do(act)
        return messages.AcknowledgeResponse(alarm=alarm_of(found[0]))

    async def Intend(self, request: messages.IntendRequest, context: Context) -> messages.IntendResponse:
        who, meant, now = caller(), request.intention, time.time()
        if not meant.reason.strip():
            raise Invalid("say why: it stands in the report of before and after", field="intention.reason")
        until = seconds(meant.until) or now + INTENDED_S
        if until <= now:
            raise Invalid("the intention is over before it began", field="intention.until")
        intention = Intention(
            who.tenant, meant.collection, meant.what, meant.value, meant.reason, until, who.key_name, now
        )
        await self._monitor.do(lambda watching: watching.intend(intention))
        return messages.IntendResponse(intention=intention_of(intention))

    async def RecordPrediction(
        self, request: messages.RecordPredictionRequest, context: Context
    ) -> messages.RecordPredictionResponse:
        await self._recording.record(request.prediction, caller().tenant)
        return messages.RecordPredictionResponse()

    async def RecordPredictions(
        self, request_iterator: AsyncIterator[messages.RecordPredictionsRequest], context: Context
    ) -> messages.RecordPredictionsResponse:
        told = messages.RecordPredictionsResponse()
        async for request in request_iterator:
            prediction: events.PredictionServed = request.prediction
            try:
                await self._recording.record(prediction, caller().tenant)
                told.recorded += 1
            except Rejected as error:
                told.refused_count += 1
                if told.refused_count <= MOST_REFUSALS:
                    told.refused.append(f"{prediction.prediction_id or 'without an id'}: {error}")
        return told

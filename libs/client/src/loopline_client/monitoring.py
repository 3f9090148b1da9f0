"""What differs from what was agreed as normal: `Loopline.monitoring`."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from loopline.monitoring.v1 import events_pb2 as events
from loopline.monitoring.v1 import monitoring_service_pb2 as messages
from loopline.monitoring.v1.monitoring_service_pb2_grpc import MonitoringServiceStub
from loopline_grpc.client import calling

if TYPE_CHECKING:
    from loopline.monitoring.v1.monitoring_service_pb2_grpc import MonitoringServiceAsyncStub

Value = float | str | None


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal as it stands. `recent`: means of the last windows, oldest first, None for a gap; `evidence` in weeks."""

    collection: str
    slice: str
    signal: str
    kind: str
    seen: int
    missing: int
    late: int
    baseline: str
    baseline_version: int
    baseline_count: int
    baseline_wanted: int
    baseline_mean: float
    mean: float
    effect: float
    told: str
    recent: tuple[float | None, ...]
    evidence: float
    alarming: bool


@dataclass(frozen=True, slots=True)
class Cause:
    """A version first seen before a change, and the share of belief in it."""

    what: str
    value: str
    before: str
    score: float
    told: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that differs from what was agreed. `cleared_at` None while it is open."""

    alarm_id: str
    update: int
    collection: str
    signal: str
    threshold: str
    severity: str
    effect: float
    test: str
    told: str
    slices: tuple[str, ...]
    causes: tuple[Cause, ...]
    examples: tuple[str, ...]
    questions: tuple[str, ...]
    baseline: str
    since: datetime
    opened_at: datetime
    cleared_at: datetime | None
    cleared_because: str
    by: str
    reason: str
    muted_until: datetime | None


@dataclass(frozen=True, slots=True)
class Version:
    """A version first seen."""

    collection: str
    what: str
    value: str
    before: str
    at: datetime
    intended: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Before and after a change that was meant."""

    collection: str
    slice: str
    signal: str
    what: str
    value: str
    before: float
    after: float
    effect: float
    told: str


@dataclass(frozen=True, slots=True)
class Drift:
    """All that is: signals, alarms, versions, comparisons; the promise (false alarms a week), and how many signals share it."""

    signals: tuple[Signal, ...]
    alarms: tuple[Alarm, ...]
    versions: tuple[Version, ...]
    comparisons: tuple[Comparison, ...]
    promise: float
    tested: int


class Monitoring:
    """What the monitoring service is asked."""

    def __init__(self, channel: Callable[[str], grpc.aio.Channel]) -> None:
        self._channel = channel

    async def drift(self, *, collection: str = "", signal: str = "", closed: bool = False) -> Drift:
        """What is; with `closed`, alarms that are over too."""
        request = messages.GetDriftRequest(collection=collection, signal=signal, closed=closed)
        async with calling("monitoring"):
            return _drift(await self._stub.GetDrift(request))

    async def watch(self, *, collection: str = "") -> AsyncIterator[Alarm]:
        """Open alarms, then each change of one, without end."""
        async with calling("monitoring"):
            async for told in self._stub.WatchDrift(messages.WatchDriftRequest(collection=collection)):
                yield _alarm(told.alarm)

    async def history(self, *, collection: str = "", signal: str = "") -> AsyncIterator[messages.GetHistoryResponse]:
        """All that is remembered, for pictures: closed windows with their sketches, alarms, versions."""
        async with calling("monitoring"):
            request = messages.GetHistoryRequest(collection=collection, signal=signal)
            async for part in self._stub.GetHistory(request):
                yield part

    async def set_baseline(
        self,
        *,
        collection: str = "",
        signal: str = "",
        name: str = "",
        period: tuple[datetime, datetime | None] | None = None,
        last: int = 0,
        next_: int = 0,
    ) -> tuple[list[Signal], list[str]]:
        """Agrees what is normal, from a period, the last or the next values; the signals that have it, and who had too few."""
        request = messages.SetBaselineRequest(collection=collection, signal=signal, name=name)
        if period:
            begin, end = period
            request.period.CopyFrom(messages.Period(to=_when(end)))
            getattr(request.period, "from").FromDatetime(begin)
        elif last:
            request.last = last
        elif next_:
            request.next = next_
        async with calling("monitoring"):
            told = await self._stub.SetBaseline(request)
        return [_signal(one) for one in told.signals], list(told.refused)

    async def acknowledge(
        self, alarm_id: str, reason: str, *, muted_until: datetime | None = None, close: bool = False
    ) -> Alarm:
        """Says that a person knows. NotFound for an unknown alarm; the beginning of an id does."""
        request = messages.AcknowledgeRequest(
            alarm_id=alarm_id, reason=reason, muted_until=_when(muted_until), close=close
        )
        async with calling("monitoring"):
            return _alarm((await self._stub.Acknowledge(request)).alarm)

    async def intend(
        self, reason: str, *, collection: str = "", what: str = "", value: str = "", until: datetime | None = None
    ) -> None:
        """Announces a change that is meant: it begins a new baseline instead of an alarm."""
        meant = messages.Intention(collection=collection, what=what, value=value, reason=reason, until=_when(until))
        async with calling("monitoring"):
            await self._stub.Intend(messages.IntendRequest(intention=meant))

    async def record(
        self,
        model: str,
        prediction_id: str,
        *,
        version: str = "",
        features: Mapping[str, Value] | None = None,
        prediction: Value = None,
        label: Value = None,
        slices: Mapping[str, str] | None = None,
        at: datetime | None = None,
    ) -> None:
        """Records a prediction of a model of one's own, or later the label of one, under the same id."""
        said = events.PredictionServed(
            prediction_id=prediction_id,
            model=model,
            model_version=version,
            features={name: _value(value) for name, value in (features or {}).items()},
            slices=slices or {},
            at=_when(at),
        )
        if prediction is not None:
            said.prediction.CopyFrom(_value(prediction))
        if label is not None:
            said.label.CopyFrom(_value(label))
        async with calling("monitoring"):
            await self._stub.RecordPrediction(messages.RecordPredictionRequest(prediction=said))

    async def record_all(self, predictions: Iterable[events.PredictionServed]) -> tuple[int, Sequence[str]]:
        """Records many in one call; how many are on the line, and the first hundred that were refused, each with a sentence."""
        requests = (messages.RecordPredictionsRequest(prediction=one) for one in predictions)
        async with calling("monitoring"):
            told = await self._stub.RecordPredictions(requests)
        return told.recorded, list(told.refused)

    @property
    def _stub(self) -> "MonitoringServiceAsyncStub":
        return MonitoringServiceStub(self._channel("monitoring"))


def _when(at: datetime | None) -> Timestamp | None:
    if at is None:
        return None
    made = Timestamp()
    made.FromDatetime(at)
    return made


def _value(value: Value) -> events.Value:
    if value is None:
        return events.Value()
    return events.Value(category=value) if isinstance(value, str) else events.Value(number=value)


def _drift(told: messages.GetDriftResponse) -> Drift:
    return Drift(
        signals=tuple(_signal(one) for one in told.signals),
        alarms=tuple(_alarm(one) for one in told.alarms),
        versions=tuple(
            Version(v.collection, v.what, v.value, v.before, v.at.ToDatetime(), v.intended) for v in told.versions
        ),
        comparisons=tuple(
            Comparison(
                c.collection,
                c.slice,
                c.signal,
                c.version.what,
                c.version.value,
                c.before.mean,
                c.after.mean,
                c.effect,
                c.told,
            )
            for c in told.comparisons
        ),
        promise=told.promise,
        tested=told.tested,
    )


def _signal(one: messages.SignalState) -> Signal:
    return Signal(
        collection=one.collection,
        slice=one.slice,
        signal=one.signal,
        kind=messages.Kind.Name(one.kind).removeprefix("KIND_").lower(),
        seen=one.seen,
        missing=one.missing,
        late=one.late,
        baseline=one.baseline.name,
        baseline_version=one.baseline.version,
        baseline_count=one.baseline.count,
        baseline_wanted=one.baseline.wanted,
        baseline_mean=one.baseline.summary.mean,
        mean=one.last.summary.mean,
        effect=one.last.effect,
        told=one.last.told,
        recent=tuple(None if mean != mean else mean for mean in one.recent),
        evidence=one.evidence,
        alarming=one.alarming,
    )


def _alarm(alarm: events.Alarm) -> Alarm:
    known = alarm.acknowledgement
    return Alarm(
        alarm_id=alarm.alarm_id,
        update=alarm.update,
        collection=alarm.collection,
        signal=alarm.signal,
        threshold=alarm.threshold,
        severity=events.Severity.Name(alarm.severity).removeprefix("SEVERITY_").lower(),
        effect=alarm.effect,
        test=alarm.test,
        told=alarm.told,
        slices=tuple(alarm.slices),
        causes=tuple(Cause(c.what, c.value, c.before, c.score, c.told) for c in alarm.causes),
        examples=tuple(alarm.examples),
        questions=tuple(alarm.questions),
        baseline=f"{alarm.baseline} {alarm.baseline_version}".strip(" 0"),
        since=alarm.since.ToDatetime(),
        opened_at=alarm.opened_at.ToDatetime(),
        cleared_at=alarm.cleared_at.ToDatetime() if alarm.HasField("cleared_at") else None,
        cleared_because=alarm.cleared_because,
        by=known.by,
        reason=known.reason,
        muted_until=known.muted_until.ToDatetime() if known.HasField("muted_until") else None,
    )

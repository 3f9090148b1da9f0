"""The model as protobuf."""

from google.protobuf.timestamp_pb2 import Timestamp

from loopline.monitoring.v1 import events_pb2 as events
from loopline.monitoring.v1 import monitoring_service_pb2 as messages
from loopline_monitoring.app.series import Agreed, Series
from loopline_monitoring.detection.sketch import Summary
from loopline_monitoring.model import Alarm, Comparison, Intention, Key, Kind, Severity, Span, Version

KINDS = {
    Kind.NUMERIC: messages.KIND_NUMERIC,
    Kind.CATEGORICAL: messages.KIND_CATEGORICAL,
    Kind.VECTOR: messages.KIND_VECTOR,
}
SEVERITIES = {
    Severity.NONE: events.SEVERITY_UNSPECIFIED,
    Severity.LOW: events.SEVERITY_LOW,
    Severity.MEDIUM: events.SEVERITY_MEDIUM,
    Severity.HIGH: events.SEVERITY_HIGH,
}


def when(at: float) -> Timestamp | None:
    """Seconds since 1970 as a timestamp; None for 0."""
    return Timestamp(seconds=int(at), nanos=int(at % 1 * 1e9)) if at else None


def seconds(at: Timestamp) -> float:
    """Back."""
    return at.seconds + at.nanos / 1e9


def alarm_of(alarm: Alarm) -> events.Alarm:
    """An alarm as it is said."""
    return events.Alarm(
        alarm_id=alarm.alarm_id,
        update=alarm.update,
        collection=alarm.collection,
        signal=alarm.signal,
        threshold=alarm.threshold,
        severity=SEVERITIES[alarm.severity],
        effect=alarm.effect,
        test=alarm.test,
        p=alarm.p,
        told=alarm.told,
        slices=[name for name in alarm.moved if name],
        causes=[
            events.Cause(what=c.what, value=c.value, before=c.before, at=when(c.at), score=c.score, told=c.told)
            for c in alarm.causes
        ],
        examples=alarm.examples,
        questions=alarm.questions,
        baseline=alarm.baseline,
        baseline_version=alarm.baseline_version,
        since=when(alarm.since),
        opened_at=when(alarm.opened_at),
        cleared_at=when(alarm.cleared_at),
        cleared_because=alarm.cleared_because,
        acknowledgement=events.Acknowledgement(by=alarm.by, reason=alarm.reason, muted_until=when(alarm.muted_until))
        if alarm.by
        else None,
    )


def summary_of(summary: Summary) -> messages.Summary:
    """Values of a time, in short."""
    return messages.Summary(
        count=summary.count,
        missing=summary.missing + summary.odd,
        mean=summary.mean,
        deviation=summary.std,
        quantiles=[summary.p05, summary.p50, summary.p95],
        top=[messages.CategoryShare(category=name, share=share) for name, share in summary.top],
    )


def window_of(span: Span) -> messages.Window:
    """A closed window."""
    window = messages.Window(
        begin=when(span.begin), end=when(span.end), summary=summary_of(span.summary), after_gap=span.after_gap
    )
    if span.verdict is not None:
        verdict = span.verdict
        window.test, window.p, window.effect = verdict.test, verdict.p, verdict.effect
        window.enough, window.told = verdict.enough, verdict.told
        if verdict.psi is not None:
            window.psi = verdict.psi
    return window


def baseline_of(series: Series) -> messages.Baseline | None:
    """What is agreed, or what is being collected when nothing is."""
    held: Agreed | None = series.collecting or series.baseline
    if held is None:
        return None
    sketch = held.sketch
    return messages.Baseline(
        name=held.name,
        version=held.version,
        count=sketch.count + sketch.missing + sketch.odd,
        wanted=held.wanted,
        set_at=when(held.set_at),
        summary=summary_of(sketch.summary()),
    )


def signal_of(key: Key, series: Series) -> messages.SignalState:
    """A signal as it stands."""
    return messages.SignalState(
        collection=key.collection,
        slice=key.slice,
        signal=key.signal,
        kind=KINDS[series.kind],
        seen=series.seen,
        missing=series.missing,
        late=series.late,
        baseline=baseline_of(series),
        last=window_of(series.last) if series.last else None,
        recent=[float("nan") if mean is None else mean for _, mean in series.recent],
        open_count=sum(one.sketch.count for one in series.windows.values()),
        alarming=series.moved,
        evidence=series.evidence(),
    )


def version_of(version: Version) -> messages.VersionSeen:
    """A version first seen."""
    return messages.VersionSeen(
        collection=version.collection,
        what=version.what,
        value=version.value,
        before=version.before,
        at=when(version.at),
        intended=version.intended,
    )


def intention_of(intention: Intention) -> messages.Intention:
    """A change that is meant."""
    return messages.Intention(
        collection=intention.collection,
        what=intention.what,
        value=intention.value,
        reason=intention.reason,
        until=when(intention.until),
        by=intention.by,
    )


def comparison_of(made: Comparison) -> messages.Comparison:
    """Before and after."""
    return messages.Comparison(
        collection=made.key.collection,
        slice=made.key.slice,
        signal=made.key.signal,
        version=version_of(made.version),
        before=summary_of(made.before),
        after=summary_of(made.after),
        test=made.verdict.test,
        p=made.verdict.p,
        effect=made.verdict.effect,
        told=made.verdict.told,
        at=when(made.at),
    )

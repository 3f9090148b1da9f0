"""What the monitor remembers (`GetHistory`) as a page."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from loopline.monitoring.v1 import events_pb2 as events
from loopline.monitoring.v1 import monitoring_service_pb2 as messages
from loopline_monitoring.detection import Kind, Severity, Sketch
from loopline_monitoring.report.picture import Mark, Page, Point, Signal, Span, Spot, bars_of_sketches, map_of

QUESTIONS: Final = "question.embedding"
_SEVERITIES: Final = {
    events.SEVERITY_LOW: Severity.LOW,
    events.SEVERITY_MEDIUM: Severity.MEDIUM,
    events.SEVERITY_HIGH: Severity.HIGH,
}
_KINDS: Final = {
    messages.KIND_NUMERIC: Kind.NUMERIC,
    messages.KIND_CATEGORICAL: Kind.CATEGORICAL,
    messages.KIND_VECTOR: Kind.VECTOR,
}


def page_of(parts: Iterable[messages.GetHistoryResponse], title: str) -> Page:
    """All signals with their windows, alarms and versions; the map shows questions of the baseline and of the last windows."""
    histories: list[messages.SignalHistory] = []
    alarms: list[events.Alarm] = []
    versions: list[messages.VersionSeen] = []
    for part in parts:
        match part.WhichOneof("part"):
            case "signal":
                histories.append(part.signal)
            case "alarm":
                alarms.append(part.alarm)
            case "version":
                versions.append(part.version)
    signals = [_signal(one, alarms, versions) for one in histories]
    spots = next((made for one in histories if one.signal == QUESTIONS and not one.slice and (made := _map(one))), ())
    opened = sum(not alarm.HasField("cleared_at") for alarm in alarms)
    told = f"{len(signals)} signals, {opened} alarms open, {len(alarms) - opened} over, {len(versions)} versions first seen"
    about = (
        "Questions on the two axes along which they vary most: those agreed as normal, and those of the last windows."
    )
    return Page(title, told, tuple(signals), spots, about)


def _signal(
    one: messages.SignalHistory, alarms: Sequence[events.Alarm], versions: Sequence[messages.VersionSeen]
) -> Signal:
    ours = [
        alarm
        for alarm in alarms
        if (alarm.collection, alarm.signal) == (one.collection, one.signal)
        and (not one.slice or one.slice in alarm.slices)
    ]
    current = [alarm for alarm in ours if not alarm.HasField("cleared_at")]
    last = one.windows[-1] if one.windows else messages.Window()
    told = current[-1].told if current else last.told or f"{one.baseline.count} values seen, no window closed since"
    baseline = Sketch.from_bytes(one.baseline_sketch) if one.baseline_sketch else None
    points, band = _points(one, baseline)
    latest = _latest(one, 1)
    return Signal(
        " ".join(filter(None, (one.collection, one.signal, one.slice))),
        _KINDS.get(one.kind, Kind.NUMERIC),
        told,
        _severity(current[-1]) if current else Severity.NONE,
        changed=bool(current),
        enough=bool(current) or last.enough or not one.windows,
        effect=current[-1].effect if current else last.effect,
        p=last.p if one.windows else 1.0,
        psi=last.psi if last.HasField("psi") else None,
        band=band,
        points=points,
        spans=tuple(
            Span(
                _at(alarm.since),
                _at(alarm.cleared_at) if alarm.HasField("cleared_at") else None,
                _severity(alarm),
                alarm.told,
            )
            for alarm in ours
        ),
        marks=tuple(
            Mark(
                _at(seen.at),
                f"{seen.what} {seen.before or '-'} -> {seen.value}" + (" (meant)" if seen.intended else ""),
            )
            for seen in versions
            if seen.collection in {"", one.collection}
        ),
        shares=bars_of_sketches(baseline, latest) if baseline and latest else None,
        examples=tuple(
            dict.fromkeys([*(q for a in current for q in a.questions), *(e for a in current for e in a.examples)])
        )[:8],
        causes=tuple(f"{cause.score:.0%} {cause.told}" for alarm in current[-1:] for cause in alarm.causes),
    )


def _severity(alarm: events.Alarm) -> Severity:
    return _SEVERITIES.get(alarm.severity, Severity.LOW)


def _at(stamp: Timestamp) -> float:
    return float(stamp.ToNanoseconds()) / 1e9


def _latest(one: messages.SignalHistory, windows: int) -> Sketch | None:
    """The last windows that are kept whole, as one."""
    kept = [data for data in one.sketches if data][-windows:]
    if not kept:
        return None
    made = Sketch.from_bytes(kept[0])
    for data in kept[1:]:
        made = made.merge(Sketch.from_bytes(data))
    return made


def _points(
    one: messages.SignalHistory, baseline: Sketch | None
) -> tuple[tuple[Point, ...], tuple[float, float, float] | None]:
    """Numbers by their quantiles; rates and the most frequent name by their share; vectors by how far they moved."""
    sizes = [window.summary.count for window in one.windows] or [1]
    usual = max(1.0, float(np.median(sizes)))
    rate = one.kind == messages.KIND_NUMERIC and baseline is not None and set(baseline.sample().tolist()) <= {0.0, 1.0}
    if one.kind == messages.KIND_VECTOR:
        return tuple(_point(window, window.effect) for window in one.windows), (0.0, 0.0, 0.2)
    if one.kind == messages.KIND_CATEGORICAL:
        top = one.baseline.summary.top[0] if one.baseline.summary.top else messages.CategoryShare()
        shares = [
            next((held.share for held in window.summary.top if held.category == top.category), 0.0)
            for window in one.windows
        ]
        return tuple(map(_point, one.windows, shares)), _around(top.share, usual)
    if rate:
        return tuple(_point(window, window.summary.mean) for window in one.windows), _around(
            one.baseline.summary.mean, usual
        )
    points = []
    for window in one.windows:
        low, middle, high = window.summary.quantiles or (0.0, 0.0, 0.0)
        points.append(Point(_at(window.begin), _at(window.end), middle, low, high, window.told, window.after_gap))
    quantiles = tuple(one.baseline.summary.quantiles)
    return tuple(points), (quantiles[0], quantiles[1], quantiles[2]) if len(quantiles) == 3 else None


def _point(window: messages.Window, value: float) -> Point:
    return Point(_at(window.begin), _at(window.end), value, value, value, window.told, window.after_gap)


def _around(share: float, count: float) -> tuple[float, float, float]:
    """Where a share of so many values usually lies."""
    wide = 2 * math.sqrt(share * (1 - share) / count) if 0 <= share <= 1 else 0.0
    return max(0.0, share - wide), share, min(1.0, share + wide)


def _map(one: messages.SignalHistory) -> tuple[Spot, ...]:
    latest = _latest(one, 5)
    if not one.baseline_sketch or latest is None:
        return ()
    (before, asked), (after, asked_since) = Sketch.from_bytes(one.baseline_sketch).vectors(), latest.vectors()
    return map_of(before, after, [*asked, *asked_since])

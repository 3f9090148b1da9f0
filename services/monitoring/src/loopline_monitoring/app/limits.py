"""Plain thresholds, beside the tests: a window's statistic is above or below what the operator set."""

from collections.abc import Iterator, Sequence

import msgpack

from loopline_monitoring.app.alarms import Finding
from loopline_monitoring.app.series import Closed
from loopline_monitoring.detection.sketch import Summary
from loopline_monitoring.model import Key, Severity, Statistic, Threshold


class Limits:
    """Which limits are crossed by which series."""

    def __init__(self, thresholds: Sequence[Threshold]) -> None:
        self._thresholds = thresholds
        # (series, limit) -> windows in a row that kept it, since it was crossed.
        self._crossed: dict[tuple[str, str], int] = {}
        self._changed = False

    def crossed(self, key: Key, closed: Closed, calm_windows: int) -> Iterator[tuple[str, Finding | None]]:
        """The limits this window crosses, each with what was found; None for one that is kept again for long enough."""
        for threshold in self._thresholds:
            if threshold.signal != key.signal or threshold.collection not in ("", key.collection):
                continue
            name, place = threshold.told, (key.id, threshold.told)
            value = _value(closed.span.summary, threshold.statistic)
            if _beyond(value, threshold):
                self._crossed[place] = 0
                self._changed = True
                yield name, _finding(key, threshold, value, closed)
            elif place in self._crossed:
                self._crossed[place] += 1
                self._changed = True
                if self._crossed[place] >= calm_windows:
                    del self._crossed[place]
                    yield name, None

    def changes(self) -> dict[tuple[str, str], bytes | None]:
        """What is to be kept since this was asked last."""
        if not self._changed:
            return {}
        self._changed = False
        return {("limits", ""): msgpack.packb([[*place, calm] for place, calm in self._crossed.items()])}

    def restore(self, data: bytes) -> None:
        """Back."""
        self._crossed = {(key, name): calm for key, name, calm in msgpack.unpackb(data)}


def _value(summary: Summary, statistic: Statistic) -> float:
    seen = summary.count + summary.missing + summary.odd
    match statistic:
        case Statistic.MEAN:
            return summary.mean
        case Statistic.P05:
            return summary.p05
        case Statistic.P50:
            return summary.p50
        case Statistic.P95:
            return summary.p95
        case Statistic.MISSING:
            return (summary.missing + summary.odd) / max(1, seen)


def _beyond(value: float, threshold: Threshold) -> bool:
    too_high = threshold.above is not None and value > threshold.above
    return too_high or (threshold.below is not None and value < threshold.below)


def _finding(key: Key, threshold: Threshold, value: float, closed: Closed) -> Finding:
    told = f"{threshold.statistic} is {value:.4g}; the limit is {threshold.told.partition(' ')[2]}"
    return Finding(
        key,
        threshold.told,
        "threshold",
        0.0,
        0.0,
        Severity.HIGH,
        told,
        closed.span.begin,
        closed.span.end,
        "",
        0,
        closed.sketch.examples(),
    )

"""One series of values: the windows that are open, what was agreed as normal, and the test that looks at every value."""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgpack
import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.app.plain import SPAN
from loopline_monitoring.detection.effects import Severity
from loopline_monitoring.detection.kinds import Flaw, Kind, Value, clean
from loopline_monitoring.detection.numbers import Ruler
from loopline_monitoring.detection.promise import Promise
from loopline_monitoring.detection.sequential import Sequential
from loopline_monitoring.detection.sketch import Sketch
from loopline_monitoring.detection.windows import Verdict, compare
from loopline_monitoring.model import WEEK_S, Frame, Span

SHOWN = 40
# A window's p above this looks like the baseline.
CALM_P = 0.01
# A window is taken to last at least so long, or a burst could spend the whole budget.
SHORTEST_S = 1.0
# Evidence is held at so many times what is an alarm.
CEILING = 100.0


@dataclass(slots=True)
class Agreed:
    """What is normal: `wanted` values under a name; being collected until they are there."""

    name: str
    version: int
    wanted: int
    set_at: float
    sketch: Sketch
    # Which version that was meant began it, as what=value; "" else.
    because: str = ""

    def to_bytes(self) -> bytes:
        """All of it."""
        told = [self.name, self.version, self.wanted, self.set_at, self.because, self.sketch.to_bytes()]
        packed: bytes = msgpack.packb(told)
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> "Agreed":
        """Back, to the last digit."""
        name, version, wanted, set_at, because, sketch = msgpack.unpackb(data)
        return cls(name, version, wanted, set_at, Sketch.from_bytes(sketch), because)


@dataclass(frozen=True, slots=True)
class Closed:
    """A window that just closed, with its values."""

    span: Span
    sketch: Sketch
    # p at or below this is an alarm.
    level: float

    @property
    def alarming(self) -> bool:
        """Whether the promise allows to call it drift, and it is worth calling so."""
        verdict = self.span.verdict
        return (
            verdict is not None and verdict.enough and verdict.p <= self.level and verdict.severity is not Severity.NONE
        )

    @property
    def calm(self) -> bool:
        """Whether it looks like the baseline."""
        verdict = self.span.verdict
        return verdict is not None and verdict.enough and (verdict.p > CALM_P or verdict.severity is Severity.NONE)


@dataclass(slots=True)
class Open:
    """A window that takes values."""

    sketch: Sketch
    after_gap: bool = False


class Trace:
    """(end, mean or share of the commonest name; None: a gap) of the last closed windows, in few bytes."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = array("d")

    def append(self, end: float, shown: float | None) -> None:
        """One more; the oldest goes."""
        self._held.extend((end, math.nan if shown is None else shown))
        del self._held[: -2 * SHOWN]

    def __iter__(self) -> Iterator[tuple[float, float | None]]:
        for end, shown in zip(self._held[::2], self._held[1::2], strict=True):
            yield end, None if math.isnan(shown) else shown

    def to_bytes(self) -> bytes:
        """All of it."""
        return self._held.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Trace":
        """Back."""
        made = cls()
        made._held = array("d", data)
        return made


@dataclass(slots=True)
class Series:
    """All of one key."""

    kind: Kind
    seen: int = 0
    missing: int = 0
    late: int = 0
    last_at: float = 0.0
    baseline: Agreed | None = None
    collecting: Agreed | None = None
    sequential: Sequential | None = None
    # By the time a window begins (windows by time), or one at 0 (by count).
    windows: dict[float, Open] = field(default_factory=dict)
    # The last closed window, packed: nobody looks at most of them.
    closed: bytes = b""
    ended: float = 0.0
    recent: Trace = field(default_factory=lambda: Trace())
    moved: bool = False
    calm: int = 0
    # The last window's ruler, so that windows merge without loss.
    ruler: Ruler | None = None

    def add(
        self, value: Value, at: float, told_at: float, about: str, frame: Frame, promise: Promise, keys: int
    ) -> Iterator[Closed]:
        """One more value; the windows that were over before it. `keys`: how many series share the promise. `settled` comes next."""
        self.seen += 1
        gap = self.gap(at, frame)
        if gap:
            yield from self.finish(promise, keys)
            self.recent.append(at, None)
        if frame.by == "time":
            yield from self.pass_time(told_at, frame, promise, keys)
        window = self._window(at, told_at, frame, gap)
        if window is None:
            self.late += 1
            return
        held = clean(self.kind, value, window.rows.width)
        before = window.count
        window.hold(held, at, about)
        self.missing += window.count == before
        self.last_at = max(self.last_at, at)
        if self.collecting is not None:
            self.collecting.sketch.hold(held, at, about)
        elif self.sequential is not None:
            self.sequential.hold(held, self.last_at, about, CEILING / promise.level_sequential(keys))

    def settled(self, at: float, frame: Frame, promise: Promise, keys: int) -> Iterator[Closed]:
        """After a value, or several that fill a window at most: the window by count that is full; a baseline that is collected is agreed."""
        if frame.by == "count" and self.windows and self.room(frame) <= 0:
            yield self._close(0.0, promise, keys)
        if self.collecting is not None and self.collecting.sketch.seen >= self.collecting.wanted:
            yield from self.finish(promise, keys)
            self.agree(self.collecting.name, self.collecting.sketch, at, self.collecting.because)

    def gap(self, at: float, frame: Frame) -> bool:
        """Whether a silence ends at this time."""
        return at - self.last_at > frame.gap_s and self.last_at > 0

    def steady(self, frame: Frame) -> bool:
        """Whether all that a value can do here is to be bet on and to fill a window by count."""
        test = self.sequential
        counted = frame.by == "count" and self.kind is not Kind.VECTOR and self.collecting is None
        return counted and not self.moved and test is not None and test.enough and test.seen > 0

    def room(self, frame: Frame) -> int:
        """How many more values close the window by count."""
        return math.ceil(frame.size) - (self.windows[0.0].sketch.seen if self.windows else 0)

    def extend(
        self, values: NDArray[np.float32] | list[str], ats: list[float], abouts: list[str], frame: Frame
    ) -> None:
        """Values of a steady series that were bet on, and at most fill its window."""
        if ats and (window := self._window(ats[0], ats[0], frame, gap=False)) is not None:
            window.extend(values, ats, abouts)
            self.seen += len(ats)
            self.last_at = max(self.last_at, *ats)

    def pass_time(self, now: float, frame: Frame, promise: Promise, keys: int) -> Iterator[Closed]:
        """Windows by time whose time is over; by count: the one in which nothing came for as long as a gap."""
        for begin in sorted(self.windows):
            by_time = frame.by == "time"
            ends = begin + frame.size + frame.lateness_s if by_time else self.last_at + frame.gap_s
            if now >= ends:
                yield self._close(begin, promise, keys)

    def collect(self, name: str, wanted: int, at: float, because: str = "") -> None:
        """The next so many values become the baseline; until then nothing is tested."""
        version = self.baseline.version if self.baseline else 0
        self.collecting = Agreed(name, version + 1, wanted, at, Sketch.empty(self.kind), because)
        self.sequential = None

    def agree(self, name: str, sketch: Sketch, at: float, because: str = "") -> None:
        """These values are the baseline from now on."""
        version = self.baseline.version if self.baseline else 0
        self.baseline = Agreed(name, version + 1, sketch.count, at, sketch.seal(), because)
        self.collecting, self.moved, self.calm = None, False, 0
        self.sequential = Sequential.against(sketch)

    def finish(self, promise: Promise, keys: int) -> Iterator[Closed]:
        """Closes all windows, whatever is in them."""
        for begin in sorted(self.windows):
            yield self._close(begin, promise, keys)

    @property
    def last(self) -> Span | None:
        """The last closed window."""
        return SPAN.unpack(self.closed) if self.closed else None

    def evidence(self) -> float:
        """Of the sequential test, in weeks; 0 without one."""
        return self.sequential.evalue if self.sequential else 0.0

    def _window(self, at: float, told_at: float, frame: Frame, gap: bool) -> Sketch | None:
        begin = at - at % frame.size if frame.by == "time" else 0.0
        if begin not in self.windows:
            if frame.by == "time" and told_at >= begin + frame.size + frame.lateness_s:
                return None
            self.windows[begin] = Open(Sketch.empty(self.kind, self.ruler), gap)
        return self.windows[begin].sketch

    def _close(self, begin: float, promise: Promise, keys: int) -> Closed:
        window = self.windows.pop(begin)
        sketch = window.sketch
        self.ruler = sketch.ruler
        verdict: Verdict | None = None
        if self.baseline is not None and self.collecting is None:
            verdict = compare(self.baseline.sketch, sketch, self.sequential.bins if self.sequential else None)
        # A window may cost as much of the promise as it lasts.
        since = self.ended if self.closed and not window.after_gap else sketch.first
        lasted = max(SHORTEST_S, sketch.last - min(since, sketch.first))
        span = Span(sketch.first, sketch.last, sketch.summary(), verdict, window.after_gap)
        self.closed, self.ended = SPAN.pack(span), span.end
        self.recent.append(sketch.last, _shown(sketch))
        closed = Closed(span, sketch, promise.level_window(keys, WEEK_S / lasted))
        if closed.alarming:
            self.calm = 0
        elif closed.calm:
            self.calm += 1
        return closed

    def to_bytes(self) -> bytes:
        """All but the baseline."""
        counts = [self.kind.value, self.seen, self.missing, self.late, self.last_at, self.moved, self.calm]
        windows = [[begin, one.sketch.to_bytes(), one.after_gap] for begin, one in self.windows.items()]
        sequential = self.sequential.to_bytes() if self.sequential else None
        collecting = self.collecting.to_bytes() if self.collecting else None
        packed: bytes = msgpack.packb(
            [2, counts, windows, sequential, collecting, self.closed, self.ended, self.recent.to_bytes(), self.ruler]
        )
        return packed

    @classmethod
    def from_bytes(cls, data: bytes, baseline: bytes | None) -> "Series":
        """Back, to the last digit."""
        _, counts, windows, sequential, collecting, closed, ended, recent, ruler = msgpack.unpackb(data)
        kind, seen, missing, late, last_at, moved, calm = counts
        made = cls(Kind(kind), seen, missing, late, last_at, moved=moved, calm=calm)
        made.windows = {begin: Open(Sketch.from_bytes(sketch), gap) for begin, sketch, gap in windows}
        made.sequential = Sequential.from_bytes(sequential) if sequential else None
        made.collecting = Agreed.from_bytes(collecting) if collecting else None
        made.baseline = Agreed.from_bytes(baseline) if baseline else None
        made.ruler = None if ruler is None else (ruler[0], ruler[1])
        made.closed, made.ended = closed, ended
        made.recent = Trace.from_bytes(recent)
        return made


def _shown(sketch: Sketch) -> float:
    """What a line of small bars shows of a window: the mean, or the share of the commonest name."""
    if sketch.kind is Kind.NUMERIC:
        return sketch.numbers.mean
    top = sketch.summary().top
    return top[0][1] if top else 0.0


def kind_of(value: Value) -> Kind | None:
    """What a series of such values is; None while there is none."""
    for kind in (Kind.NUMERIC, Kind.VECTOR, Kind.CATEGORICAL):
        if not isinstance(clean(kind, value), Flaw):
            return kind
    return None

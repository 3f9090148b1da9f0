"""One series of values: the windows that are open, what was agreed as normal, and the test that looks at every value."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgpack

from loopline_monitoring.app.plain import SPAN
from loopline_monitoring.detection.effects import Severity
from loopline_monitoring.detection.kinds import Kind, Value
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
    last: Span | None = None
    # (end, mean or missing share; None: a gap) of the last closed windows.
    recent: deque[tuple[float, float | None]] = field(default_factory=lambda: deque(maxlen=SHOWN))
    moved: bool = False
    calm: int = 0
    # An empty sketch made like the last window's, so that windows merge without loss.
    like: Sketch | None = None

    def add(
        self, value: Value, at: float, told_at: float, about: str, frame: Frame, promise: Promise, keys: int
    ) -> Iterator[Closed]:
        """One more value; the windows it closes. `keys`: how many series share the promise."""
        self.seen += 1
        if at - self.last_at > frame.gap_s and self.last_at:
            yield from self.finish(promise, keys)
            self.recent.append((at, None))
            gap = True
        else:
            gap = False
        if frame.by == "time":
            yield from self.pass_time(told_at, frame, promise, keys)
        window = self._window(at, told_at, frame, gap)
        if window is None:
            self.late += 1
            return
        before = window.count
        window.add(value, at, about)
        self.missing += window.count == before
        self.last_at = max(self.last_at, at)
        if frame.by == "count" and _seen(window) >= frame.size:
            yield self._close(0.0, promise, keys)
        if self.collecting is not None:
            self.collecting.sketch.add(value, at, about)
            if _seen(self.collecting.sketch) >= self.collecting.wanted:
                yield from self.finish(promise, keys)
                self.agree(self.collecting.name, self.collecting.sketch, at, self.collecting.because)
        elif self.sequential is not None:
            self.sequential.add(value, max(at, self.last_at), about, ceiling=100 / promise.level_sequential(keys))

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
        self.baseline = Agreed(name, version + 1, sketch.count, at, sketch, because)
        self.collecting, self.moved, self.calm = None, False, 0
        self.sequential = Sequential.against(sketch)

    def finish(self, promise: Promise, keys: int) -> Iterator[Closed]:
        """Closes all windows, whatever is in them."""
        for begin in sorted(self.windows):
            yield self._close(begin, promise, keys)

    def evidence(self) -> float:
        """Of the sequential test, in weeks; 0 without one."""
        return self.sequential.evalue if self.sequential else 0.0

    def _window(self, at: float, told_at: float, frame: Frame, gap: bool) -> Sketch | None:
        begin = at - at % frame.size if frame.by == "time" else 0.0
        if begin not in self.windows:
            if frame.by == "time" and told_at >= begin + frame.size + frame.lateness_s:
                return None
            self.windows[begin] = Open(Sketch.empty(self.kind, like=self.like), gap)
        return self.windows[begin].sketch

    def _close(self, begin: float, promise: Promise, keys: int) -> Closed:
        window = self.windows.pop(begin)
        sketch = window.sketch
        self.like = Sketch.empty(self.kind, like=sketch)
        verdict: Verdict | None = None
        if self.baseline is not None and self.collecting is None:
            verdict = compare(self.baseline.sketch, sketch)
        # A window may cost as much of the promise as it lasts.
        since = self.last.end if self.last and not window.after_gap else sketch.first
        lasted = max(SHORTEST_S, sketch.last - min(since, sketch.first))
        self.last = Span(sketch.first, sketch.last, sketch.summary(), verdict, window.after_gap)
        self.recent.append((sketch.last, _shown(sketch)))
        closed = Closed(self.last, sketch, promise.level_window(keys, WEEK_S / lasted))
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
        like = self.like.to_bytes() if self.like else None
        packed: bytes = msgpack.packb(
            [1, counts, windows, sequential, collecting, SPAN.plain(self.last), list(self.recent), like]
        )
        return packed

    @classmethod
    def from_bytes(cls, data: bytes, baseline: bytes | None) -> "Series":
        """Back, to the last digit."""
        _, counts, windows, sequential, collecting, last, recent, like = msgpack.unpackb(data)
        kind, seen, missing, late, last_at, moved, calm = counts
        made = cls(Kind(kind), seen, missing, late, last_at, moved=moved, calm=calm)
        made.windows = {begin: Open(Sketch.from_bytes(sketch), gap) for begin, sketch, gap in windows}
        made.sequential = Sequential.from_bytes(sequential) if sequential else None
        made.collecting = Agreed.from_bytes(collecting) if collecting else None
        made.baseline = Agreed.from_bytes(baseline) if baseline else None
        made.like = Sketch.from_bytes(like) if like else None
        made.last = SPAN.of_plain(last)
        made.recent.extend((end, mean) for end, mean in recent)
        return made


def _seen(sketch: Sketch) -> int:
    return sketch.count + sketch.missing + sketch.odd


def _shown(sketch: Sketch) -> float:
    """What a line of small bars shows of a window: the mean, or the share of the commonest name."""
    if sketch.kind is Kind.NUMERIC:
        return sketch.mean
    top = sketch.summary().top
    return top[0][1] if top else 0.0

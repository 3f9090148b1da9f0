"""What is kept of a stream of values: a fixed number of bytes, whatever its length.

An even sample of the values (a reservoir, Vitter 1985, whose draws come from the number of values and nothing else, so that the same stream
gives the same sketch on every machine and after every restart), exact moments, the frequent names, and how much values hang together.
"""

import math
import sys
import zlib
from array import array
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection.correlation import Blocks
from loopline_monitoring.detection.frequent import NO_NAMES, Frequent
from loopline_monitoring.detection.kinds import Flaw, Kind, Value, Vector, clean
from loopline_monitoring.detection.vectors import NO_ROWS, Rows, directions

# Numbers sampled; their shares are known to within 3 %.
SAMPLE: Final = 320
EXAMPLES: Final = 8
_RULER: Final = 32
_LARGEST: Final = float(np.finfo(np.float32).max)
_SINGLE: Final = Struct("f")
_ALL: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Summary:
    """A sketch in a few numbers; 0.0 where there is nothing to say."""

    count: int
    missing: int
    odd: int
    mean: float
    std: float
    low: float
    high: float
    p05: float
    p50: float
    p95: float
    top: tuple[tuple[str, float], ...]


def single(number: float) -> float:
    """A number at the seven digits the sketches keep, so that equal stays equal."""
    if not -_LARGEST <= number <= _LARGEST:
        return _LARGEST if number > 0 else -_LARGEST
    # Four bytes and back: half the time of numpy's scalar.
    (held,) = _SINGLE.unpack(_SINGLE.pack(number))
    return float(held)


def draw(number: int) -> int:
    """An even 64-bit draw that depends on `number` alone (splitmix64)."""
    mixed = (number * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & _ALL
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _ALL
    return mixed ^ (mixed >> 31)


class Sketch:
    """One signal over one window, or over a baseline."""

    __slots__ = (
        "abouts",
        "blocks",
        "count",
        "first",
        "high",
        "kind",
        "last",
        "latest",
        "low",
        "mean",
        "missing",
        "names",
        "numbers",
        "odd",
        "rows",
        "ruler",
        "spread",
    )

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.count = self.missing = self.odd = 0
        self.first = self.last = 0.0
        # Mean and sum of squared differences from it (Welford).
        self.mean = self.spread = 0.0
        # By what large and small numbers are told apart, so that blocks can be compared: centre and variance of the first ones, tails drawn in.
        self.ruler: tuple[float, float] | None = None
        # The name before this one.
        self.latest = ""
        self.low, self.high = math.inf, -math.inf
        self.numbers = array("f")
        self.names = Frequent() if kind is Kind.CATEGORICAL else NO_NAMES
        self.rows = Rows() if kind is Kind.VECTOR else NO_ROWS
        self.blocks = Blocks()
        self.abouts: list[str] = []

    @classmethod
    def empty(cls, kind: Kind, like: "Sketch | None" = None) -> "Sketch":
        """A sketch of nothing yet; `like` the one before it, it merges with that without loss."""
        made = cls(kind)
        made.ruler = like.ruler if like is not None else None
        return made

    def add(self, value: Value, at: float, about: str = "") -> None:
        """One more value; what is none counts as missing or odd."""
        held = clean(self.kind, value, self.rows.width)
        seen = self.count + self.missing + self.odd
        if not seen:
            self.first = self.last = at
        elif at > self.last:
            self.last = at
        elif at < self.first:
            self.first = at
        if isinstance(held, Flaw):
            if held is Flaw.MISSING:
                self.missing += 1
            else:
                self.odd += 1
            return
        self.count += 1
        place = draw(self.count) % self.count
        if isinstance(held, float):
            self._number(single(held), place)
        elif isinstance(held, str):
            self.names.add(held)
            code = zlib.crc32(held.encode(errors="replace"))
            self.blocks.add((code & 0xFFFF) / 0xFFFF, (code >> 16) / 0xFFFF, float(held == self.latest))
            self.latest = held
        else:
            self.rows.put(held, place, about)
            along = directions(held.size) @ held
            self.blocks.add(float(along[0]), float(along[1]), float(along[2]))
            return
        if not about:
            return
        if len(self.abouts) < EXAMPLES:
            self.abouts.append(about)
        elif place < EXAMPLES:
            self.abouts[place] = about

    def _number(self, number: float, place: int) -> None:
        if len(self.numbers) < SAMPLE:
            self.numbers.append(number)
        elif place < SAMPLE:
            self.numbers[place] = number
        before = number - self.mean
        self.mean += before / self.count
        self.spread += before * (number - self.mean)
        if number < self.low:
            self.low = number
        if number > self.high:
            self.high = number
        if self.ruler is not None:
            self._follow(number)
        elif self.count == _RULER:
            first = [math.asinh(value) for value in self.numbers]
            centre = sum(first) / _RULER
            self.ruler = centre, sum((value - centre) ** 2 for value in first) / _RULER
            for value in self.numbers:
                self._follow(value)

    def _follow(self, number: float) -> None:
        """How much numbers hang together: their size with the tails drawn in, how far out they lie to either side, and to any."""
        centre, square = self.ruler or (0.0, 0.0)
        drawn = math.asinh(number) - centre
        far = float(drawn * drawn > square)
        self.blocks.add(drawn, far if drawn > 0.0 else -far, far)

    def sample(self) -> NDArray[np.float64]:
        """The numbers sampled, [n <= 320], in no order that matters."""
        return np.frombuffer(self.numbers, dtype=np.float32).astype(np.float64)

    def vectors(self) -> tuple[Vector, tuple[str, ...]]:
        """The vectors sampled, [n, width], of length about 1, and the ids they came with."""
        return self.rows.matrix(), tuple(self.rows.abouts)

    def examples(self) -> tuple[str, ...]:
        """Some of the ids the values came with."""
        return tuple(self.abouts) if self.kind is not Kind.VECTOR else tuple(self.rows.abouts[:EXAMPLES])

    @property
    def two_valued(self) -> bool:
        """Whether all numbers are the lowest or the highest, as rates are: then their mean says exactly how often each came."""
        return self.low < self.high and set(self.numbers) <= {self.low, self.high}

    def sampled(self, whole: bool = False) -> float:
        """On how many values what is known of the order, or the subjects, rests; a third of the vectors serves to find centres."""
        if self.kind is Kind.VECTOR:
            return float(len(self.rows) if whole else len(self.rows) * 2 // 3)
        return float(len(self.numbers) if self.kind is Kind.NUMERIC and not self.two_valued else self.count)

    def summary(self) -> Summary:
        """The sketch in a few numbers."""
        total = max(1, self.count)
        top = tuple((name, seen / total) for name, seen in list(self.names.surely().items())[:10])
        if self.kind is not Kind.NUMERIC or not self.count:
            return Summary(self.count, self.missing, self.odd, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, top)
        p05, p50, p95 = (float(value) for value in np.quantile(self.sample(), (0.05, 0.5, 0.95)))
        std = math.sqrt(max(0.0, self.spread) / self.count)
        return Summary(self.count, self.missing, self.odd, self.mean, std, self.low, self.high, p05, p50, p95, top)

    def merge(self, later: "Sketch") -> "Sketch":
        """Both streams, this one first; neither is changed."""
        made = Sketch(self.kind)
        made.count = self.count + later.count
        made.missing, made.odd = self.missing + later.missing, self.odd + later.odd
        held = [sketch for sketch in (self, later) if sketch.count + sketch.missing + sketch.odd]
        made.first = min((sketch.first for sketch in held), default=0.0)
        made.last = max((sketch.last for sketch in held), default=0.0)
        share = later.count / made.count if made.count else 0.0
        apart = later.mean - self.mean
        made.mean = self.mean + apart * share
        made.spread = self.spread + later.spread + apart * apart * self.count * share
        made.low, made.high = min(self.low, later.low), max(self.high, later.high)
        mine, theirs = thinned((self.count, len(self.numbers)), (later.count, len(later.numbers)), SAMPLE)
        made.numbers = array("f", [self.numbers[i] for i in mine] + [later.numbers[i] for i in theirs])
        mine, theirs = thinned((self.count, len(self.abouts)), (later.count, len(later.abouts)), EXAMPLES)
        made.abouts = [self.abouts[i] for i in mine] + [later.abouts[i] for i in theirs]
        if self.kind is Kind.CATEGORICAL:
            made.names = self.names.merged(later.names)
        mine, theirs = thinned((self.count, len(self.rows)), (later.count, len(later.rows)), Rows.PLACES)
        if self.kind is Kind.VECTOR:
            made.rows = self.rows.joined(mine, later.rows, theirs)
        made.ruler, made.latest = self.ruler or later.ruler, later.latest or self.latest
        if self.kind is Kind.NUMERIC and self.ruler is not None and later.ruler is None:
            made.blocks = self.blocks.merged(Blocks())
            for number in later.numbers:
                made._follow(number)
        elif self.ruler is None or later.ruler is None or self.ruler == later.ruler:
            made.blocks = self.blocks.merged(later.blocks)
        else:
            made.blocks = self.blocks.merged(later.blocks.shifted(later.ruler[0] - self.ruler[0])).first_alone()
        return made

    def to_bytes(self) -> bytes:
        """All of it."""
        plain = [getattr(self, name) for name in _PLAIN]
        names = self.names.to_plain() if self.names is not NO_NAMES else None
        rows = self.rows.to_plain() if self.rows is not NO_ROWS else None
        parts = [self.numbers.tobytes(), names, rows, self.blocks.to_plain()]
        packed: bytes = msgpack.packb([1, self.kind.value, plain, *parts, self.abouts])
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> "Sketch":
        """What `to_bytes` gave, to the last digit."""
        _, kind, plain, numbers, names, rows, blocks, abouts = msgpack.unpackb(data)
        made = cls(Kind(kind))
        for name, value in zip(_PLAIN, plain, strict=True):
            setattr(made, name, value)
        made.numbers = array("f", numbers)
        if made.kind is Kind.CATEGORICAL:
            made.names = Frequent.from_plain(names)
        if made.kind is Kind.VECTOR:
            made.rows = Rows.from_plain(rows)
        made.blocks = Blocks.from_plain(blocks)
        made.ruler = None if made.ruler is None else (made.ruler[0], made.ruler[1])
        # Many signals hold the ids of the same answers: one copy of each serves all.
        made.abouts = [sys.intern(about) for about in abouts]
        return made


_PLAIN: Final = ("count", "missing", "odd", "first", "last", "mean", "spread", "low", "high", "ruler", "latest")


def thinned(mine: tuple[int, int], theirs: tuple[int, int], places: int) -> tuple[list[int], list[int]]:
    """Which places of two samples make one even sample of both streams.

    Each pair is (length of the stream, places of its sample that are taken).
    """
    (count, held), (count_later, held_later) = mine, theirs
    if held + held_later <= places:
        return list(range(held)), list(range(held_later))
    keep = min(held, round(places * count / max(1, count + count_later)))
    keep_later = min(held_later, places - keep)
    return _some(held, keep, count), _some(held_later, keep_later, count_later)


def _some(held: int, keep: int, count: int) -> list[int]:
    order: list[Any] = sorted(range(held), key=lambda place: draw(count + place * 0x10001))
    return sorted(order[:keep])

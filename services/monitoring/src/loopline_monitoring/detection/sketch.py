"""What is kept of a stream of values: a fixed number of bytes, whatever its length.

An even sample of the values (a reservoir, Vitter 1985, whose draws come from the number of values and nothing else, so that the same stream
gives the same sketch on every machine and after every restart), exact moments, the frequent names, and how much values hang together.
"""

import math
import sys
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection.correlation import Blocks
from loopline_monitoring.detection.draws import chosen, draw, replaced
from loopline_monitoring.detection.effects import quantile
from loopline_monitoring.detection.frequent import NO_NAMES, Frequent
from loopline_monitoring.detection.kinds import Flaw, Held, Kind, Value, clean
from loopline_monitoring.detection.numbers import SAMPLE, Numbers, Ruler
from loopline_monitoring.detection.vectors import NO_ROWS, Rows, Turned, Vector

EXAMPLES: Final = 8
_NAMES_KEPT: Final = 4096


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


@lru_cache(_NAMES_KEPT)
def _followed(name: str) -> tuple[float, float]:
    """Two numbers that a name is followed by."""
    code = zlib.crc32(name.encode(errors="replace"))
    return (code & 0xFFFF) / 0xFFFF, (code >> 16) / 0xFFFF


class Sketch:
    """One signal over one window, or over a baseline."""

    __slots__ = (
        "_blocks",
        "_numbers",
        "abouts",
        "count",
        "first",
        "kind",
        "last",
        "latest",
        "missing",
        "names",
        "odd",
        "rows",
    )

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.count = self.missing = self.odd = 0
        self.first = self.last = 0.0
        # The name before this one.
        self.latest = ""
        self._blocks = Blocks()
        self._numbers = Numbers(self._blocks) if kind is Kind.NUMERIC else NO_NUMBERS
        self.names = Frequent() if kind is Kind.CATEGORICAL else NO_NAMES
        self.rows = Rows() if kind is Kind.VECTOR else NO_ROWS
        self.abouts: list[str] = []

    @classmethod
    def empty(cls, kind: Kind, ruler: Ruler | None = None) -> "Sketch":
        """A sketch of nothing yet; with the ruler of the one before it, it merges with that without loss."""
        made = cls(kind)
        if kind is Kind.NUMERIC:
            made._numbers.ruler = ruler
        return made

    def add(self, value: Value, at: float, about: str = "") -> None:
        """One more value; what is none counts as missing or odd."""
        self.hold(clean(self.kind, value, self.rows.width), at, about)

    def hold(self, held: Held, at: float, about: str = "") -> None:
        """One more value as its kind holds it."""
        if not self.seen:
            self.first = self.last = at
        elif at > self.last:
            self.last = at
        elif at < self.first:
            self.first = at
        if isinstance(held, float):
            self._numbers.add(held)
        elif held is Flaw.MISSING:
            self.missing += 1
            return
        elif held is Flaw.ODD or (isinstance(held, Turned) and self.rows.width not in (0, held.width)):
            self.odd += 1
            return
        elif isinstance(held, str):
            self.names.add(held)
            first, second = _followed(held)
            self._blocks.add(first, second, float(held == self.latest))
            self.latest = held
        else:
            place = replaced(self.count + 1, Rows.PLACES)
            self.rows.put(held, Rows.PLACES if place is None else place, about)
            self._blocks.add(*held.along)
            about = ""
        self.count += 1
        self._show(about, self.count)

    def extend(self, values: NDArray[np.float32] | Sequence[str], ats: Sequence[float], abouts: Sequence[str]) -> None:
        """Numbers, or names, that follow each other, none of them missing or odd."""
        if not len(ats):
            return
        lowest, highest = min(ats), max(ats)
        self.first, self.last = (min(self.first, lowest), max(self.last, highest)) if self.seen else (lowest, highest)
        if isinstance(values, np.ndarray):
            self._numbers.extend(values)
        else:
            features = []
            for name in values:
                self.names.add(name)
                first, second = _followed(name)
                features.append((first, second, float(name == self.latest)))
                self.latest = name
            self._blocks.extend(features)
        first = self.count + 1
        self.count += len(abouts)
        for number in (
            range(first, self.count + 1) if len(self.abouts) < EXAMPLES else chosen(first, self.count, EXAMPLES)
        ):
            self._show(abouts[number - first], number)

    def _show(self, about: str, number: int) -> None:
        """The id of the value of this number may become an example."""
        if not about:
            return
        if len(self.abouts) < EXAMPLES:
            self.abouts.append(about)
        elif (place := replaced(number, EXAMPLES)) is not None:
            self.abouts[place] = about

    @property
    def seen(self) -> int:
        """All values, those too that are none."""
        return self.count + self.missing + self.odd

    @property
    def numbers(self) -> Numbers:
        """Of a numeric signal."""
        return self._numbers.settle()

    @property
    def ruler(self) -> Ruler | None:
        """For the sketch of what comes next."""
        return self.numbers.ruler

    @property
    def blocks(self) -> Blocks:
        """How much values hang together."""
        self._numbers.settle()
        return self._blocks

    def seal(self) -> "Sketch":
        """Nothing is added to it any more, nor merged."""
        self._blocks = self.blocks.sealed()
        if self.kind is Kind.NUMERIC:
            self._numbers.blocks = self._blocks
        return self

    def sample(self) -> NDArray[np.float64]:
        """The numbers sampled, [n <= 320], in no order that matters."""
        return self.numbers.drawn().astype(np.float64)

    def vectors(self) -> tuple[Vector, tuple[str, ...]]:
        """The vectors sampled, [n, width], of length about 1, and the ids they came with."""
        return self.rows.matrix(), tuple(self.rows.abouts)

    def examples(self) -> tuple[str, ...]:
        """Some of the ids the values came with."""
        return tuple(self.abouts) if self.kind is not Kind.VECTOR else tuple(self.rows.abouts[:EXAMPLES])

    def sampled(self, whole: bool = False) -> float:
        """On how many values what is known of the order, or the subjects, rests; a third of the vectors serves to find centres."""
        if self.kind is Kind.VECTOR:
            return float(len(self.rows) if whole else len(self.rows) * 2 // 3)
        if self.kind is Kind.NUMERIC and not self.numbers.two_valued:
            return float(len(self.numbers.sample))
        return float(self.count)

    def summary(self) -> Summary:
        """The sketch in a few numbers."""
        total = max(1, self.count)
        top = tuple((name, seen / total) for name, seen in list(self.names.surely().items())[:10])
        if self.kind is not Kind.NUMERIC or not self.count:
            return Summary(self.count, self.missing, self.odd, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, top)
        ordered = np.sort(self.sample())
        p05, p50, p95 = (quantile(ordered, share) for share in (0.05, 0.5, 0.95))
        held = self.numbers
        std = math.sqrt(max(0.0, held.spread) / self.count)
        return Summary(self.count, self.missing, self.odd, held.mean, std, held.low, held.high, p05, p50, p95, top)

    def merge(self, later: "Sketch") -> "Sketch":
        """Both streams, this one first; neither is changed."""
        made = Sketch(self.kind)
        made.count = self.count + later.count
        made.missing, made.odd = self.missing + later.missing, self.odd + later.odd
        held = [sketch for sketch in (self, later) if sketch.seen]
        made.first = min((sketch.first for sketch in held), default=0.0)
        made.last = max((sketch.last for sketch in held), default=0.0)
        mine, theirs = thinned((self.count, len(self.abouts)), (later.count, len(later.abouts)), EXAMPLES)
        made.abouts = [self.abouts[i] for i in mine] + [later.abouts[i] for i in theirs]
        made.latest = later.latest or self.latest
        if self.kind is Kind.NUMERIC:
            made._numbers = _joined(self.numbers, later.numbers)
            made._blocks = made._numbers.blocks
            return made
        made._blocks = self._blocks.merged(later._blocks)
        if self.kind is Kind.CATEGORICAL:
            made.names = self.names.merged(later.names)
        else:
            mine, theirs = thinned((self.count, len(self.rows)), (later.count, len(later.rows)), Rows.PLACES)
            made.rows = self.rows.joined(mine, later.rows, theirs)
        return made

    def to_bytes(self) -> bytes:
        """All of it."""
        held = self.numbers
        moments = held.mean, held.spread, held.low, held.high, held.ruler
        plain = [self.count, self.missing, self.odd, self.first, self.last, *moments, self.latest]
        names = self.names.to_plain() if self.names is not NO_NAMES else None
        rows = self.rows.to_plain() if self.rows is not NO_ROWS else None
        parts = [held.sample.tobytes(), names, rows, self._blocks.to_plain()]
        packed: bytes = msgpack.packb([1, self.kind.value, plain, *parts, self.abouts])
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> "Sketch":
        """What `to_bytes` gave, to the last digit."""
        _, kind, plain, sample, names, rows, blocks, abouts = msgpack.unpackb(data)
        made = cls(Kind(kind))
        made.count, made.missing, made.odd, made.first, made.last, *moments, made.latest = plain
        made._blocks = Blocks.from_plain(blocks)
        if made.kind is Kind.NUMERIC:
            made._numbers = held = Numbers(made._blocks)
            held.count, held.sample = made.count, array("f", sample)
            held.mean, held.spread, held.low, held.high, ruler = moments
            held.ruler = None if ruler is None else (ruler[0], ruler[1])
        if made.kind is Kind.CATEGORICAL:
            made.names = Frequent.from_plain(names)
        if made.kind is Kind.VECTOR:
            made.rows = Rows.from_plain(rows)
        # Many signals hold the ids of the same answers: one copy of each serves all.
        made.abouts = [sys.intern(about) for about in abouts]
        return made


# Of signals that are no numbers; never added to.
NO_NUMBERS: Final = Numbers(Blocks())


def _joined(before: Numbers, after: Numbers) -> Numbers:
    """Both streams of numbers, with how much they hang together."""
    if before.ruler is not None and after.ruler is None:
        made = Numbers(before.blocks.merged(Blocks()))
    elif before.ruler is None or after.ruler is None or before.ruler == after.ruler:
        made = Numbers(before.blocks.merged(after.blocks))
    else:
        made = Numbers(before.blocks.merged(after.blocks.shifted(after.ruler[0] - before.ruler[0])).first_alone())
    made.ruler = before.ruler or after.ruler
    if before.ruler is not None and after.ruler is None:
        made.follow(after.sample.tolist())
    made.count = before.count + after.count
    share = after.count / made.count if made.count else 0.0
    apart = after.mean - before.mean
    made.mean = before.mean + apart * share
    made.spread = before.spread + after.spread + apart * apart * before.count * share
    made.low, made.high = min(before.low, after.low), max(before.high, after.high)
    mine, theirs = thinned((before.count, len(before.sample)), (after.count, len(after.sample)), SAMPLE)
    made.sample = array("f", [before.sample[i] for i in mine] + [after.sample[i] for i in theirs])
    return made


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

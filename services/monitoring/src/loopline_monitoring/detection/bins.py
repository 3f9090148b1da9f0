"""A baseline cut into few bins, so that numbers, names and vectors are bet upon in one way.

Numbers: up to 14 bins of equal share, or one per value where there are few values, and one below and one above all that was seen. Names: the
frequent ones, the rare, the new; or groups of names where there are too many. Vectors: topic and ring of distance. Then always: missing, odd.
"""

from array import array
from bisect import bisect_right
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection.frequent import group
from loopline_monitoring.detection.kinds import Flaw, Held, Kind, Value, clean
from loopline_monitoring.detection.sketch import Sketch
from loopline_monitoring.detection.topics import RINGS, Topics

_CUTS: Final = 14
_NAMED: Final = 12


class Bins:
    """Where a value falls, and how often the baseline's values fell there.

    `counts`, [bins], has the missing last but one and the odd last.
    """

    __slots__ = ("counts", "edges", "kind", "names", "topics")

    def __init__(
        self, kind: Kind, counts: list[float], edges: list[float], names: dict[str, int], topics: Topics | None
    ) -> None:
        self.kind, self.names, self.topics = kind, names, topics
        self.counts, self.edges = array("d", counts), array("d", edges)

    @classmethod
    def of(cls, baseline: Sketch) -> "Bins":
        """The bins of a baseline."""
        flaws = [float(baseline.missing), float(baseline.odd)]
        if baseline.kind is Kind.NUMERIC:
            edges, counts = _cut(baseline)
            return cls(baseline.kind, counts + flaws, edges, {}, None)
        if baseline.kind is Kind.CATEGORICAL:
            if not baseline.names.whole:
                return cls(baseline.kind, [*map(float, baseline.names.groups), 0.0, *flaws], [], {}, None)
            sure = baseline.names.surely()
            named = dict(list(sure.items())[:_NAMED])
            rest = float(sum(sure.values()) - sum(named.values()))
            places = {name: place for place, name in enumerate(named)}
            rare = {name: len(named) for name in sure if name not in named}
            return cls(baseline.kind, [*map(float, named.values()), rest, 0.0, *flaws], [], {**places, **rare}, None)
        vectors, _ = baseline.vectors()
        topics = Topics.fit(vectors, baseline.rows.width) if len(vectors) else None
        counted = np.array(topics.places if topics else [0.0], float)
        scale = baseline.count / max(1.0, float(counted.sum()))
        return cls(baseline.kind, [*(counted * scale).tolist(), *flaws], [], {}, topics)

    @property
    def values(self) -> int:
        """How many bins hold values."""
        return len(self.counts) - 2

    def place(self, value: Value) -> int:
        """The bin of any value whatever."""
        return self.seat(clean(self.kind, value, self.width))

    @property
    def width(self) -> int:
        """Of vectors; 0 when there was none."""
        return self.topics.width if self.topics else 0

    def seat(self, held: Held) -> int:
        """The bin of a value as its kind holds it."""
        if isinstance(held, float):
            return bisect_right(self.edges, held)
        if isinstance(held, Flaw):
            return self.values + (held is Flaw.ODD)
        if isinstance(held, str):
            return self.names.get(held, self.values - 1) if self.names else group(held)
        if self.topics is None:
            return 0
        return self.topics.seat(held) if held.width == self.topics.width else self.values + 1

    def name(self, place: int) -> str:
        """A bin in words."""
        if place >= self.values:
            return ("missing", "of another type")[place - self.values]
        if self.kind is Kind.CATEGORICAL:
            if place == self.values - 1:
                return "new names"
            held = [name for name, at in self.names.items() if at == place]
            return (
                f"'{held[0]}'"
                if len(held) == 1
                else ("rare names" if self.names else f"of group {place + 1} of the names")
            )
        if self.kind is Kind.VECTOR:
            return f"topic {place // RINGS + 1}"
        if place == 0:
            return f"below {self.edges[0]:.4g}"
        if place == self.values - 1:
            return f"above {self.edges[-1]:.4g}"
        return f"{self.edges[place - 1]:.4g} to {self.edges[place]:.4g}"

    def to_plain(self) -> list[Any]:
        """For a message."""
        return [
            self.kind.value,
            list(self.counts),
            list(self.edges),
            self.names,
            self.topics.to_plain() if self.topics else None,
        ]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Bins":
        """What `to_plain` gave."""
        kind, counts, edges, names, topics = plain
        return cls(Kind(kind), counts, edges, names, Topics.from_plain(topics) if topics else None)


def _cut(baseline: Sketch) -> tuple[list[float], list[float]]:
    """Edges, rising, and counts: one bin below the lowest, the bins between, one above the highest."""
    sample: NDArray[np.float64] = np.sort(baseline.sample())
    if not sample.size:
        return [0.0, float(np.nextafter(np.float32(0.0), np.float32(1.0)))], [0.0, 0.0, 0.0]
    low, high = baseline.numbers.low, baseline.numbers.high
    above = float(np.nextafter(np.float32(high), np.float32(np.inf)))
    if baseline.numbers.two_valued:
        ones = baseline.count * (baseline.numbers.mean - low) / (high - low)
        return [low, (low + high) / 2, above], [0.0, baseline.count - ones, ones, 0.0]
    distinct = np.unique(sample)
    if distinct.size <= _CUTS:
        inner = (distinct[1:] + distinct[:-1]) / 2
    else:
        inner = np.unique(np.quantile(sample, np.arange(1, _CUTS) / _CUTS, method="inverted_cdf"))
    inside = inner[(inner > low) & (inner < above)]
    edges = [low, *inside.tolist(), above]
    counted = np.bincount(np.searchsorted(edges, sample, side="right"), minlength=len(edges) + 1).astype(float)
    return edges, (counted * (baseline.count / sample.size)).tolist()

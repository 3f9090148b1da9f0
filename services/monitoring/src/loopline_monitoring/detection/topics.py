"""The subjects of a baseline's vectors: a few centres, and how far from the nearest one is usual.

Centres come from k-means (scipy) over a third of the sampled vectors; what is usual is measured on the others, since vectors lie closer to
centres made of themselves than any later one does.
"""

from bisect import bisect_left
from typing import Any, Final

import numpy as np
from scipy.cluster.vq import kmeans2

from loopline_monitoring.detection.vectors import WIDTH, Turned, Vector

MOST_TOPICS: Final = 6
# Distances are told apart by fifths of the usual, and what lies outside.
RINGS: Final = 6
_FIFTHS: Final = (0.2, 0.4, 0.6, 0.8)
_FEWEST: Final = 40


class Topics:
    """Centres, [k, width], and the distances that part six rings, [5]; beyond the last one a vector is outside."""

    __slots__ = ("centres", "places", "rings", "width")

    def __init__(self, centres: Vector, rings: list[float], places: list[int], width: int) -> None:
        self.centres, self.rings, self.width = centres, rings, width
        # How many vectors of the others lie in each place: topic * RINGS + ring.
        self.places = places

    @classmethod
    def fit(cls, vectors: Vector, width: int = 0) -> "Topics":
        """From sampled vectors, [n, <= 64], as `Sketch.vectors` gives them; `width` is what they had before."""
        count = len(vectors)
        width = width or vectors.shape[1]
        learnt, measured = (
            (vectors[::3], np.delete(vectors, np.s_[::3], axis=0)) if count >= _FEWEST else (vectors, vectors)
        )
        topics = max(1, min(MOST_TOPICS, len(learnt) // 8))
        centres = learnt.mean(axis=0, keepdims=True)
        if topics > 1 and len(np.unique(learnt, axis=0)) > topics:
            found, _ = kmeans2(
                learnt.astype(np.float64), topics, minit="++", rng=np.random.Generator(np.random.PCG64(1))
            )
            centres = found[~np.isnan(found).any(axis=1)].astype(np.float32)
        made = cls(centres, [], [], width)
        nearest = [made._nearest(vector) for vector in measured]
        distances = np.array([distance for _, distance in nearest]) if nearest else np.zeros(1)
        usual = [float(edge) for edge in np.quantile(distances, _FIFTHS)]
        made.rings = [*usual, float(np.quantile(distances, 0.95)) * 1.02 + 1e-6]
        made.places = [0] * (len(centres) * RINGS)
        for topic, distance in nearest:
            made.places[topic * RINGS + made._ring(distance)] += 1
        return made

    def _nearest(self, narrow: Vector) -> tuple[int, float]:
        apart = self.centres - narrow
        squares: list[float] = np.einsum("kw,kw->k", apart, apart).tolist()
        nearest = min(squares)
        return squares.index(nearest), nearest**0.5

    def _ring(self, distance: float) -> int:
        return bisect_left(self.rings, distance)

    def seat(self, vector: Turned) -> int:
        """topic * RINGS + ring."""
        topic, distance = self._nearest(vector.narrow)
        return topic * RINGS + self._ring(distance)

    def place(self, vector: Turned) -> tuple[str, bool]:
        """The topic's name, and whether the vector lies outside the known topics."""
        if vector.width != self.width:
            return "unknown", True
        topic, distance = self._nearest(vector.narrow)
        return f"topic {topic + 1}", distance > self.rings[-1]

    def to_plain(self) -> list[Any]:
        """For a message."""
        return [self.centres.astype(np.float32).tobytes(), self.rings, self.places, self.width]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Topics":
        """What `to_plain` gave."""
        data, rings, places, width = plain
        centres = np.frombuffer(data, np.float32).reshape(-1, min(width, WIDTH))
        return cls(centres, rings, places, width)

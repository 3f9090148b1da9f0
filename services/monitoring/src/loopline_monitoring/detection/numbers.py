"""The numbers of a stream in a fixed number of bytes: an even sample (a reservoir, Vitter 1985), exact moments and ends.

A number is noted at once and worked in with those that came after it, when somebody asks or enough wait: in one turn that costs a fraction, and
gives the same to the last digit, whenever it happens.
"""

import math
from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection.correlation import Blocks
from loopline_monitoring.detection.draws import chosen, replaced

# Numbers sampled; their shares are known to within 3 %.
SAMPLE: Final = 320
_RULER: Final = 32
# So many wait at most once the sample is full; until then they wait in it.
_AT_ONCE: Final = 64

# By what large and small numbers are told apart, so that blocks can be compared: centre and variance of the first ones, tails drawn in.
Ruler = tuple[float, float]


class Numbers:
    """Sample, moments, ends, and in `blocks` how much the numbers hang together; `settle` before any of them is read."""

    __slots__ = ("_later", "_waiting", "blocks", "count", "high", "low", "mean", "ruler", "sample", "spread")

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.count = 0
        self.sample = array("f")
        # Mean and sum of squared differences from it (Welford).
        self.mean = self.spread = 0.0
        self.low, self.high = math.inf, -math.inf
        self.ruler: Ruler | None = None
        self._waiting = 0
        # Those that wait and were not put into the sample.
        self._later: array[float] | None = None

    def add(self, number: float) -> None:
        """One more, at seven digits."""
        self.count += 1
        self._waiting += 1
        if len(self.sample) < SAMPLE:
            self.sample.append(number)
            return
        if self._later is None:
            self._later = array("f")
        self._later.append(number)
        if len(self._later) >= _AT_ONCE:
            self.settle()

    def extend(self, numbers: NDArray[np.float32]) -> None:
        """More than one."""
        if self._later is None and len(self.sample) + len(numbers) <= SAMPLE:
            self.sample.frombytes(numbers.tobytes())
            self.count += len(numbers)
            self._waiting += len(numbers)
        else:
            for number in numbers.tolist():
                self.add(number)

    def settle(self) -> "Numbers":
        """Works in those that wait."""
        if not self._waiting:
            return self
        later = self._later.tolist() if self._later else []
        done = self.count - self._waiting
        numbers = self.sample[len(self.sample) - self._waiting + len(later) :].tolist() + later
        self._waiting, self._later = 0, None
        mean, spread, low, high, count = self.mean, self.spread, self.low, self.high, done
        for number in numbers:
            count += 1
            before = number - mean
            mean += before / count
            spread += before * (number - mean)
            if number < low:
                low = number
            if number > high:
                high = number
        self.mean, self.spread, self.low, self.high = mean, spread, low, high
        self._measure(done, numbers)
        first = self.count - len(later) + 1
        for number in chosen(first, self.count, SAMPLE):
            self.sample[replaced(number, SAMPLE) or 0] = later[number - first]
        return self

    def _measure(self, done: int, numbers: list[float]) -> None:
        """How much they hang together: their size with the tails drawn in, how far out they lie to either side, and to any."""
        if self.ruler is None:
            if self.count < _RULER:
                return
            first = [math.asinh(value) for value in self.sample[:_RULER]]
            centre = sum(first) / _RULER
            self.ruler = centre, sum((value - centre) ** 2 for value in first) / _RULER
            numbers = self.sample[:done].tolist() + numbers
        self.follow(numbers)

    def follow(self, numbers: list[float]) -> None:
        """Measures these, which come next, by the ruler."""
        centre, square = self.ruler or (0.0, 0.0)
        asinh = math.asinh
        features = []
        for number in numbers:
            drawn = asinh(number) - centre
            if drawn * drawn <= square:
                features.append((drawn, 0.0, 0.0))
            else:
                features.append((drawn, 1.0 if drawn > 0.0 else -1.0, 1.0))
        self.blocks.extend(features)

    def drawn(self) -> NDArray[np.float32]:
        """The sample, [n <= 320], in no order that matters."""
        return np.frombuffer(self.sample, dtype=np.float32)

    @property
    def two_valued(self) -> bool:
        """Whether all numbers are the lowest or the highest, as rates are: then their mean says exactly how often each came."""
        if not self.low < self.high:
            return False
        drawn = self.drawn()
        return bool(((drawn == self.low) | (drawn == self.high)).all())

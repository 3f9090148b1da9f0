"""How much values of a stream resemble those just before them: bursts, seasons, slow swings.

The variance of the mean of n independent values is s2 / n. Where values hang together it is tau * s2 / n, and every test that takes them for
independent raises false alarms. tau is measured by batch means (Conway 1963; Flegal and Jones 2010): the variance of means over blocks of 8, 16,
32, ... values, times the block's length, over the variance of single values. All block lengths are kept at once, each with one block under
construction, like the digits of a binary counter, so the memory is some hundred numbers whatever the history. Three features of each value are
followed, and the one that hangs together most counts: a burst of large values shows in how often they come, not in their mean.
"""

from array import array
from collections.abc import Iterable
from typing import Any, Final

# The shortest blocks.
BASE: Final = 8
# 8 * 2**17 values in the longest blocks.
LEVELS: Final = 18
# A variance from fewer blocks says too little.
FEWEST_BLOCKS: Final = 12
_FEATURES: Final = 3
# What is kept of each block length: blocks, sums and sums of squares of their means, whether one waits for its other half, and that one.
_STRIDE: Final = 11


class Blocks:
    """Means of three features over blocks of every length."""

    __slots__ = ("_sealed", "count", "levels", "parted", "totals")

    def __init__(self) -> None:
        self.count = 0
        # Of each feature: sums, sums of squares, and the sums of the block of 8 under construction, whose length is `parted`.
        self.totals = array("d", bytes(8 * 3 * _FEATURES))
        self.parted = 0
        self.levels = array("d")
        self._sealed = 0.0

    def add(self, first: float, second: float, third: float) -> None:
        """The features of one more value."""
        self.extend(((first, second, third),))

    def extend(self, features: Iterable[tuple[float, float, float]]) -> None:
        """The features of values that follow each other."""
        a, b, c, aa, bb, cc, x, y, z = self.totals
        parted, before = self.parted, self.parted
        for first, second, third in features:
            a += first
            b += second
            c += third
            aa += first * first
            bb += second * second
            cc += third * third
            x += first
            y += second
            z += third
            parted += 1
            if parted % BASE == 0:
                self._push(x / BASE, y / BASE, z / BASE, 0)
                x = y = z = 0.0
        self.count += parted - before
        self.parted = parted % BASE
        self.totals = array("d", (a, b, c, aa, bb, cc, x, y, z))

    def _push(self, x: float, y: float, z: float, level: int) -> None:
        held = self.levels
        at = level * _STRIDE
        while at < LEVELS * _STRIDE:
            if at == len(held):
                held.extend((0.0,) * _STRIDE)
            held[at] += 1
            held[at + 1] += x
            held[at + 2] += y
            held[at + 3] += z
            held[at + 4] += x * x
            held[at + 5] += y * y
            held[at + 6] += z * z
            if not held[at + 7]:
                held[at + 7], held[at + 8], held[at + 9], held[at + 10] = 1.0, x, y, z
                return
            held[at + 7] = 0.0
            x, y, z = (x + held[at + 8]) / 2, (y + held[at + 9]) / 2, (z + held[at + 10]) / 2
            at += _STRIDE

    def merged(self, later: "Blocks") -> "Blocks":
        """These, then the later ones; halves that wait in both make one block."""
        made = self.copy()
        made.count += later.count
        made.totals = array("d", (mine + theirs for mine, theirs in zip(self.totals, later.totals, strict=True)))
        held, theirs = made.levels, later.levels
        held.extend((0.0,) * (len(theirs) - len(held)))
        for at in range(0, len(theirs), _STRIDE):
            for place in range(at, at + 7):
                held[place] += theirs[place]
        for at in range(0, len(theirs), _STRIDE):
            if not theirs[at + 7]:
                continue
            x, y, z = theirs[at + 8 : at + 11]
            if held[at + 7]:
                held[at + 7] = 0.0
                made._push((held[at + 8] + x) / 2, (held[at + 9] + y) / 2, (held[at + 10] + z) / 2, at // _STRIDE + 1)
            else:
                held[at + 7], held[at + 8], held[at + 9], held[at + 10] = 1.0, x, y, z
        made.parted += later.parted
        if made.parted >= BASE:
            x, y, z = made.totals[6:]
            made._push(x / made.parted, y / made.parted, z / made.parted, 0)
            made.totals[6:], made.parted = array("d", bytes(8 * _FEATURES)), 0
        return made

    def shifted(self, by: float) -> "Blocks":
        """The same with the first feature moved."""
        made = self.copy()
        made.totals[3] += 2 * by * made.totals[0] + self.count * by * by
        made.totals[0] += self.count * by
        made.totals[6] += by * self.parted
        held = made.levels
        for at in range(0, len(held), _STRIDE):
            held[at + 4] += 2 * by * held[at + 1] + held[at] * by * by
            held[at + 1] += held[at] * by
            held[at + 8] += by
        return made

    def first_alone(self) -> "Blocks":
        """The same without the second and third feature, which were measured by different rulers."""
        made = self.copy()
        made.totals = array("d", (made.totals[0], 0.0, 0.0, made.totals[3], 0.0, 0.0, made.totals[6], 0.0, 0.0))
        for at in range(0, len(made.levels), _STRIDE):
            for place in (2, 3, 5, 6, 9, 10):
                made.levels[at + place] = 0.0
        return made

    def copy(self) -> "Blocks":
        """One that may be changed."""
        return Blocks.from_plain(self.to_plain())

    def inflation(self) -> float:
        """tau: by how much values hanging together inflate the variance of a mean; at least 1."""
        if self._sealed:
            return self._sealed
        most = 1.0
        held = self.levels
        for feature in range(3):
            total, square = self.totals[feature], self.totals[_FEATURES + feature]
            single = _variance(self.count, total, square)
            if single <= 1e-12 * (1 + square / max(1, self.count)):
                continue
            for at in range(0, len(held), _STRIDE):
                blocks = held[at]
                if blocks < FEWEST_BLOCKS:
                    break
                length = BASE * 2 ** (at // _STRIDE)
                ratio = length * _variance(blocks, held[at + 1 + feature], held[at + 4 + feature]) / single
                # Noise of the ratio itself is taken off, or independent values would look as if they hung together.
                most = max(most, ratio / (1 + 1.5 * (2 / (blocks - 1)) ** 0.5))
        return most

    def sealed(self) -> "Blocks":
        """What is left when nothing is added any more: tau, in few bytes."""
        made = Blocks()
        made.count, made._sealed = self.count, self.inflation()
        return made

    def to_plain(self) -> list[Any]:
        """For a message."""
        totals = self.totals.tolist()
        return [self.count, totals[:3], totals[3:6], totals[6:], self.parted, self.levels.tobytes(), self._sealed]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Blocks":
        """What `to_plain` gave."""
        made = cls()
        made.count, sums, squares, part, made.parted, levels, made._sealed = plain
        made.totals = array("d", (*sums, *squares, *part))
        made.levels = array("d", levels)
        return made


def _variance(count: float, total: float, square: float) -> float:
    if count < 2:
        return 0.0
    mean = total / count
    return max(0.0, square / count - mean * mean) * count / (count - 1)

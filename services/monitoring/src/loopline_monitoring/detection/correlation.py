"""How much values of a stream resemble those just before them: bursts, seasons, slow swings.

The variance of the mean of n independent values is s2 / n. Where values hang together it is tau * s2 / n, and every test that takes them for
independent raises false alarms. tau is measured by batch means (Conway 1963; Flegal and Jones 2010): the variance of means over blocks of 8, 16,
32, ... values, times the block's length, over the variance of single values. All block lengths are kept at once, each with one block under
construction, like the digits of a binary counter, so the memory is some hundred numbers whatever the history. Three features of each value are
followed, and the one that hangs together most counts: a burst of large values shows in how often they come, not in their mean.
"""

from array import array
from typing import Any, Final

# The shortest blocks.
BASE: Final = 8
# 8 * 2**17 values in the longest blocks.
LEVELS: Final = 18
# A variance from fewer blocks says too little.
FEWEST_BLOCKS: Final = 12
Features = tuple[float, float, float]


# What is kept of each block length: blocks, sums and sums of squares of their means, whether one waits for its other half, and that one.
_STRIDE: Final = 11
_ZERO: Final = (0.0, 0.0, 0.0)


class Blocks:
    """Means of three features over blocks of every length."""

    __slots__ = ("count", "levels", "part", "parted", "squares", "sums")

    def __init__(self) -> None:
        self.count = 0
        self.sums: Features = _ZERO
        self.squares: Features = _ZERO
        # The block of 8 under construction: its sums, its length.
        self.part: Features = _ZERO
        self.parted = 0
        self.levels = array("d")

    def add(self, first: float, second: float, third: float) -> None:
        """The features of one more value."""
        a, b, c = self.sums
        self.sums = (a + first, b + second, c + third)
        a, b, c = self.squares
        self.squares = (a + first * first, b + second * second, c + third * third)
        a, b, c = self.part
        self.part = (a + first, b + second, c + third)
        self.count += 1
        self.parted += 1
        if self.parted >= BASE:
            self._close()

    def _close(self) -> None:
        a, b, c = self.part
        length = self.parted
        self.part, self.parted = _ZERO, 0
        self._push(a / length, b / length, c / length, 0)

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
        made.sums, made.squares = _plus(made.sums, later.sums), _plus(made.squares, later.squares)
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
        made.part, made.parted = _plus(made.part, later.part), made.parted + later.parted
        if made.parted >= BASE:
            made._close()
        return made

    def shifted(self, by: float) -> "Blocks":
        """The same with the first feature moved."""
        made = self.copy()
        made.sums, made.squares = _moved(self.count, self.sums, self.squares, by)
        made.part = (self.part[0] + by * self.parted, *self.part[1:])
        held = made.levels
        for at in range(0, len(held), _STRIDE):
            held[at + 4] += 2 * by * held[at + 1] + held[at] * by * by
            held[at + 1] += held[at] * by
            held[at + 8] += by
        return made

    def first_alone(self) -> "Blocks":
        """The same without the second and third feature, which were measured by different rulers."""
        made = self.copy()
        made.sums, made.squares, made.part = ((part[0], 0.0, 0.0) for part in (self.sums, self.squares, self.part))
        for at in range(0, len(made.levels), _STRIDE):
            for place in (2, 3, 5, 6, 9, 10):
                made.levels[at + place] = 0.0
        return made

    def copy(self) -> "Blocks":
        """One that may be changed."""
        return Blocks.from_plain(self.to_plain())

    def inflation(self) -> float:
        """tau: by how much values hanging together inflate the variance of a mean; at least 1."""
        most = 1.0
        held = self.levels
        for feature in range(3):
            single = _variance(self.count, self.sums[feature], self.squares[feature])
            if single <= 1e-12 * (1 + self.squares[feature] / max(1, self.count)):
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

    def to_plain(self) -> list[Any]:
        """For a message."""
        return [self.count, self.sums, self.squares, self.part, self.parted, self.levels.tobytes()]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Blocks":
        """What `to_plain` gave."""
        made = cls()
        made.count, sums, squares, part, made.parted, levels = plain
        made.sums, made.squares, made.part = tuple(sums), tuple(squares), tuple(part)
        made.levels = array("d", levels)
        return made


def _plus(one: Features, other: Features) -> Features:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])


def _moved(count: int, sums: Features, squares: Features, by: float) -> tuple[Features, Features]:
    total = sums[0]
    return (total + count * by, *sums[1:]), (squares[0] + 2 * by * total + count * by * by, *squares[1:])


def _variance(count: float, total: float, square: float) -> float:
    if count < 2:
        return 0.0
    mean = total / count
    return max(0.0, square / count - mean * mean) * count / (count - 1)

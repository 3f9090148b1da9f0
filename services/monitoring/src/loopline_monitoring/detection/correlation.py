"""How much values of a stream resemble those just before them: bursts, seasons, slow swings.

The variance of the mean of n independent values is s2 / n. Where values hang together it is tau * s2 / n, and every test that takes them for
independent raises false alarms. tau is measured by batch means (Conway 1963; Flegal and Jones 2010): the variance of means over blocks of 8, 16,
32, ... values, times the block's length, over the variance of single values. All block lengths are kept at once, each with one block under
construction, like the digits of a binary counter, so the memory is some hundred numbers whatever the history. Three features of each value are
followed, and the one that hangs together most counts: a burst of large values shows in how often they come, not in their mean.
"""

from typing import Any, Final

# The shortest blocks.
BASE: Final = 8
# 8 * 2**17 values in the longest blocks.
LEVELS: Final = 18
# A variance from fewer blocks says too little.
FEWEST_BLOCKS: Final = 12
Features = tuple[float, float, float]


class Blocks:
    """Means of three features over blocks of every length."""

    __slots__ = ("count", "levels", "part", "parted", "squares", "sums")

    def __init__(self) -> None:
        self.count = 0
        self.sums: Features = (0.0, 0.0, 0.0)
        self.squares: Features = (0.0, 0.0, 0.0)
        # The block of 8 under construction: its sums, its length.
        self.part: Features = (0.0, 0.0, 0.0)
        self.parted = 0
        # Per block length: blocks, sums and sums of squares of their means, the mean that waits for its other half.
        self.levels: list[tuple[int, Features, Features, Features | None]] = []

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
        self.part, self.parted = (0.0, 0.0, 0.0), 0
        self._push((a / length, b / length, c / length), 0)

    def _push(self, mean: Features, level: int) -> None:
        while level < LEVELS:
            if level == len(self.levels):
                self.levels.append((0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), None))
            count, (a, b, c), (p, q, r), waiting = self.levels[level]
            x, y, z = mean
            sums, squares = (a + x, b + y, c + z), (p + x * x, q + y * y, r + z * z)
            if waiting is None:
                self.levels[level] = (count + 1, sums, squares, mean)
                return
            self.levels[level] = (count + 1, sums, squares, None)
            mean = ((x + waiting[0]) / 2, (y + waiting[1]) / 2, (z + waiting[2]) / 2)
            level += 1

    def merged(self, later: "Blocks") -> "Blocks":
        """These, then the later ones; halves that wait in both make one block."""
        made = Blocks.from_plain(self.to_plain())
        made.count += later.count
        made.sums, made.squares = _plus(made.sums, later.sums), _plus(made.squares, later.squares)
        for level, (count, sums, squares, _) in enumerate(later.levels):
            if level == len(made.levels):
                made.levels.append((0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), None))
            had, had_sums, had_squares, waiting = made.levels[level]
            made.levels[level] = (had + count, _plus(had_sums, sums), _plus(had_squares, squares), waiting)
        for level, (*_, half) in enumerate(later.levels):
            if half is None:
                continue
            had, sums, squares, waiting = made.levels[level]
            if waiting is None:
                made.levels[level] = (had, sums, squares, half)
            else:
                made.levels[level] = (had, sums, squares, None)
                x, y, z = _plus(waiting, half)
                made._push((x / 2, y / 2, z / 2), level + 1)
        made.part, made.parted = _plus(made.part, later.part), made.parted + later.parted
        if made.parted >= BASE:
            made._close()
        return made

    def shifted(self, by: float) -> "Blocks":
        """The same with the first feature moved."""
        made = Blocks.from_plain(self.to_plain())
        if by:
            made.sums, made.squares = _moved(self.count, self.sums, self.squares, by)
            made.part = (self.part[0] + by * self.parted, *self.part[1:])
            made.levels = [
                (count, *_moved(count, sums, squares, by), None if half is None else (half[0] + by, *half[1:]))
                for count, sums, squares, half in self.levels
            ]
        return made

    def first_alone(self) -> "Blocks":
        """The same without the second and third feature, which were measured by different rulers."""
        made = Blocks.from_plain(self.to_plain())
        made.sums, made.squares, made.part = ((part[0], 0.0, 0.0) for part in (self.sums, self.squares, self.part))
        made.levels = [
            (count, (sums[0], 0.0, 0.0), (squares[0], 0.0, 0.0), None if half is None else (half[0], 0.0, 0.0))
            for count, sums, squares, half in self.levels
        ]
        return made

    def inflation(self) -> float:
        """tau: by how much values hanging together inflate the variance of a mean; at least 1."""
        most = 1.0
        for feature in range(3):
            single = _variance(self.count, self.sums[feature], self.squares[feature])
            if single <= 1e-12 * (1 + self.squares[feature] / max(1, self.count)):
                continue
            for level, (blocks, sums, squares, _) in enumerate(self.levels):
                if blocks < FEWEST_BLOCKS:
                    break
                ratio = BASE * 2**level * _variance(blocks, sums[feature], squares[feature]) / single
                # Noise of the ratio itself is taken off, or independent values would look as if they hung together.
                most = max(most, ratio / (1 + 1.5 * (2 / (blocks - 1)) ** 0.5))
        return most

    def to_plain(self) -> list[Any]:
        """For a message."""
        return [self.count, self.sums, self.squares, self.part, self.parted, self.levels]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Blocks":
        """What `to_plain` gave."""
        made = cls()
        made.count, sums, squares, part, made.parted, levels = plain
        made.sums, made.squares, made.part = tuple(sums), tuple(squares), tuple(part)
        made.levels = [
            (count, tuple(had), tuple(squared), None if half is None else tuple(half))
            for count, had, squared, half in levels
        ]
        return made


def _plus(one: Features, other: Features) -> Features:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])


def _moved(count: int, sums: Features, squares: Features, by: float) -> tuple[Features, Features]:
    total = sums[0]
    return (total + count * by, *sums[1:]), (squares[0] + 2 * by * total + count * by * by, *squares[1:])


def _variance(count: int, total: float, square: float) -> float:
    if count < 2:
        return 0.0
    mean = total / count
    return max(0.0, square / count - mean * mean) * count / (count - 1)

"""How much values of a stream resemble those just before them: bursts, seasons, slow swings.

The variance of the mean of n independent values is s2 / n. Where values hang together it is tau * s2 / n, and every test that takes them for
independent raises false alarms. tau is measured by batch means (Conway 1963; Flegal and Jones 2010): the variance of means over blocks of 1, 2,
4, ... values, times the block's length. All block lengths are kept at once, each with one block under construction, like the digits of a binary
counter, so the memory is some hundred numbers whatever the history.
"""

from typing import Any, Final

# 2**20 values in the longest blocks.
LEVELS: Final = 21
# A variance from fewer blocks says too little.
FEWEST_BLOCKS: Final = 12


class Blocks:
    """Means over blocks of every power of two."""

    __slots__ = ("counts", "origin", "pending", "squares", "sums")

    def __init__(self) -> None:
        # Values are taken relative to the first, so that squares keep their digits.
        self.origin: float | None = None
        self.pending: list[float | None] = []
        self.counts: list[int] = []
        self.sums: list[float] = []
        self.squares: list[float] = []

    def add(self, value: float) -> None:
        """One more value."""
        if self.origin is None:
            self.origin = value
        self._add(value - self.origin, 0)

    def _add(self, value: float, level: int) -> None:
        """One more mean over 2**level values."""
        while level < LEVELS:
            if level == len(self.counts):
                self._grow()
            self.counts[level] += 1
            self.sums[level] += value
            self.squares[level] += value * value
            waiting = self.pending[level]
            if waiting is None:
                self.pending[level] = value
                return
            self.pending[level] = None
            value = (waiting + value) / 2
            level += 1

    def _grow(self) -> None:
        self.pending.append(None)
        self.counts.append(0)
        self.sums.append(0.0)
        self.squares.append(0.0)

    def merged(self, later: "Blocks") -> "Blocks":
        """These, then the later ones; halves that wait in both make one block."""
        if self.origin is None or later.origin is None:
            return Blocks.from_plain((later if self.origin is None else self).to_plain())
        shift = later.origin - self.origin
        made = Blocks.from_plain(self.to_plain())
        for level, count in enumerate(later.counts):
            if level == len(made.counts):
                made._grow()
            total = later.sums[level]
            made.counts[level] += count
            made.sums[level] += total + count * shift
            made.squares[level] += later.squares[level] + 2 * shift * total + count * shift * shift
        for level, half in enumerate(later.pending):
            if half is None:
                continue
            waiting = made.pending[level]
            if waiting is None:
                made.pending[level] = half + shift
            else:
                made.pending[level] = None
                made._add((waiting + half + shift) / 2, level + 1)
        return made

    def inflation(self) -> float:
        """tau: by how much values hanging together inflate the variance of a mean; at least 1."""
        if not self.counts or self.counts[0] < FEWEST_BLOCKS:
            return 1.0
        single = self._variance(0)
        if single <= 0.0:
            return 1.0
        most = 1.0
        for level in range(1, len(self.counts)):
            blocks = self.counts[level]
            if blocks < FEWEST_BLOCKS:
                break
            # Noise of the ratio itself is taken off, or independent values would look correlated.
            ratio = (2**level) * self._variance(level) / single
            most = max(most, ratio / (1 + 2 * (2 / (blocks - 1)) ** 0.5))
        return most

    def _variance(self, level: int) -> float:
        count = self.counts[level]
        mean = self.sums[level] / count
        return max(0.0, self.squares[level] / count - mean * mean) * count / (count - 1)

    def to_plain(self) -> list[Any]:
        """For a message."""
        return [self.origin, self.pending, self.counts, self.sums, self.squares]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Blocks":
        """What `to_plain` gave."""
        made = cls()
        made.origin = plain[0]
        made.pending, made.counts, made.sums, made.squares = (list(part) for part in plain[1:])
        return made

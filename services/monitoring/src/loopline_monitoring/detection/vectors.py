"""An even sample of vectors in a fixed number of bytes.

Vectors longer than WIDTH are turned by one fixed random matrix into WIDTH numbers, which keeps their distances to within some 12 % (Johnson and
Lindenstrauss 1984), and held as bytes.
"""

import math
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
WIDTH: Final = 64
# Fixed directions, along which vectors are followed as numbers.
_FOLLOWED: Final = 3


def _steps(width: int) -> float:
    """Steps to a unit: short vectors have larger numbers."""
    return 256.0 if width >= WIDTH else 127.0


@cache
def _matrix(width: int) -> Vector:
    """[width, WIDTH]; the same everywhere and always."""
    drawn = np.random.Generator(np.random.PCG64(width)).standard_normal((width, WIDTH))
    kept: Vector = (drawn / np.sqrt(WIDTH)).astype(np.float32)
    return kept


@cache
def _turning(width: int) -> Vector:
    """[<= WIDTH + 3, width]: what turns a vector into the numbers kept of it, and those it is followed by."""
    drawn = np.random.Generator(np.random.PCG64(width + 1)).standard_normal((_FOLLOWED, width))
    along = (drawn / np.sqrt(width)).astype(np.float32)
    return np.ascontiguousarray(np.concatenate((_matrix(width).T, along)) if width > WIDTH else along)


@dataclass(frozen=True, slots=True)
class Turned:
    """A vector as all look at it: how long it was, the numbers kept of it at length 1, [<= WIDTH], and three it is followed by."""

    width: int
    narrow: Vector
    along: tuple[float, float, float]


def turned(vector: NDArray[np.floating[Any]]) -> Turned | None:
    """A vector of any length but none; None for one that points nowhere."""
    single = vector if vector.dtype == np.float32 else _drawn_in(vector)
    square = float(single.dot(single))
    if not math.isfinite(square) or square == 0.0:
        single = _drawn_in(vector)
        square = float(single.dot(single))
    if not math.isfinite(square) or square == 0.0:
        return None
    width, length = single.size, np.float32(math.sqrt(square))
    # No matrix product: its threads cost more than they are worth for one vector.
    numbers = np.einsum("ij,j->i", _turning(width), single) / length
    first, second, third = numbers[-_FOLLOWED:].tolist()
    return Turned(width, numbers[:WIDTH] if width > WIDTH else single / length, (first, second, third))


def _drawn_in(vector: NDArray[np.floating[Any]]) -> Vector:
    """The same direction in numbers that can be squared."""
    with np.errstate(all="ignore"):
        single: Vector = (vector / (np.abs(vector).max() or 1.0)).astype(np.float32)
        return single


class Rows:
    """The sampled vectors, and the id each came with."""

    PLACES: ClassVar[int] = 320
    __slots__ = ("abouts", "rows", "width")

    def __init__(self) -> None:
        self.width = 0
        # [n, <= WIDTH], grown by doubling.
        self.rows: NDArray[np.int8] = np.zeros((0, 0), np.int8)
        self.abouts: list[str] = []

    def __len__(self) -> int:
        return len(self.abouts)

    def put(self, vector: Turned, place: int, about: str) -> None:
        """One more vector; `place` is an even draw below the number of vectors so far."""
        held = len(self.abouts)
        if held < self.PLACES:
            place = held
            self.abouts.append(about)
            if held == len(self.rows):
                self.width = vector.width
                grown = np.zeros((min(self.PLACES, max(16, 2 * held)), min(self.width, WIDTH)), np.int8)
                if held:
                    grown[:held] = self.rows
                self.rows = grown
        elif place < self.PLACES:
            self.abouts[place] = about
        else:
            return
        self.rows[place] = np.clip(np.rint(vector.narrow * _steps(self.width)), -127, 127)

    def matrix(self) -> Vector:
        """[n, <= WIDTH]."""
        return self.rows[: len(self.abouts)].astype(np.float32) / np.float32(_steps(self.width))

    def joined(self, mine: list[int], later: "Rows", theirs: list[int]) -> "Rows":
        """Some of these and some of those; those of another width are left out."""
        made = Rows()
        made.width = self.width or later.width
        if later.width not in {0, made.width}:
            later, theirs = Rows(), []
        parts = [rows.rows[places] for rows, places in ((self, mine), (later, theirs)) if places]
        if parts:
            made.rows = np.concatenate(parts)
        made.abouts = [self.abouts[i] for i in mine] + [later.abouts[i] for i in theirs]
        return made

    def to_plain(self) -> list[Any]:
        """For a message."""
        return [self.width, self.rows[: len(self.abouts)].tobytes(), self.abouts]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Rows":
        """What `to_plain` gave."""
        made = cls()
        made.width, data, abouts = plain
        made.abouts = [sys.intern(about) for about in abouts]
        if made.width:
            made.rows = np.frombuffer(data, np.int8).reshape(-1, min(made.width, WIDTH)).copy()
        return made


# Of signals that are no vectors; never put into.
NO_ROWS: Final = Rows()

"""An even sample of vectors in a fixed number of bytes.

Vectors longer than WIDTH are turned by one fixed random matrix into WIDTH numbers, which keeps their distances to within some 12 % (Johnson and
Lindenstrauss 1984), and held as 16-bit floats.
"""

import sys
from functools import cache
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection.kinds import Vector

WIDTH: Final = 64


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
def directions(width: int) -> Vector:
    """[3, width]: fixed directions, along which vectors are followed as numbers."""
    drawn = np.random.Generator(np.random.PCG64(width + 1)).standard_normal((3, width))
    kept: Vector = (drawn / np.sqrt(width)).astype(np.float32)
    return kept


def narrowed(vector: Vector) -> Vector:
    """The vector as it is kept, [<= WIDTH]."""
    # No matrix product: its threads cost more than it is worth for one vector.
    return vector if vector.size <= WIDTH else np.einsum("i,ij->j", vector, _matrix(vector.size))


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

    def put(self, vector: Vector, place: int, about: str) -> None:
        """One more vector, [width]; `place` is an even draw below the number of vectors so far."""
        held = len(self.abouts)
        if held < self.PLACES:
            place = held
            self.abouts.append(about)
            if held == len(self.rows):
                self.width = vector.size
                grown = np.zeros((min(self.PLACES, max(16, 2 * held)), min(self.width, WIDTH)), np.int8)
                if held:
                    grown[:held] = self.rows
                self.rows = grown
        elif place < self.PLACES:
            self.abouts[place] = about
        else:
            return
        self.rows[place] = np.clip(np.rint(narrowed(vector) * _steps(self.width)), -127, 127)

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

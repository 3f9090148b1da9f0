"""An even sample of vectors in a fixed number of bytes.

Vectors longer than WIDTH are turned by one fixed random matrix into WIDTH numbers, which keeps their distances to within some 10 % (Johnson and
Lindenstrauss 1984), and held as 16-bit floats.
"""

from functools import cache
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection.kinds import Vector

WIDTH: Final = 96


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
    return vector if vector.size <= WIDTH else vector @ _matrix(vector.size)


class Rows:
    """The sampled vectors, and the id each came with."""

    PLACES: ClassVar[int] = 192
    __slots__ = ("abouts", "rows", "width")

    def __init__(self) -> None:
        self.width = 0
        self.rows: list[NDArray[np.float16]] = []
        self.abouts: list[str] = []

    def __len__(self) -> int:
        return len(self.rows)

    def put(self, vector: Vector, place: int, about: str) -> None:
        """One more vector, [width]; `place` is an even draw below the number of vectors so far."""
        self.width = vector.size
        if len(self.rows) < self.PLACES:
            self.rows.append(narrowed(vector).astype(np.float16))
            self.abouts.append(about)
        elif place < self.PLACES:
            self.rows[place] = narrowed(vector).astype(np.float16)
            self.abouts[place] = about

    def matrix(self) -> Vector:
        """[n, <= WIDTH]."""
        if not self.rows:
            return np.zeros((0, min(self.width, WIDTH)), np.float32)
        return np.stack(self.rows).astype(np.float32)

    def joined(self, mine: list[int], later: "Rows", theirs: list[int]) -> "Rows":
        """Some of these and some of those; those of another width are left out."""
        made = Rows()
        made.width = self.width or later.width
        if later.width not in {0, made.width}:
            later, theirs = Rows(), []
        made.rows = [self.rows[i] for i in mine] + [later.rows[i] for i in theirs]
        made.abouts = [self.abouts[i] for i in mine] + [later.abouts[i] for i in theirs]
        return made

    def to_plain(self) -> list[Any]:
        """For a message."""
        return [self.width, np.stack(self.rows).tobytes() if self.rows else b"", self.abouts]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Rows":
        """What `to_plain` gave."""
        made = cls()
        made.width, data, made.abouts = plain
        if made.width:
            made.rows = list(np.frombuffer(data, np.float16).reshape(-1, min(made.width, WIDTH)))
        return made

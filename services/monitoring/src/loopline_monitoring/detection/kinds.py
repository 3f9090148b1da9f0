"""What a signal's values are, and what becomes of a value that is none."""

import math
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Value = float | str | Vector | None
# Longer names of categories are cut, so that one absurd value cannot fill a sketch.
LONGEST_NAME: Final = 80


class Kind(StrEnum):
    """Numbers (rates are numbers of 0 and 1), names, or embeddings."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    VECTOR = "vector"


class Flaw(StrEnum):
    """Why a value is not one."""

    MISSING = "missing"  # none, NaN, infinity, an empty name
    ODD = "odd"  # of another type than the signal's, or a vector of another length


def clean(kind: Kind, value: Any, width: int = 0) -> float | str | Vector | Flaw:
    """The value as its kind holds it, or what is wrong with it; never raises.

    `width` is the length vectors have here, 0 while none was seen.
    """
    if type(value) is float and kind is Kind.NUMERIC:  # nearly all of them
        return value if math.isfinite(value) else Flaw.MISSING
    if value is None:
        return Flaw.MISSING
    if kind is Kind.NUMERIC:
        if isinstance(value, (int, float, np.integer, np.floating)):  # bool is an int
            try:
                number = float(value)
            except OverflowError:
                return Flaw.MISSING
            return number if math.isfinite(number) else Flaw.MISSING
        return Flaw.ODD
    if kind is Kind.CATEGORICAL:
        if isinstance(value, str):
            return value[:LONGEST_NAME] if value else Flaw.MISSING
        if isinstance(value, int):  # bool too; a number of thousands of digits is no name
            return str(value) if value.bit_length() < 200 else Flaw.ODD
        if isinstance(value, float):
            return str(value) if math.isfinite(value) else Flaw.MISSING
        return Flaw.ODD
    return _vector(value, width)


def _vector(value: Any, width: int) -> Vector | Flaw:
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind != "f" or not value.size:
        return Flaw.ODD
    if width and value.size != width:
        return Flaw.ODD
    length = float(np.sqrt(np.dot(value, value)))
    if not math.isfinite(length) or length == 0.0:
        return Flaw.MISSING
    return (value / length).astype(np.float32)

"""What a signal's values are, and what becomes of a value that is none."""

import math
from enum import StrEnum
from struct import Struct
from typing import Any, Final

import numpy as np

from loopline_monitoring.detection.vectors import Turned, Vector, turned

Value = float | str | Vector | None
LARGEST: Final = float(np.finfo(np.float32).max)
_SINGLE: Final = Struct("f")
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


# A value as its kind holds it: numbers at the seven digits the sketches keep, so that equal stays equal.
Held = float | str | Turned | Flaw


def clean(kind: Kind, value: Any, width: int = 0) -> Held:
    """The value as its kind holds it, or what is wrong with it; never raises, and leaves what it gave as it is.

    `width` is the length vectors have here, 0 while none was seen.
    """
    if type(value) is float and kind is Kind.NUMERIC and -LARGEST <= value <= LARGEST:  # nearly all of them
        # Four bytes and back: half the time of numpy's scalar.
        return _SINGLE.unpack(_SINGLE.pack(value))[0]  # type: ignore[no-any-return]
    if value is None:
        return Flaw.MISSING
    if isinstance(value, Flaw):
        return value
    if kind is Kind.NUMERIC:
        return _number(value)
    if kind is Kind.CATEGORICAL:
        return _name(value)
    if isinstance(value, Turned):
        return value if width in (0, value.width) else Flaw.ODD
    return _vector(value, width)


def _number(value: Any) -> float | Flaw:
    if not isinstance(value, (int, float, np.integer, np.floating)):  # bool is an int
        return Flaw.ODD
    try:
        number = float(value)
    except OverflowError:
        return Flaw.MISSING
    if not math.isfinite(number):
        return Flaw.MISSING
    return float(np.float32(max(-LARGEST, min(LARGEST, number))))


def _name(value: Any) -> str | Flaw:
    if isinstance(value, str):
        return value[:LONGEST_NAME] if value else Flaw.MISSING
    if isinstance(value, int):  # bool too; a number of thousands of digits is no name
        return str(value) if value.bit_length() < 200 else Flaw.ODD
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else Flaw.MISSING
    return Flaw.ODD


def _vector(value: Any, width: int) -> Turned | Flaw:
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind != "f" or not value.size:
        return Flaw.ODD
    if width and value.size != width:
        return Flaw.ODD
    return turned(value) or Flaw.MISSING

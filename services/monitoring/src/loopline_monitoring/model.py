"""What this service talks about: signals, what was observed of them, and where the reading stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

# What a signal's value can be: a number (rates: 0 or 1), one of a set of names, a vector (float32), or missing.
Value = float | str | NDArray[np.float32] | None


class Kind(StrEnum):
    """What a signal's values are."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    VECTOR = "vector"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One series of values. `slice`: a group as name=value, "" for all traffic."""

    tenant: str
    collection: str
    slice: str
    signal: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What one fact tells of its signals. Times in seconds since 1970: when it happened, and when the line was told."""

    id: str
    tenant: str
    collection: str
    at: float
    told_at: float
    # The answer, query, prediction or document it is about.
    about: str
    values: Mapping[str, Value]
    # Groups it belongs to, as name=value.
    slices: tuple[str, ...] = ()
    # What made it: prompt, model, index, ...
    versions: Mapping[str, str] = field(default_factory=dict)
    question: str = ""


def kind_of(value: Value) -> Kind | None:
    """What a value is; None for a missing one."""
    if value is None:
        return None
    if isinstance(value, str):
        return Kind.CATEGORICAL
    return Kind.VECTOR if isinstance(value, np.ndarray) else Kind.NUMERIC

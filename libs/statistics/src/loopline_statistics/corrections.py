"""Many comparisons at once: p values that still mean what they say."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given: below alpha means a family-wise error of at most alpha (S. Holm, 1979).

    Holds under any dependence. What must not be wrong even once (a gate) uses this.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _restored(steps, order)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values (q values), in the order given: below alpha means a false discovery rate of at most alpha.

    Benjamini and Hochberg, 1995; for independent or positively dependent tests. For exploring: many slices, many signals.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    ratios = p[order] * len(p) / np.arange(1, len(p) + 1)
    steps = np.minimum.accumulate(ratios[::-1])[::-1]
    return _restored(steps, order)


def _restored(steps: NDArray[np.float64], order: NDArray[np.int64]) -> list[float]:
    adjusted = np.empty(len(steps))
    adjusted[order] = np.minimum(steps, 1.0)
    return [float(value) for value in adjusted]

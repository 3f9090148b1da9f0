"""Two runs over the same rows: is there a difference, and how large?"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from loopline_statistics.bootstrap import RESAMPLES, Values, expanded_interval, expanded_p, resampled_means
from loopline_statistics.estimates import Difference

_NORMAL = NormalDist()


def paired_bootstrap(
    before: Sequence[float] | Values,
    after: Sequence[float] | Values,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Compares two lists of equal length (n,), one value per row, NaN where a value is missing.

    Rows are drawn, never single trials: for several trials of a row give their mean. Interval and p come from the same
    resamples (see `bootstrap`), and p is never below what a sign test of that many differing rows could reach, 2 / 2^m:
    three rows are no proof, however alike. No pair at all raises.
    """
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"pairs need two lists of one length, not {first.shape} and {second.shape}")
    paired = ~(np.isnan(first) | np.isnan(second))
    first, second = first[paired], second[paired]
    count = first.size
    if count == 0:
        raise ValueError("no row has a value on both sides")
    differences = second - first
    means = resampled_means(differences, resamples=resamples, seed=seed)
    low, high = expanded_interval(means, count, level)
    fewest = 2.0 ** (1 - np.count_nonzero(differences)) if differences.any() else 1.0
    return Difference(
        before=float(first.mean()),
        after=float(second.mean()),
        effect=float(differences.mean()),
        low=low,
        high=high,
        p=min(1.0, max(expanded_p(means, count), fewest)),
        count=count,
        unpaired=int(paired.size - count),
        level=level,
    )


def detectable_effect(deviation: float, count: int, *, level: float = 0.95, wanted: float = 0.8) -> float:
    """The smallest mean difference that `count` pairs show with power `wanted`, when differences deviate by `deviation`."""
    return (_NORMAL.inv_cdf((1 + level) / 2) + _NORMAL.inv_cdf(wanted)) * deviation / math.sqrt(count)


def power(effect: float, deviation: float, count: int, *, level: float = 0.95) -> float:
    """The chance that `count` pairs show a true mean difference of `effect` (normal approximation of the paired test)."""
    if deviation == 0:
        return 1.0 if effect else 1 - level
    shift = abs(effect) * math.sqrt(count) / deviation
    edge = _NORMAL.inv_cdf((1 + level) / 2)
    return _NORMAL.cdf(shift - edge) + _NORMAL.cdf(-edge - shift)

"""Resampling of units, with the correction that keeps small samples honest.

A percentile interval is too narrow by the factor sqrt((n - 1) / n) and by using the normal's quantiles where Student's t
is due. Hesterberg's expanded percentiles mend both (T. Hesterberg, "What Teachers Should Know About the Bootstrap", The
American Statistician 69, 2015, section 4.1): ask the resamples for the tail Phi(-sqrt(n / (n - 1)) t) instead of alpha / 2.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from loopline_statistics import students_t
from loopline_statistics.estimates import Estimate

Values = NDArray[np.float64]
RESAMPLES = 10_000
_CELLS = 2_000_000
_NORMAL = NormalDist()


def resampled_means(values: Values, *, resamples: int, seed: int) -> Values:
    """The means of `resamples` draws with replacement of values (n,); shape (resamples,)."""
    generator = np.random.default_rng(seed)
    rows = max(1, _CELLS // len(values))
    parts = [
        values[generator.integers(0, len(values), (min(rows, resamples - start), len(values)))].mean(axis=1)
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(parts)


def expanded_interval(statistics: Values, count: int, level: float) -> tuple[float, float]:
    """The expanded percentile interval of resampled statistics that stand on `count` units; infinite for one unit."""
    if count < 2:
        return -math.inf, math.inf
    tail = _NORMAL.cdf(_stretch(count) * students_t.quantile((1 - level) / 2, count - 1))
    low, high = np.quantile(statistics, [tail, 1 - tail])
    return float(low), float(high)


def expanded_p(statistics: Values, count: int) -> float:
    """The two-sided p of "the statistic is zero": one minus the level at which `expanded_interval` just reaches zero."""
    if count < 2:
        return 1.0
    below = (np.sum(statistics < 0) + np.sum(statistics == 0) / 2 + 0.5) / (len(statistics) + 1)
    quantile = -abs(_NORMAL.inv_cdf(float(below))) / _stretch(count)
    return min(1.0, 2 * students_t.cdf(quantile, count - 1))


def mean_interval(
    values: Sequence[float] | Values, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """The mean of values (n,) with its bootstrap interval. NaN is a missing value and is left out; none at all raises."""
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if known.size == 0:
        raise ValueError("a mean needs at least one value")
    low, high = expanded_interval(resampled_means(known, resamples=resamples, seed=seed), known.size, level)
    return Estimate(float(known.mean()), low, high, known.size, level)


def item_interval(
    value: float,
    statistic: Callable[[NDArray[np.int64]], float | None],
    count: int,
    *,
    level: float,
    resamples: int,
    seed: int,
) -> Estimate:
    """Any statistic of items, given as a function of item numbers; draws on which it is undefined are left out."""
    generator = np.random.default_rng(seed)
    draws = (statistic(generator.integers(0, count, count)) for _ in range(resamples))
    known = np.array([drawn for drawn in draws if drawn is not None])
    low, high = expanded_interval(known, count, level) if known.size else (-math.inf, math.inf)
    return Estimate(value, low, high, count, level)


def _stretch(count: int) -> float:
    return math.sqrt(count / (count - 1))

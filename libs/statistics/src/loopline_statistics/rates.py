"""Shares of yes and no."""

import math
from statistics import NormalDist

from loopline_statistics.estimates import Estimate


def rate_interval(hits: int, trials: int, *, level: float = 0.95) -> Estimate:
    """hits / trials with its Wilson interval (E. B. Wilson, 1927); no trials raise."""
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f"{hits} of {trials} is no rate")
    rate, edge = hits / trials, NormalDist().inv_cdf((1 + level) / 2) ** 2 / trials
    centre = rate + edge / 2
    reach = math.sqrt(edge * (rate * (1 - rate) + edge / 4))
    low, high = max(0.0, (centre - reach) / (1 + edge)), min(1.0, (centre + reach) / (1 + edge))
    return Estimate(rate, low if hits else 0.0, high if hits < trials else 1.0, trials, level)


def acceptance(trials: int, rate: float, *, level: float = 0.95) -> tuple[int, int]:
    """The numbers of hits, both ends included, that `trials` of a true `rate` give with probability `level` or more.

    A test of an error rate holds when its count lies within: acceptance(200, .05) is (4, 16).
    """
    if not 0 < rate < 1:
        return (0, 0) if rate <= 0 else (trials, trials)
    below, low = 0.0, -1
    for hits in range(trials + 1):
        ways = math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)
        below += math.exp(ways + hits * math.log(rate) + (trials - hits) * math.log1p(-rate))
        low = hits if low < 0 and below >= (1 - level) / 2 else low
        if below >= (1 + level) / 2:
            return low, hits
    return max(low, 0), trials

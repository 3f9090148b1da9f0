"""Shares of yes and no."""

from scipy import stats

from loopline_statistics.estimates import Estimate


def rate_interval(hits: int, trials: int, *, level: float = 0.95) -> Estimate:
    """hits / trials with its Wilson interval (E. B. Wilson, 1927); no trials raise."""
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f"{hits} of {trials} is no rate")
    interval = stats.binomtest(hits, trials).proportion_ci(level, method="wilson")
    return Estimate(hits / trials, float(interval.low), float(interval.high), trials, level)


def acceptance(trials: int, rate: float, *, level: float = 0.95) -> tuple[int, int]:
    """The numbers of hits, both ends included, that `trials` of a true `rate` give with probability `level` or more.

    A test of an error rate holds when its count lies within: acceptance(200, .05) is (4, 16).
    """
    low, high = stats.binom.interval(level, trials, rate)
    return int(low), int(high)

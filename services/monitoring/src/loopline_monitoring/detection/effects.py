"""How large a change is, on one scale for all kinds: 0 none, .2 small, .5 medium, .8 large (Cohen 1988).

Numbers: the shift in standard deviations that the probability of superiority stands for, which no outlier moves, and the change of spread.
Shares: the difference of arcsines, h. Severity comes from this and never from a p-value, which only says how much data there was.
"""

import math
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

_Numbers = NDArray[np.float64]
LARGEST: Final = 4.0


class Severity(StrEnum):
    """By effect size."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


def severity(effect: float) -> Severity:
    """The word for a size."""
    if effect < 0.2:
        return Severity.NONE
    if effect < 0.5:
        return Severity.LOW
    return Severity.MEDIUM if effect < 0.8 else Severity.HIGH


def ranks(before: _Numbers, after: _Numbers) -> tuple[_Numbers, _Numbers]:
    """For each of `after`, which share of `before` lies below it, and which below or at it; both sorted and not empty."""
    below = np.searchsorted(before, after, side="left") / before.size
    through = np.searchsorted(before, after, side="right") / before.size
    return below, through


def shift(before: _Numbers, after: _Numbers, known: tuple[_Numbers, _Numbers] | None = None) -> float:
    """By how many standard deviations `after` lies higher, both sorted; ties count half. `known`: their ranks."""
    if not before.size or not after.size:
        return 0.0
    below, through = known or ranks(before, after)
    edge = 0.5 / (before.size + after.size)
    superior = min(1 - edge, max(edge, float(below.mean() + through.mean()) / 2))
    return max(-LARGEST, min(LARGEST, math.sqrt(2) * float(ndtri(superior))))


def widening(before: _Numbers, after: _Numbers) -> float:
    """The change of spread between the 10 % and 90 % points, in doublings; .8 is a large one as a shift of .8 is."""
    if not before.size or not after.size:
        return 0.0
    old, new = (quantile(part, 0.9) - quantile(part, 0.1) for part in (before, after))
    if old <= 0.0 or new <= 0.0:
        return 0.0 if old == new else math.copysign(0.5, new - old)
    return max(-LARGEST, min(LARGEST, math.log2(new / old)))


def quantile(ordered: _Numbers, share: float) -> float:
    """The number of a sorted sample, not empty, below which a share of it lies; between two, in proportion, as numpy's does at 50 times the cost."""
    at = share * (ordered.size - 1)
    below = int(at)
    low, high = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
    return low + (high - low) * (at - below)


def arcsines(before: float, after: float) -> float:
    """h of two shares."""
    return 2 * (math.asin(math.sqrt(min(1.0, max(0.0, after)))) - math.asin(math.sqrt(min(1.0, max(0.0, before)))))


def psi(before: _Numbers, after: _Numbers) -> float:
    """The population stability index of two histograms of counts; no threshold on it means much below 1,000 values."""
    old = (before + 0.5) / (before.sum() + 0.5 * before.size)
    new = (after + 0.5) / (after.sum() + 0.5 * after.size)
    return float(np.sum((new - old) * np.log(new / old)))

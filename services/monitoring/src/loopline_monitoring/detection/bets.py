"""Bets against a baseline: for each way in which values may change, by how much a value multiplies the money of whoever bet on it.

A bet is fair or worse as long as values differ from the baseline by no more than its own uncertainty and a tolerance: each bet pays the
likelihood ratio of an alternative to the *nearest* still innocent distribution, in a family whose ratio is monotone, so that no innocent one
pays more than one on average (Karlin and Rubin 1956; e-values: Gruenwald, de Heide, Koolen 2024). Two families: exponential tilts of normal
scores (higher, lower, wider, narrower), and the share of one bin (a name, missing values, values beyond all that was seen). Where values hang
together, the ratio is taken to the power 1/tau.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from loopline_monitoring.detection.bins import Bins
from loopline_monitoring.detection.kinds import Kind
from loopline_monitoring.detection.topics import RINGS

# How many standard errors of the baseline count as its own uncertainty, and how much change nobody cares about.
ERRORS: Final = 2.0
TOLERANCE: Final = 0.05
_SHIFTS: Final = (0.2, 0.6, 1.4)
_SPREADS: Final = (0.3, 0.8)
_MORE: Final = (0.05, 0.25, 0.9)
_LESS: Final = (0.7, 0.3)
_BEYOND: Final = 1.2
# A share below this cannot fall by much.
_COMMON: Final = 0.1
_Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bet:
    """One way to change, in words, and what each bin pays: [bins], natural logarithm."""

    label: str
    pays: _Numbers


def against(bins: Bins, worth: float, inflation: float, sampled: float) -> list[Bet]:
    """All bets against a baseline whose values are worth so many independent ones, have that tau, and were sampled."""
    made: list[Bet] = []
    counts = np.array(bins.counts)
    total = max(1.0, float(counts.sum()))
    worth = max(1.0, worth)
    order = max(1.0, min(worth, sampled))
    if bins.kind is Kind.NUMERIC:
        made += _tilts(counts[:-2], order, len(counts))
    if bins.kind is Kind.VECTOR:
        topics = counts[:-2].reshape(-1, RINGS)
        rings = _tilts(
            topics.sum(axis=0), order, RINGS, ("farther from the known topics", "nearer to the known topics")
        )
        made += [Bet(bet.label, np.append(np.tile(bet.pays, len(topics)), [0.0, 0.0])) for bet in rings]
        rim = np.arange(len(counts)) % RINGS == RINGS - 1
        rim[-2:] = False
        made += _share(rim, "outside the known topics", float(topics[:, -1].sum()) / total, order)
        for topic in range(len(topics)):
            inside = np.arange(len(counts)) // RINGS == topic
            inside[-2:] = False
            made += _share(inside, f"topic {topic + 1}", float(topics[topic].sum()) / total, order)
    watched = {Kind.NUMERIC: [0, bins.values - 1], Kind.CATEGORICAL: list(range(bins.values)), Kind.VECTOR: []}
    for place in [*watched[bins.kind], bins.values, bins.values + 1]:
        inside = np.arange(len(counts)) == place
        made += _share(inside, bins.name(place), float(counts[place]) / total, worth)
    return [Bet(bet.label, bet.pays / inflation) for bet in made]


def scores(counts: _Numbers) -> _Numbers | None:
    """Normal scores of bins in order, [bins], of mean 0 and variance 1; none where all values are as good as one."""
    smoothed = counts + 0.5 * (counts == 0)
    shares = smoothed / smoothed.sum()
    raw = ndtri(np.cumsum(shares) - shares / 2)
    raw = raw - shares @ raw
    variance = float(shares @ raw**2)
    return raw / math.sqrt(variance) if variance > 0.02 else None


def _tilts(counts: _Numbers, worth: float, length: int, words: tuple[str, str] = ("higher", "lower")) -> list[Bet]:
    along = scores(counts)
    if along is None:
        return []
    smoothed = counts + 0.5 * (counts == 0)
    shares = smoothed / smoothed.sum()
    error = ERRORS / math.sqrt(worth) + TOLERANCE
    made = [
        Bet(label, _padded(_tilt(sign * along, shares, error, error + shift), length))
        for label, sign in zip(words, (1.0, -1.0), strict=True)
        for shift in _SHIFTS
    ]
    wide = along**2 - 1
    variance = float(shares @ wide**2)
    if words[0] == "higher" and variance > 0.1:
        wide = wide / math.sqrt(variance)
        made += [
            Bet(label, _padded(_within(_tilt(sign * wide, shares, error, error + more)), length))
            for label, sign in (("wider", 1.0), ("narrower", -1.0))
            for more in _SPREADS
        ]
    return made


def _tilt(along: _Numbers, shares: _Numbers, innocent: float, changed: float) -> _Numbers:
    """ln of the ratio of two exponential tilts of `shares` along a score."""

    def weight(size: float) -> float:
        return math.log(float(shares @ np.exp(size * along)))

    paid: _Numbers = (changed - innocent) * along - weight(changed) + weight(innocent)
    return paid


def _within(pays: _Numbers) -> _Numbers:
    """Values beyond all that was seen pay little more than the outermost others: a shift would do the same, and has bets of its own."""
    pays[0], pays[-1] = min(pays[0], pays[1] + _BEYOND), min(pays[-1], pays[-2] + _BEYOND)
    return pays


def _padded(pays: _Numbers, length: int) -> _Numbers:
    """Missing and odd values pay nothing and cost nothing here."""
    return np.append(pays, np.zeros(length - len(pays)))


def _share(inside: NDArray[np.bool_], label: str, share: float, worth: float) -> list[Bet]:
    """On a bin's share having grown, and, if it is common, fallen."""
    low, high = wilson(share, worth)
    made = []
    if high < 0.95:
        for more in _MORE:
            changed = high + more * (1 - high)
            pays = np.where(inside, math.log(changed / high), math.log((1 - changed) / (1 - high)))
            made.append(Bet(f"more {label}", pays))
    if low > _COMMON:
        for less in _LESS:
            pays = np.where(inside, math.log(less), math.log((1 - less * low) / (1 - low)))
            made.append(Bet(f"less {label}", pays))
    return made


def wilson(share: float, worth: float) -> tuple[float, float]:
    """Between what a share of `worth` values may truly lie (Wilson 1927), and the tolerance around it."""
    square = ERRORS**2
    middle = (share + square / (2 * worth)) / (1 + square / worth)
    half = ERRORS / (1 + square / worth) * math.sqrt(share * (1 - share) / worth + square / (4 * worth**2))
    slack = TOLERANCE * math.sqrt(share * (1 - share))
    return max(0.0, middle - half - slack), min(1.0, middle + half + slack)

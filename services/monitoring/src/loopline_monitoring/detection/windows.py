"""The windowed test: does this window look like the baseline?

Numbers: Kolmogorov-Smirnov. Names: chi-square, rare names together. Vectors: maximum mean discrepancy, in the form that needs no permutations
and so can reach the small levels that a promise over many signals asks for (`discrepancy`). Missing values and values of another type: the exact
test of a share (hypergeometric). Where values hang together, samples count for as many as they are worth.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln, kolmogorov

from loopline_monitoring.detection import effects
from loopline_monitoring.detection.bins import Bins
from loopline_monitoring.detection.discrepancy import discrepancy
from loopline_monitoring.detection.effects import Severity, severity
from loopline_monitoring.detection.kinds import Kind
from loopline_monitoring.detection.sketch import Sketch

_Numbers = NDArray[np.float64]
# Independent values that a side must be worth.
FEWEST: Final = 20.0
# So few different numbers are compared as names are.
_FEW: Final = 12
# Expected counts below this are put together.
_EXPECTED: Final = 8.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a test says. `p` is 1.0 when there was not enough data; `effect` is on the scale of `effects`."""

    test: str
    p: float
    effect: float
    severity: Severity
    enough: bool
    told: str
    psi: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look says; `effect` has the sign of the change."""

    test: str
    p: float
    effect: float
    told: str


def compare(baseline: Sketch, window: Sketch, bins: Bins | None = None) -> Verdict:
    """The window against the baseline; `bins`: the baseline's, where they are known."""
    # A short window shows less of how values hang together than the baseline does.
    inflation = max(baseline.blocks.inflation(), window.blocks.inflation())
    poor = _too_little(baseline, window, inflation)
    if poor:
        return Verdict("none", 1.0, 0.0, Severity.NONE, False, poor, None)
    findings = _flaws(baseline, window, inflation)
    # How many independent values either sample is worth.
    before, after = (min(sketch.sampled(whole=True), sketch.count / inflation) for sketch in (baseline, window))
    if baseline.count and window.count and min(before, after) >= FEWEST:
        findings.append(_TESTS[baseline.kind](baseline, window, before, after))
    if not findings:
        return Verdict("none", 1.0, 0.0, Severity.NONE, True, "nothing missing, nothing else to compare", None)
    strongest = min(findings, key=lambda finding: (finding.p, -abs(finding.effect)))
    # Several looks at one window: each pays for all of them.
    p = min(1.0, strongest.p * len(findings))
    size = abs(strongest.effect)
    return Verdict(strongest.test, p, size, severity(size), True, strongest.told, _stability(baseline, window, bins))


def _too_little(baseline: Sketch, window: Sketch, inflation: float) -> str:
    for name, sketch in (("the baseline", baseline), ("the window", window)):
        worth = sketch.seen / inflation
        if worth < FEWEST:
            alike = f", worth {worth:.0f} independent ones" if worth < 0.9 * sketch.seen else ""
            return f"not enough data: {name} holds {sketch.seen} values{alike}; {FEWEST:.0f} are needed"
    return ""


def _flaws(baseline: Sketch, window: Sketch, inflation: float) -> list[Finding]:
    """Missing and odd values, where there are any."""
    found = []
    for name, told in (("missing", "missing"), ("odd", "of another type")):
        before, after = getattr(baseline, name), getattr(window, name)
        if before or after:
            shares = before / baseline.seen, after / window.seen
            p = shares_differ(before, baseline.seen, after, window.seen, inflation)
            words = f"{told} {shares[0]:.1%} -> {shares[1]:.1%}"
            found.append(Finding("exact share", p, effects.arcsines(*shares), words))
    return found


def shares_differ(before: int, seen_before: int, after: int, seen_after: int, inflation: float = 1.0) -> float:
    """p of so many of so many before and after, two-sided; counts thinned to what they are worth."""
    k, n, m = (round(count / inflation) for count in (after, seen_after, seen_before))
    hits = k + round(before / inflation)
    # Of n + m values `hits` are such: how likely is it that each possible number of them falls to the n?
    possible = np.arange(max(0, hits - m), min(hits, n) + 1, dtype=np.float64)
    every = _choose(n + m, np.array([float(n)]))
    chances = np.exp(_choose(hits, possible) + _choose(n + m - hits, n - possible) - every)
    above, below = float(chances[possible >= k].sum()), float(chances[possible <= k].sum())
    return min(1.0, 2 * min(above, below))


def _choose(total: float, some: _Numbers) -> _Numbers:
    """ln of the number of ways (scipy.stats has the whole distribution, for 40 MB)."""
    ways: _Numbers = gammaln(total + 1) - gammaln(some + 1) - gammaln(total - some + 1)
    return ways


def _numbers(baseline: Sketch, window: Sketch, before: float, after: float) -> Finding:
    return numbers_differ(np.sort(baseline.sample()), np.sort(window.sample()), before, after)


def numbers_differ(before: _Numbers, after: _Numbers, worth_before: float, worth_after: float) -> Finding:
    """Two samples of numbers, both sorted and not empty, worth so many independent ones."""
    if max(_distinct(before), _distinct(after)) <= _FEW:
        return _steps(before, after, worth_before, worth_after)
    known = effects.ranks(before, after)
    distance, p = smirnov(after, known, worth_before, worth_after)
    moved, wider = effects.shift(before, after, known), effects.widening(before, after)
    told = f"median {before[before.size // 2]:.4g} -> {after[after.size // 2]:.4g}"
    if abs(wider) > abs(moved):
        told = f"spread {'grew' if wider > 0 else 'shrank'} by {2 ** abs(wider):.1f} times"
    return Finding("kolmogorov-smirnov", p, max(moved, wider, key=abs), f"{told} (KS {distance:.2f})")


def _distinct(ordered: _Numbers) -> int:
    return int((np.diff(ordered) > 0).sum()) + 1


def _steps(before: _Numbers, after: _Numbers, worth_before: float, worth_after: float) -> Finding:
    """Rates and small counts: Kolmogorov-Smirnov says too little where many values are equal."""
    values = np.unique(np.concatenate((before, after)))
    edges = [np.append(np.searchsorted(part, values), part.size) for part in (before, after)]
    old, new = (np.diff(edge).astype(np.float64) for edge in edges)
    p = chi_square(old, new, worth_before, worth_after) if values.size > 1 else 1.0
    sizes = [effects.arcsines(*pair) for pair in zip(old / before.size, new / after.size, strict=True)]
    told = f"mean {before.mean():.4g} -> {after.mean():.4g}"
    return Finding("chi-square", p, max(*sizes, effects.shift(before, after), key=abs), told)


def smirnov(
    after: _Numbers, known: tuple[_Numbers, _Numbers], worth_before: float, worth_after: float
) -> tuple[float, float]:
    """Largest distance of two distributions, and its asymptotic p: from one sorted sample and its ranks in the other.

    Both distributions are steps; they are farthest apart at one of these values or just below it.
    """
    places = np.arange(after.size)
    rises = np.concatenate(([True], after[1:] > after[:-1], [True]))
    below = np.maximum.accumulate(np.where(rises[:-1], places, 0)) / after.size
    through = np.minimum.accumulate(np.where(rises[1:], places + 1, after.size)[::-1])[::-1] / after.size
    distance = max(float(np.abs(known[0] - below).max()), float(np.abs(known[1] - through).max()))
    worth = math.sqrt(worth_before * worth_after / (worth_before + worth_after))
    # Stephens's correction makes the limit good from a handful of values on.
    return distance, float(kolmogorov((worth + 0.12 + 0.11 / worth) * distance))


def _names(baseline: Sketch, window: Sketch, before: float, after: float) -> Finding:
    return names_differ(*tallies(baseline, window), before, after)


def names_differ(
    labels: list[str], before: _Numbers, after: _Numbers, worth_before: float, worth_after: float
) -> Finding:
    """Two counts, [n] and [n], of what is called so, worth so many independent ones."""
    p = chi_square(before, after, worth_before, worth_after)
    old, new = before / before.sum(), after / after.sum()
    sizes = [effects.arcsines(*pair) for pair in zip(old, new, strict=True)]
    most = int(np.abs(sizes).argmax())
    return Finding("chi-square", p, sizes[most], f"{labels[most]} {old[most]:.1%} -> {new[most]:.1%}")


def tallies(baseline: Sketch, window: Sketch) -> tuple[list[str], _Numbers, _Numbers]:
    """What both sides' names are called and how often each was seen, [n], [n]; by group where there are too many."""
    old, new = baseline.names, window.names
    if not (old.whole and new.whole):
        labels = [f"group {number + 1} of the names" for number in range(len(old.groups))]
        return labels, np.array(old.groups, float), np.array(new.groups, float)
    seen = {**old.surely(), **new.surely()}
    labels = [f"'{name}'" if name in old.counts else f"new '{name}'" for name in seen]
    before, after = (np.array([side.counts.get(name, 0) for name in seen], float) for side in (old, new))
    return labels, before, after


def chi_square(before: _Numbers, after: _Numbers, worth_before: float, worth_after: float) -> float:
    """p of two histograms of counts, [bins] each, thinned to what they are worth; rare bins put together."""
    sides = np.stack((before / before.sum() * worth_before, after / after.sum() * worth_after))
    expected = sides.sum(axis=0) * sides.sum(axis=1, keepdims=True) / sides.sum()
    rare = expected.min(axis=0) < _EXPECTED
    # What is rare even together joins the rarest of the others.
    order = np.argsort(expected.min(axis=0))
    joined = int(rare.sum())
    while 0 < joined < len(order) and expected.min(axis=0)[order[:joined]].sum() < _EXPECTED:
        joined += 1
    if joined:
        sides = np.column_stack((sides[:, order[joined:]], sides[:, order[:joined]].sum(axis=1)))
    if sides.shape[1] < 2:
        return 1.0
    expected = sides.sum(axis=0) * sides.sum(axis=1, keepdims=True) / sides.sum()
    statistic = float((np.maximum(0.0, np.abs(sides - expected) - 0.5) ** 2 / expected).sum())
    return float(chdtrc(sides.shape[1] - 1, statistic))


def _vectors(baseline: Sketch, window: Sketch, before: float, after: float) -> Finding:
    (old, _), (new, _) = baseline.vectors(), window.vectors()
    if old.shape[1] != new.shape[1]:
        words = f"vectors of {baseline.rows.width} -> {window.rows.width} numbers"
        return Finding("maximum mean discrepancy", 0.0, effects.LARGEST, words)
    p, size = discrepancy(old, new, before, after)
    return Finding("maximum mean discrepancy", p, size, f"the subjects moved by {size:.2f} standard deviations")


def _stability(baseline: Sketch, window: Sketch, bins: Bins | None) -> float | None:
    if baseline.kind is Kind.VECTOR or not (baseline.count and window.count):
        return None
    if baseline.kind is Kind.NUMERIC:
        bins = bins or Bins.of(baseline)
        before = np.array(bins.counts[:-2])
        places = np.searchsorted(bins.edges, window.sample(), side="right")
        after = np.bincount(places, minlength=len(before)).astype(np.float64)
    else:
        _, before, after = tallies(baseline, window)
    return effects.psi(before, after)


_TESTS: Final[dict[Kind, Callable[[Sketch, Sketch, float, float], Finding]]] = {
    Kind.NUMERIC: _numbers,
    Kind.CATEGORICAL: _names,
    Kind.VECTOR: _vectors,
}

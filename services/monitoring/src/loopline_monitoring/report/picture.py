"""What a report shows, before it is drawn: the same for a running line and for two files."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from loopline_monitoring.detection import Kind, Severity, Sketch

_Numbers = NDArray[np.float64]
BARS = 20
NAMES = 10


@dataclass(frozen=True, slots=True)
class Point:
    """One window: its times in s since 1970 (or row numbers), its values, what was said of it."""

    begin: float
    end: float
    middle: float
    low: float
    high: float
    told: str = ""
    after_gap: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """An alarm; open ones end with the page."""

    begin: float
    end: float | None
    severity: Severity
    told: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A version first seen."""

    at: float
    told: str


@dataclass(frozen=True, slots=True)
class Shares:
    """Two distributions over the same bars."""

    names: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal, or one column, with all that is shown of it."""

    name: str
    kind: Kind
    told: str
    severity: Severity = Severity.NONE
    changed: bool = False
    enough: bool = True
    effect: float = 0.0
    p: float = 1.0
    psi: float | None = None
    # What is normal: 5 %, 50 % and 95 % of the baseline.
    band: tuple[float, float, float] | None = None
    points: tuple[Point, ...] = ()
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()
    shares: Shares | None = None
    # Ids behind the change.
    examples: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """A question, or a row, on the map."""

    x: float
    y: float
    later: bool
    about: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report. `clock`: whether points stand at times of day or at row numbers."""

    title: str
    told: str
    signals: tuple[Signal, ...]
    spots: tuple[Spot, ...] = ()
    spots_told: str = ""
    notes: tuple[str, ...] = field(default=())
    clock: bool = True


def bars_of_numbers(before: _Numbers, after: _Numbers) -> Shares | None:
    """Shares per bar of equal width between the outer percents of both; both sorted; what lies outside counts to the outermost."""
    if not before.size or not after.size:
        return None
    every = (before, after)
    low = min(float(part[int(0.01 * (part.size - 1))]) for part in every)
    high = max(float(part[int(0.99 * (part.size - 1))]) for part in every)
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BARS + 1)
    shares = []
    for part in every:
        places = np.searchsorted(part, edges[1:-1], side="right")
        shares.append(np.diff(np.concatenate(([0], places, [part.size]))) / part.size)
    names = tuple(f"{edges[k]:.4g} to {edges[k + 1]:.4g}" for k in range(BARS))
    return Shares(names, tuple(shares[0].tolist()), tuple(shares[1].tolist()))


def bars_of_names(before: dict[str, int], after: dict[str, int]) -> Shares | None:
    """Shares of the most frequent names of both, and of the rest."""
    totals = max(1, sum(before.values())), max(1, sum(after.values()))
    most = sorted(
        {*before, *after}, key=lambda name: (-before.get(name, 0) / totals[0] - after.get(name, 0) / totals[1], name)
    )[:NAMES]
    if not most:
        return None
    sides = []
    for counts, total in zip((before, after), totals, strict=True):
        shares = [counts.get(name, 0) / total for name in most]
        sides.append((*shares, max(0.0, sum(counts.values()) / total - sum(shares))))
    rest = max(len(before), len(after)) > NAMES
    keep = len(most) + rest
    return Shares((*most, "all others")[:keep], sides[0][:keep], sides[1][:keep])


def bars_of_sketches(before: Sketch, after: Sketch) -> Shares | None:
    """Two distributions as the monitor keeps them; none for vectors, which have the map."""
    if before.kind is Kind.NUMERIC:
        return bars_of_numbers(np.sort(before.sample()), np.sort(after.sample()))
    if before.kind is Kind.CATEGORICAL:
        old, new = ({**sketch.names.surely()} for sketch in (before, after))
        return bars_of_names(old, new)
    return None


def map_of(before: NDArray[np.float32], after: NDArray[np.float32], abouts: Sequence[str]) -> tuple[Spot, ...]:
    """Two samples, [n, d] and [m, d], on their first two principal axes; `abouts` names all n + m."""
    if before.shape[0] + after.shape[0] < 3 or before.shape[1] != after.shape[1] or before.shape[1] < 2:
        return ()
    every = np.vstack((before, after)).astype(np.float64)
    centred = every - every.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    # The sign of an axis is chance: the larger half points up, so that the same data make the same picture.
    signs = np.where(axes[:2].sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    flat = centred @ (axes[:2] * signs).T
    return tuple(
        Spot(float(x), float(y), number >= len(before), abouts[number] if number < len(abouts) else "")
        for number, (x, y) in enumerate(flat)
    )

"""Two tables column by column: the tests of the monitor over all rows, and one rate of false discoveries over all columns.

Rows count as independent, as in every comparison of two files. The share of false discoveries among the columns called changed is held by
Benjamini and Hochberg (1995; scipy); how severe a change is says its size alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from loopline_monitoring.detection import Kind, Severity, effects
from loopline_monitoring.detection.windows import Finding, names_differ, numbers_differ, shares_differ
from loopline_monitoring.report.picture import Page, Point, Shares, Signal, Spot, bars_of_names, bars_of_numbers, map_of
from loopline_monitoring.report.tables import Column, Table, column

_Numbers = NDArray[np.float64]
FEWEST: Final = 20
_WINDOWS: Final = 24
_SPOTS: Final = 300


def compare_tables(reference: Table, current: Table, level: float = 0.05, title: str = "Two tables compared") -> Page:
    """Every column of either table; `level` is the share of false discoveries that is accepted."""
    compared: list[Signal] = []
    loose: list[Signal] = []
    numbers: list[tuple[Column, Column]] = []
    for name, cells in reference.items():
        before = column(cells)
        if name not in current:
            loose.append(Signal(name, before.kind, "this column is gone", Severity.HIGH, changed=True))
            continue
        after = column(current[name], like=before)
        if before.kind is Kind.NUMERIC:
            numbers.append((before, after))
        compared.append(_compared(name, before, after))
    loose += [
        Signal(name, column(cells).kind, "this column is new", Severity.HIGH, changed=True)
        for name, cells in current.items()
        if name not in reference
    ]
    signals = [*_controlled(compared, level), *loose]
    changed = sum(signal.changed for signal in signals)
    rows = tuple(len(next(iter(table.values()), [])) for table in (reference, current))
    told = (
        f"{rows[0]:,} rows before, {rows[1]:,} after; {changed} of {len(signals)} columns changed "
        f"(at most {level:.0%} of these by chance)"
    )
    spots = _map(numbers)
    return Page(
        title,
        told,
        tuple(signals),
        spots,
        "Rows by their numbers, on the two axes along which they vary most.",
        clock=False,
    )


def _compared(name: str, before: Column, after: Column) -> Signal:
    old, new = np.sort(before.numbers), np.sort(after.numbers)
    counts = before.names, after.names
    shares = bars_of_numbers(old, new) if before.kind is Kind.NUMERIC else bars_of_names(*counts)
    band = (
        (float(old[old.size // 20]), float(old[old.size // 2]), float(old[-1 - old.size // 20])) if old.size else None
    )
    bare = Signal(name, before.kind, "no values, before or after", band=band, points=_windows(after), shares=shares)
    if min(before.rows, after.rows) < FEWEST:
        told = f"not enough data: {before.rows} rows before, {after.rows} after; {FEWEST} are needed"
        return replace(bare, told=told, enough=False)
    found = _flaws(before, after)
    if old.size and new.size:
        differing = numbers_differ(old, new, old.size, new.size)
        told = f"length of the texts: {differing.told}" if before.lengths else differing.told
        found.append(replace(differing, told=told))
    elif before.names and after.names:
        found.append(_names(*counts))
    if not found:
        return bare
    strongest = min(found, key=lambda finding: (finding.p, -abs(finding.effect)))
    size = abs(strongest.effect)
    p = min(1.0, strongest.p * len(found))
    return replace(bare, told=strongest.told, severity=effects.severity(size), effect=size, p=p, psi=_psi(shares))


def _names(before: Counter[str], after: Counter[str]) -> Finding:
    every = {**before, **after}
    labels = [f"'{name[:40]}'" if name in before else f"new '{name[:40]}'" for name in every]
    old, new = (np.array([counts.get(name, 0) for name in every], np.float64) for counts in (before, after))
    return names_differ(labels, old, new, float(old.sum()), float(new.sum()))


def _flaws(before: Column, after: Column) -> list[Finding]:
    found = []
    sides = (("missing", before.missing, after.missing), ("not numbers", before.odd, after.odd))
    for word, old, new in sides:
        if old or new:
            shares = old / before.rows, new / after.rows
            told = f"{word} {shares[0]:.1%} -> {shares[1]:.1%}"
            p = shares_differ(old, before.rows, new, after.rows)
            found.append(Finding("exact share", p, effects.arcsines(*shares), told))
    return found


def _windows(after: Column) -> tuple[Point, ...]:
    """The rows in their order, in 24 parts."""
    size = after.numbers.size // _WINDOWS
    if size < FEWEST:
        return ()
    parts = np.sort(after.numbers[: size * _WINDOWS].reshape(_WINDOWS, size), axis=1)
    marks = parts[:, [size // 2, size // 20, size - 1 - size // 20]]
    step = after.rows / _WINDOWS
    return tuple(
        Point(number * step, (number + 1) * step, middle, low, high)
        for number, (middle, low, high) in enumerate(marks.tolist())
    )


def _psi(shares: Shares | None) -> float | None:
    return None if shares is None else effects.psi(np.array(shares.before) * 1e4, np.array(shares.after) * 1e4)


def _controlled(signals: Sequence[Signal], level: float) -> list[Signal]:
    """Which are called changed: those that are no chance and no trifle."""
    tested = [signal for signal in signals if signal.enough]
    if not tested:
        return list(signals)
    adjusted = dict(zip(map(id, tested), false_discovery_control([signal.p for signal in tested]), strict=True))
    return [
        replace(signal, changed=bool(adjusted.get(id(signal), 1.0) <= level and signal.severity is not Severity.NONE))
        for signal in signals
    ]


def _map(numbers: Sequence[tuple[Column, Column]]) -> tuple[Spot, ...]:
    """Some rows of both files on the principal axes of their numbers, each in standard deviations of before."""
    sides: tuple[list[_Numbers], list[_Numbers]] = ([], [])
    for before, after in numbers:
        # Only columns without holes: rows must stay rows.
        if min(before.numbers.size - before.rows, after.numbers.size - after.rows) < 0 or before.numbers.size < FEWEST:
            continue
        spread = float(before.numbers.std()) or 1.0
        for side, held in zip(sides, (before.numbers, after.numbers), strict=True):
            every = max(1, held.size // _SPOTS)
            side.append(np.clip((held[::every][:_SPOTS] - before.numbers.mean()) / spread, -8, 8))
    if len(sides[0]) < 2 or not sides[1][0].size:
        return ()
    old, new = (np.stack(side, axis=1).astype(np.float32) for side in sides)
    names = [f"a row {word}" for word, part in (("before", old), ("after", new)) for _ in part]
    return map_of(old, new, names)

"""Drawings as SVG text: no script, no file, no network. Colours come from the page's style."""

import time
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from loopline_monitoring.report.picture import Point, Shares, Signal, Spot

_WIDTH: Final = 600
_HEIGHT: Final = 130
_LEFT: Final = 52
_FOOT: Final = 18
BLOCKS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None]) -> str:
    """Values as eight heights of blocks; a gap is a space."""
    held = [value for value in values if value is not None]
    if not held:
        return ""
    low, high = min(held), max(held)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if value is None else BLOCKS[round((value - low) * scale)] for value in values)


def timeline(signal: Signal, clock: bool) -> str:
    """Windows over time with what is normal, alarms and versions."""
    points = signal.points
    if not points:
        return ""
    begin, end = points[0].begin, max(points[-1].end, points[0].begin + 1e-9)
    values = [value for point in points for value in (point.low, point.high)] + list(signal.band or ())
    bottom, top = min(values), max(values)
    if bottom == top:
        bottom, top = bottom - 1.0, top + 1.0
    across = _scale(begin, end, _LEFT, _WIDTH - 8)
    up = _scale(bottom, top, _HEIGHT - _FOOT - 4, 8)
    parts = []
    if signal.band:
        low, middle, high = signal.band
        height = max(1.0, up(low) - up(high))
        parts.append(
            f'<rect class="band" x="{_LEFT}" y="{up(high):.1f}" width="{_WIDTH - 8 - _LEFT}" height="{height:.1f}"/>'
            f'<line class="usual" x1="{_LEFT}" x2="{_WIDTH - 8}" y1="{up(middle):.1f}" y2="{up(middle):.1f}"/>'
        )
    for span in signal.spans:
        left, right = across(max(begin, span.begin)), across(min(end, span.end if span.end is not None else end))
        parts.append(
            f'<rect class="alarm {span.severity}" x="{left:.1f}" y="4" width="{max(2.0, right - left):.1f}" '
            f'height="{_HEIGHT - _FOOT - 4}"><title>{escape(span.told)}</title></rect>'
        )
    for run in _runs(points):
        there = [(across((point.begin + point.end) / 2), point) for point in run]
        outline = [f"{x:.1f},{up(point.high):.1f}" for x, point in there]
        outline += [f"{x:.1f},{up(point.low):.1f}" for x, point in reversed(there)]
        line = " ".join(f"{x:.1f},{up(point.middle):.1f}" for x, point in there)
        parts.append(f'<polygon class="range" points="{" ".join(outline)}"/><polyline class="middle" points="{line}"/>')
    for point in points:
        x = across((point.begin + point.end) / 2)
        told = f"{stamp(point.begin, clock)} to {stamp(point.end, clock)}: {point.middle:.4g}. {point.told}"
        parts.append(
            f'<circle class="dot" cx="{x:.1f}" cy="{up(point.middle):.1f}" r="2.2"><title>{escape(told)}</title></circle>'
        )
    for mark in signal.marks:
        if begin <= mark.at <= end:
            x = across(mark.at)
            parts.append(
                f'<line class="version" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{_HEIGHT - _FOOT}"><title>'
                f"{escape(mark.told)}, {stamp(mark.at, clock)}</title></line>"
            )
    parts += [
        f'<text x="{_LEFT - 4}" y="{up(value) + 3:.1f}" class="left">{value:.3g}</text>' for value in (bottom, top)
    ]
    foot = _HEIGHT - 4
    parts.append(f'<text x="{_LEFT}" y="{foot}">{stamp(begin, clock)}</text>')
    parts.append(f'<text x="{_WIDTH - 8}" y="{foot}" class="left">{stamp(end, clock)}</text>')
    return _svg(_WIDTH, _HEIGHT, f"{signal.name} over time", parts)


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Windows in a row without a gap: a gap is drawn as one."""
    runs: list[list[Point]] = []
    for point in points:
        if point.after_gap or not runs:
            runs.append([])
        runs[-1].append(point)
    return runs


def bars(shares: Shares, name: str) -> str:
    """Before and after, side by side."""
    top = max(*shares.before, *shares.after, 1e-9)
    width, height, foot = 330, _HEIGHT, 18
    step = (width - 8) / len(shares.names)
    parts = []
    for number, label in enumerate(shares.names):
        for side, (word, share) in enumerate((("before", shares.before[number]), ("after", shares.after[number]))):
            tall = share / top * (height - foot - 8)
            x = 4 + number * step + side * step * 0.42
            parts.append(
                f'<rect class="{word}" x="{x:.1f}" y="{height - foot - tall:.1f}" width="{step * 0.4:.1f}" height="{tall:.1f}">'
                f"<title>{escape(label)}: {word} {share:.1%}</title></rect>"
            )
    ends = (shares.names[0], shares.names[-1])
    parts.append(f'<text x="4" y="{height - 4}">{escape(ends[0][:24])}</text>')
    parts.append(f'<text x="{width - 4}" y="{height - 4}" class="left">{escape(ends[1][:24])}</text>')
    return _svg(width, height, f"{name} before and after", parts)


def scatter(spots: Sequence[Spot]) -> str:
    """The map: what lies close together is alike."""
    width, height = 640, 420
    xs, ys = [spot.x for spot in spots], [spot.y for spot in spots]
    across, up = _scale(min(xs), max(xs), 10, width - 10), _scale(min(ys), max(ys), height - 10, 10)
    parts = [
        f'<circle class="{"after" if spot.later else "before"}" cx="{across(spot.x):.1f}" cy="{up(spot.y):.1f}" r="3.2">'
        f"<title>{escape(spot.about)}</title></circle>"
        for spot in spots
    ]
    return _svg(width, height, "map", parts)


def stamp(at: float, clock: bool) -> str:
    """A time for people (UTC), or a row number."""
    return time.strftime("%d %b %H:%M", time.gmtime(at)) if clock else f"row {at:,.0f}"


def _scale(low: float, high: float, first: float, last: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda value: first + (value - low) / span * (last - first)


def _svg(width: int, height: int, name: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{escape(name)}">'
        f"{''.join(parts)}</svg>"
    )

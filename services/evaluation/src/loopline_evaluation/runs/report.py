"""A comparison as one page of HTML that needs nothing else: no script, no font, no image from anywhere."""

import html
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from loopline_evaluation.runs.comparing import Compared, Comparison, Moved
from loopline_evaluation.runs.results import Measured, Results

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #ddd;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.better{color:#0a6b2d;font-weight:600}.worse{color:#a31515;font-weight:600}.dim{color:#666}details{margin:.4rem 0}
pre{white-space:pre-wrap;margin:.2rem 0;font:inherit}
svg text{font:12px system-ui,sans-serif;fill:#333}
"""
_WIDTH, _LINE, _LABEL = 760, 26, 230
_COLOURS = {"better": "#0a6b2d", "worse": "#a31515", "": "#777"}


def report(found: Comparison) -> str:
    """The whole page."""
    whole = [one for one in found.compared if not one.slice]
    sliced = [one for one in found.compared if one.slice]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
        f"<title>{_text(_name(found))}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(_name(found))}</h1>",
        _facts(found),
        f"<h2>All rows</h2>{_forest(whole)}{_table(whole, found.level)}",
        f"<h2>Slices</h2>{_forest(sliced)}{_table(sliced, found.level)}" if sliced else "",
        f"<h2>Values, before and after</h2>{''.join(_distributions(found, one.metric) for one in whole)}",
        f"<h2>Rows that changed most</h2>{_moved(found.moved)}" if found.moved else "",
        "<p class='dim'>Effects are means of after minus before, row by row, with bootstrap intervals over rows. p values over all rows are",
        " corrected by Holm, over slices by Benjamini and Hochberg. No word of better or worse means: the data do not tell.</p></body></html>",
    ]
    return "\n".join(parts)


def _name(found: Comparison) -> str:
    return f"{found.after.run.spec.dataset}: {found.before.run.run_id} → {found.after.run.run_id}"


def _facts(found: Comparison) -> str:
    changed = [
        f"<tr><th>{_text(kind)}</th><td>{_text(before) or '–'}</td><td>{_text(after) or '–'}</td></tr>"
        for kind, (before, after) in found.changed.items()
    ]
    rows = [
        _fact("run", found, lambda one: one.run.run_id),
        _fact("target", found, lambda one: str(one.run.spec.target)),
        _fact("finished", found, lambda one: _time(one.run.finished_at)),
        _fact("rows, trials", found, lambda one: f"{len(one.rows)}, {one.run.spec.repeat}"),
        _fact("failed answers", found, lambda one: str(one.failed)),
        _fact("tokens", found, lambda one: f"{one.tokens:,}"),
        _fact("seed", found, lambda one: str(one.run.spec.seed)),
    ]
    return f"<table><tr><th></th><th>before</th><th>after</th></tr>{''.join([*rows, *changed])}</table>"


def _fact(label: str, found: Comparison, told: Callable[[Results], str]) -> str:
    return f"<tr><th>{label}</th><td>{_text(told(found.before))}</td><td>{_text(told(found.after))}</td></tr>"


def _forest(compared: Sequence[Compared]) -> str:
    """Effects with their intervals, one line each, about zero."""
    shown = [one for one in compared if math.isfinite(one.difference.low) and math.isfinite(one.difference.high)]
    if not shown:
        return ""
    reach = max(1e-9, *(abs(edge) for one in shown for edge in (one.difference.low, one.difference.high)))
    middle, scale = _LABEL + (_WIDTH - _LABEL) / 2, (_WIDTH - _LABEL - 40) / 2 / reach
    lines = []
    for place, one in enumerate(shown):
        y, colour = place * _LINE + 16, _COLOURS[one.seen]
        low, high, mean = (
            middle + scale * edge for edge in (one.difference.low, one.difference.high, one.difference.effect)
        )
        lines.append(
            f"<text x='0' y='{y + 4}'>{_text(_label(one))}</text>"
            f"<line x1='{low:.1f}' x2='{high:.1f}' y1='{y}' y2='{y}' stroke='{colour}' stroke-width='2'/>"
            f"<circle cx='{mean:.1f}' cy='{y}' r='4' fill='{colour}'/>"
        )
    height = len(shown) * _LINE + 24
    axis = f"<line x1='{middle}' x2='{middle}' y1='0' y2='{height - 20}' stroke='#bbb'/><text x='{middle - 3}' y='{height - 4}'>0</text>"
    ends = f"<text x='{_LABEL}' y='{height - 4}'>{-reach:.3f}</text><text x='{_WIDTH - 50}' y='{height - 4}'>{reach:+.3f}</text>"
    return f"<svg viewBox='0 0 {_WIDTH} {height}' width='100%' role='img' aria-label='effects'>{axis}{ends}{''.join(lines)}</svg>"


def _table(compared: Sequence[Compared], level: float) -> str:
    head = f"<tr><th>metric</th><th>before</th><th>after</th><th>effect ({level:.0%})</th><th>p</th><th>rows</th><th></th></tr>"
    return f"<table>{head}{''.join(map(_line, compared))}</table>"


def _line(one: Compared) -> str:
    found = one.difference
    return (
        f"<tr><td>{_text(_label(one))}</td><td class='n'>{found.before:.3f}</td><td class='n'>{found.after:.3f}</td>"
        f"<td class='n'>{found.effect:+.3f} ({found.low:+.3f} to {found.high:+.3f})</td><td class='n'>{one.p:.3f}</td>"
        f"<td class='n'>{found.count}</td><td class='{one.seen}'>{one.seen or f'<span class=dim>shows from {one.detectable:.3f}</span>'}</td></tr>"
    )


def _distributions(found: Comparison, metric: str) -> str:
    """Two histograms, one above the other, on one scale."""
    both = [side.measured[metric] for side in (found.before, found.after)]
    values = [_known(measured, side) for measured, side in zip(both, (found.before, found.after), strict=True)]
    if not all(values):
        return ""
    low, high = min(map(min, values)), max(map(max, values))
    bins, width, tall = 20, _WIDTH - _LABEL, 40
    step = (high - low) / bins or 1.0
    parts = [f"<text x='0' y='16'>{_text(metric)}</text><text x='0' y='32' class='dim'>{low:.2f} to {high:.2f}</text>"]
    most = 1
    counted = []
    for some in values:
        counts = [0] * bins
        for value in some:
            counts[min(bins - 1, int((value - low) / step))] += 1
        counted.append(counts)
        most = max(most, *counts)
    for number, counts in enumerate(counted):
        colour = ("#9aa7b5", "#2f6fb0")[number]
        for place, count in enumerate(counts):
            size = tall * count / most
            x, y = _LABEL + place * width / bins, (number + 1) * (tall + 6) - size
            parts.append(
                f"<rect x='{x:.1f}' y='{y:.1f}' width='{width / bins - 2:.1f}' height='{size:.1f}' fill='{colour}'/>"
            )
    height = 2 * (tall + 6) + 6
    return f"<svg viewBox='0 0 {_WIDTH} {height}' width='100%' role='img' aria-label='{_text(metric)}'>{''.join(parts)}</svg>"


def _known(measured: Measured, side: Results) -> list[float]:
    return [value for value in measured.means(list(side.rows)) if not math.isnan(value)]


def _moved(moved: Sequence[Moved]) -> str:
    return "".join(
        f"<details><summary>{_text(one.metric)} {one.before:.2f} → {one.after:.2f} &nbsp; {_text(one.row.question[:160])}</summary>"
        f"<table><tr><th>row</th><td>{_text(one.row.id)}</td></tr>"
        f"<tr><th>reference</th><td><pre>{_text('; '.join(one.row.references)[:2000])}</pre></td></tr>"
        f"<tr><th>before</th><td><pre>{_text(one.text_before[:4000])}</pre></td></tr>"
        f"<tr><th>after</th><td><pre>{_text(one.text_after[:4000])}</pre></td></tr></table></details>"
        for one in moved
    )


def _label(one: Compared) -> str:
    return f"{one.metric} [{one.slice}]" if one.slice else one.metric


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds") if seconds else "–"


def _text(said: str) -> str:
    return html.escape(said, quote=True)

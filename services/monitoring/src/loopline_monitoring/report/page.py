"""The report as one file of HTML that needs no network and runs no script."""

from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

from loopline_monitoring.report.charts import bars, scatter, sparkline, timeline
from loopline_monitoring.report.picture import Page, Signal


def render(page: Page) -> str:
    """The page as HTML; every text of the data is escaped, and a policy in the page forbids whatever would be loaded or run."""
    changed = [signal for signal in page.signals if signal.changed]
    others = [signal for signal in page.signals if not signal.changed]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{escape(page.title)}</title><style>{_style()}</style></head><body>",
        f'<h1>{escape(page.title)}</h1><p class="soft">{escape(page.told)}</p>',
        *(f"<p>{escape(note)}</p>" for note in page.notes),
        _table([*changed, *others]),
    ]
    if page.spots:
        parts.append(f"<section><h2>Map</h2><p>{escape(page.spots_told)}</p>{_KEY}{scatter(page.spots)}</section>")
    if page.signals:
        parts.append(f'<p class="soft">{_KEY}</p>')
    parts += [_section(signal, page.clock) for signal in [*changed, *others]]
    parts.append("</body></html>")
    return "\n".join(parts)


_KEY: Final = '<span class="key old">before</span> <span class="key new">after</span>'


@cache
def _style() -> str:
    return (files(__package__) / "style.css").read_text()


def _anchor(name: str) -> str:
    return "s" + name.encode().hex()


def _tag(signal: Signal) -> str:
    if not signal.enough:
        return '<span class="tag">not enough data</span>'
    if not signal.changed:
        return '<span class="tag">as before</span>'
    return f'<span class="tag {signal.severity}">{signal.severity}</span>'


def _table(signals: list[Signal]) -> str:
    rows = [
        f'<tr><td><a href="#{_anchor(signal.name)}">{escape(signal.name)}</a></td><td>{_tag(signal)}</td>'
        f'<td class="number">{signal.effect:.2f}</td><td class="number">{_small(signal.p)}</td>'
        f'<td class="number">{"" if signal.psi is None else f"{signal.psi:.3f}"}</td>'
        f'<td class="spark">{sparkline(_heights(signal))}</td><td>{escape(signal.told)}</td></tr>'
        for signal in signals
    ]
    head = "".join(f"<th>{name}</th>" for name in ("signal", "", "effect", "p", "PSI", "", "what changed"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _heights(signal: Signal) -> list[float | None]:
    found: list[float | None] = []
    for point in signal.points[-24:]:
        if point.after_gap and found:
            found.append(None)
        found.append(point.middle)
    return found


def _small(p: float) -> str:
    return "&lt; 1e-16" if p < 1e-16 else f"{p:.2g}"


def _section(signal: Signal, clock: bool) -> str:
    charts = timeline(signal, clock) + (bars(signal.shares, signal.name) if signal.shares else "")
    causes = "".join(f"<li>{escape(cause)}</li>" for cause in signal.causes)
    examples = ", ".join(escape(example) for example in signal.examples)
    return (
        f'<section id="{_anchor(signal.name)}"><h2>{escape(signal.name)} {_tag(signal)}</h2><p>{escape(signal.told)}</p>'
        f'<div class="charts">{charts}</div>'
        + (f"<p>What came before it, likeliest first:</p><ol>{causes}</ol>" if causes else "")
        + (f'<p class="soft">For example: {examples}</p>' if examples else "")
        + "</section>"
    )

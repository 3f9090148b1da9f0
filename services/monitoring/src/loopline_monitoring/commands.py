"""`loopline drift report` and `loopline drift backtest`: they join the command `loopline` by entry point."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from loopline_runtime.errors import Invalid, LooplineError

app = typer.Typer(no_args_is_help=True, help="Pictures of drift, and policies tried on what was.")


@app.callback()
def drift() -> None:
    """Keeps commands named even while there is one."""


@app.command()
def report(
    reference: Annotated[Path | None, typer.Option(help="CSV file of what is normal; needs no running line.")] = None,
    current: Annotated[Path | None, typer.Option(help="CSV file of what is to be compared with it.")] = None,
    out: Annotated[Path, typer.Option(help="The page to write, one file of HTML.")] = Path("report.html"),
    level: Annotated[float, typer.Option(help="Share of false discoveries among the changed columns.")] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Say the columns as JSON.")] = False,
) -> None:
    """Draws what changed: between two CSV files, or on the running line.

    Example: loopline drift report --reference january.csv --current june.csv --out drift.html
    """
    try:
        _two_files(reference, current, out, level, as_json)
    except LooplineError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None


def _two_files(reference: Path | None, current: Path | None, out: Path, level: float, as_json: bool) -> None:
    # scipy takes half a second: not while `loopline --help` is waited for.
    from loopline_monitoring.report.comparing import compare_tables
    from loopline_monitoring.report.page import render
    from loopline_monitoring.report.tables import read

    if reference is None or current is None:
        raise Invalid("give both --reference and --current, each a CSV file with a header", field="reference")
    if not 0.0 < level < 1.0:
        raise Invalid("--level is a share between 0 and 1, such as 0.05", field="level")
    page = compare_tables(read(reference), read(current), level, f"{reference.name} and {current.name}")
    try:
        out.write_text(render(page), encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {error.strerror}", field="out") from error
    if as_json:
        rows = [
            {
                "name": signal.name,
                "changed": signal.changed,
                "severity": signal.severity,
                "effect": round(signal.effect, 4),
                "p": signal.p,
                "psi": signal.psi,
                "enough": signal.enough,
                "told": signal.told,
            }
            for signal in page.signals
        ]
        json.dump({"out": str(out), "told": page.told, "columns": rows}, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    typer.echo(page.told)
    for signal in page.signals:
        if signal.changed or not signal.enough:
            word = signal.severity.value if signal.enough else "?"
            typer.echo(f"  {word:7} {signal.name}: {signal.told}")
    typer.echo(f"the page is {out}")

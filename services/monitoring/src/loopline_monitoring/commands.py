"""`loopline drift report` and `loopline drift backtest`: they join the command `loopline` by entry point."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loopline_runtime.errors import Invalid, LooplineError

if TYPE_CHECKING:
    from loopline_monitoring.model import Change
    from loopline_monitoring.report.picture import Page

app = typer.Typer(no_args_is_help=True, help="Pictures of drift, and policies tried on what was.")
AsJson = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]


@app.command()
def report(
    reference: Annotated[Path | None, typer.Option(help="CSV file of what is normal; needs no running line.")] = None,
    current: Annotated[Path | None, typer.Option(help="CSV file of what is to be compared with it.")] = None,
    out: Annotated[Path, typer.Option(help="The page to write, one file of HTML.")] = Path("report.html"),
    level: Annotated[float, typer.Option(help="Share of false discoveries among changed columns (files).")] = 0.05,
    collection: Annotated[str, typer.Option(help="Only this collection (line).")] = "",
    signal: Annotated[str, typer.Option(help="Only this signal (line).")] = "",
    json_: AsJson = False,
) -> None:
    """Draw what changed: between two CSV files, or, without them, on the running line.

    Example:  loopline drift report --reference january.csv --current june.csv --out drift.html
    """
    # What takes half a second is imported where it is used, not while `loopline --help` is waited for.
    from loopline_monitoring.report.page import render

    try:
        if reference is None and current is None:
            page = _of_the_line(collection, signal)
        elif reference is None or current is None:
            raise Invalid("give both --reference and --current, each a CSV file with a header", field="reference")
        else:
            page = _of_files(reference, current, level)
        try:
            out.write_text(render(page), encoding="utf-8")
        except OSError as error:
            raise Invalid(f"{out} cannot be written: {error.strerror}", field="out") from error
    except LooplineError as error:
        _fail(error)
    _tell(page, out, json_)


def _of_files(reference: Path, current: Path, level: float) -> "Page":
    from loopline_monitoring.report.comparing import compare_tables
    from loopline_monitoring.report.tables import read

    if not 0.0 < level < 1.0:
        raise Invalid("--level is a share between 0 and 1, such as 0.05", field="level")
    return compare_tables(read(reference), read(current), level, f"{reference.name} and {current.name}")


def _of_the_line(collection: str, signal: str) -> "Page":
    from loopline_client.cli.output import run
    from loopline_monitoring.report.history import page_of

    async def work() -> "Page":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            parts = [part async for part in line.monitoring.history(collection=collection, signal=signal)]
        return page_of(parts, f"Drift, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")

    return run(work())


def _tell(page: "Page", out: Path, json_: bool) -> None:
    from loopline_client.cli.output import as_json

    if json_:
        fields = ("name", "changed", "severity", "effect", "p", "psi", "enough", "told")
        rows = [{field: getattr(signal, field) for field in fields} for signal in page.signals]
        as_json({"out": str(out), "told": page.told, "signals": rows})
        return
    typer.echo(page.told)
    for one in page.signals:
        if one.changed or not one.enough:
            typer.echo(f"  {one.severity.value if one.changed else '?':7} {one.name}: {one.told}")
    typer.echo(f"the page is {out}")


@app.command()
def backtest(
    since: Annotated[datetime, typer.Option("--from", help="From when on facts are read, UTC.")],
    policy: Annotated[Path, typer.Option(help="The policy that is tried, a TOML file.")],
    until: Annotated[datetime | None, typer.Option("--to", help="Until when, UTC; now without it.")] = None,
    json_: AsJson = False,
) -> None:
    """Say what a policy would have raised on the facts that the line still holds; nobody else is told.

    Killed, it goes on where it was when it is run again with the same times and policy.

    Example:  loopline drift backtest --from 2026-11-01 --to 2026-11-08 --policy strict.toml
    """
    from loopline_client.cli.output import as_json, run
    from loopline_monitoring.adapters.policy_toml import policy_of
    from loopline_monitoring.backtest import on_the_line, state_of

    begin, end = since.replace(tzinfo=UTC), (until or datetime.now(UTC)).replace(tzinfo=UTC)

    async def work() -> "list[Change]":
        from loopline_client.library import Loopline

        tried = policy_of(policy)
        if begin >= end:
            raise Invalid("--from must be before --to", field="from")
        async with Loopline.local() as line:
            bus = await line.bus()
            file = state_of(tried, str(bus.nats.connected_url), begin, end)
            return await on_the_line(bus, tried, begin, end, file, _progress)

    changes = run(work())
    if json_:
        as_json([_plain(change) for change in changes])
        return
    for change in changes:
        alarm = change.alarm
        where = " ".join(filter(None, (alarm.tenant, alarm.collection, alarm.signal, ", ".join(alarm.moved))))
        cause = f"; {alarm.causes[0].what} {alarm.causes[0].value}" if alarm.causes else ""
        at = datetime.fromtimestamp(alarm.cleared_at or alarm.opened_at, UTC)
        told = alarm.cleared_because if alarm.cleared_at else f"{alarm.told}{cause}"
        typer.echo(f"{at:%Y-%m-%d %H:%M:%S} {change.saying.value:8} {alarm.severity.value:6} {where}: {told}")
    typer.echo(f"{sum(not change.alarm.cleared_at and not change.alarm.update for change in changes)} alarms")


def _progress(count: int) -> None:
    if count % 5000 == 0:
        typer.echo(f"{count:,} facts read", err=True)


def _plain(change: "Change") -> dict[str, Any]:
    from dataclasses import asdict

    return {"saying": change.saying, **asdict(change.alarm)}


def _fail(error: LooplineError) -> None:
    from loopline_client.cli.output import fail

    fail(str(error))

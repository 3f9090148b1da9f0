"""`loopline eval`: runs; `concluding` adds what is made of them."""

import sys
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loopline_client.cli import run_options as options
from loopline_client.cli.output import AsJson, as_json, run, say, table

if TYPE_CHECKING:
    from loopline_client.run_results import Run, RunResult, RunSpec

evaluating = typer.Typer(name="eval", help="Runs of a dataset, comparisons and gates", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(help="The run's id")]


@evaluating.command("run")
def run_(
    dataset: options.Dataset,
    target: options.Target = "live",
    metrics: options.Metrics = None,
    set_: options.Set = None,
    where: options.Where = None,
    collection: options.Collection = None,
    repeat: options.Repeat = 1,
    seed: options.Seed = 0,
    at_once: options.AtOnce = 4,
    most_tokens: options.Budget = 0,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would take")] = False,
    request_id: Annotated[str, typer.Option(help="The same id again goes on with the same run")] = "",
    json_: AsJson = False,
) -> None:
    """Answer each row and score it. What is live stays untouched; ^C leaves the run going, `eval watch` finds it again.

    Example:  loopline eval run --dataset support --set prompt=new.md --set k=4
    """
    asked = (dataset, target, metrics, set_, where, collection, repeat, seed, at_once, most_tokens)

    async def work() -> Any:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            spec = await options.spec_of(line.runs, *asked)
            expected = await line.runs.estimate(spec)
            if not json_:
                options.say_estimate(expected)
            if estimate:
                return expected
            begun = await line.runs.begin(spec, request_id)
            await options.until_over(line.runs, begun.run_id, quiet=json_)
            return await line.runs.get(begun.run_id)

    done = run(work())
    if json_:
        as_json(done)
    elif not estimate:
        _show(done)
    if not estimate and done.run.state != "FINISHED":
        raise typer.Exit(1)


@evaluating.command("list")
def list_(most: Annotated[int, typer.Option(help="How many")] = 20, json_: AsJson = False) -> None:
    """List runs, newest first."""

    async def work() -> "list[Run]":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.runs.listed(most)

    found = run(work())
    if json_:
        as_json(found)
        return
    rows = (
        (
            one.run_id,
            one.state.lower(),
            f"{one.done}/{one.units}",
            _dataset(one.spec),
            _target(one.spec),
            one.created_at,
        )
        for one in found
    )
    table(["run", "state", "done", "dataset", "target", "begun"], rows, "no run yet: loopline eval run --dataset NAME")


@evaluating.command("show")
def show(run_id: RunId, json_: AsJson = False) -> None:
    """Show a run: its metrics with their intervals, what made its answers, what it cost."""

    async def work() -> Any:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.runs.get(run_id)

    found = run(work())
    if json_:
        as_json(found)
    else:
        _show(found)


@evaluating.command("watch")
def watch(run_id: RunId) -> None:
    """Watch a run until it is over."""
    _followed(run_id, resume=False)


@evaluating.command("resume")
def resume(run_id: RunId) -> None:
    """Go on with a run that was interrupted, where it stopped."""
    _followed(run_id, resume=True)


@evaluating.command("cancel")
def cancel(run_id: RunId) -> None:
    """End a run; what it has stays."""

    async def work() -> "Run":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.runs.cancel(run_id)

    say(f"{run_id} is {run(work()).state.lower()}")


@evaluating.command("export")
def export(
    run_id: RunId,
    into: Annotated[
        Path | None, typer.Option("--into", "-o", help="A file; default: JSON lines on standard output")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="parquet, jsonl or csv; default: by the file's ending")] = "",
) -> None:
    """Write all rows with answers, scores, versions and costs."""
    kind = form or (into.suffix.lstrip(".") if into else "jsonl")

    async def work() -> bytes:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.runs.read(run_id, kind)

    data = run(work())
    if into:
        into.write_bytes(data)
    else:
        sys.stdout.buffer.write(data)


def _followed(run_id: str, *, resume: bool) -> None:
    async def work() -> Any:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            if resume:
                await line.runs.resume(run_id)
            await options.until_over(line.runs, run_id, quiet=False)
            return await line.runs.get(run_id)

    done = run(work())
    _show(done)
    if done.run.state != "FINISHED":
        raise typer.Exit(1)


def _show(found: "RunResult") -> None:
    one = found.run
    say(
        f"run {one.run_id}: {one.state.lower()}, {one.done} of {one.units} units, {found.failed} answers failed", "bold"
    )
    if one.error:
        say(one.error, "red")
    rows = (
        (
            metric.metric,
            f"{metric.mean:.3f}" if metric.mean is not None else "-",
            f"{metric.low:.3f} to {metric.high:.3f}" if metric.mean is not None and isfinite(metric.low) else "",
            metric.rows,
            ", ".join(f"{count} {reason}" for reason, count in sorted(metric.missing.items())),
        )
        for metric in found.metrics
    )
    table(["metric", "mean", "95 %", "rows", "missing"], rows, "nothing is scored yet")
    for why, count in found.errors.items():
        say(f"{count} times {why}", "red")
    for made in found.made_by:
        say(f"{made.kind}: {made.name} ({made.answers})", "dim")
    spent = one.spent
    money = f", {spent.money:.4f} paid" if spent.money is not None else ""
    say(
        f"{spent.requests} requests, {spent.tokens:,} tokens{money}; seed {one.spec.seed}",
        "dim",
    )


def _dataset(spec: "RunSpec") -> str:
    name, _, version = spec.dataset.partition("@")
    return f"{name}@{version[:8]}"


def _target(spec: "RunSpec") -> str:
    return spec.target.url or (f"given {spec.target.answers[:8]}" if spec.target.answers else "live")

"""`loopline eval compare` and `gate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loopline_client.cli import run_options as options
from loopline_client.cli.evaluating import RunId
from loopline_client.cli.gating import exit_status, junit, markdown, screen
from loopline_client.cli.output import AsJson, as_json, fail, run, say, table

if TYPE_CHECKING:
    from loopline_client.run_results import Comparison


def compare(
    before: RunId,
    after: RunId,
    metrics: options.Metrics = None,
    slice_by: Annotated[
        list[str] | None, typer.Option("--slice", help="tag, language, or a key of the metadata")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Also a page of HTML that needs nothing else")] = None,
    rows: Annotated[int, typer.Option(help="Rows shown that changed most, for each metric")] = 5,
    json_: AsJson = False,
) -> None:
    """What two finished runs of one dataset differ in: effect with its interval, corrected for many comparisons.

    Example:  loopline eval compare 1f2e... 9a8b... --slice language --report compare.html
    """

    async def work() -> "Comparison":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.runs.compare(
                before,
                after,
                metrics=options.names_of(metrics),
                slice_by=slice_by or [],
                most_moved=rows,
                with_report=report is not None,
            )

    found = run(work())
    if report:
        report.write_text(found.report)
    if json_:
        as_json(found)
        return
    for made in found.changed:
        say(f"{made.kind}: {made.before or '-'} -> {made.after or '-'}")
    _say_compared(found)
    if report:
        say(f"the page is in {report}")


def gate(
    policy: Annotated[Path, typer.Option(help="What must hold (YAML)")],
    run_id: Annotated[str, typer.Option("--run", help="A finished run; or say --dataset to run it now")] = "",
    baseline: Annotated[str, typer.Option(help="The run that no_worse_by is held against")] = "",
    dataset: options.Dataset = "",
    target: options.Target = "live",
    set_: options.Set = None,
    where: options.Where = None,
    collection: options.Collection = None,
    repeat: options.Repeat = 1,
    seed: options.Seed = 0,
    at_once: options.AtOnce = 4,
    most_tokens: options.Budget = 0,
    junit_: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML, for any CI")] = None,
    markdown_: Annotated[Path | None, typer.Option("--markdown", help="Write a summary in Markdown")] = None,
    json_: AsJson = False,
) -> None:
    """May this change go live? Exit status 0 pass, 1 fail, 2 not enough evidence, or it could not be asked.

    Example:  loopline eval gate --policy gate.yaml --dataset support --repeat 3 --baseline 1f2e...
    """
    if bool(run_id) == bool(dataset):
        fail("say either --run RUN, or --dataset NAME to run it now", options.UNDECIDED)
    if not policy.is_file():
        fail(f"there is no policy {policy}", options.UNDECIDED)
    text = policy.read_text()
    asked = (dataset, target, options.metrics_of(text), set_, where, collection, repeat, seed, at_once, most_tokens)

    async def work() -> Any:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            which = run_id
            if dataset:
                spec = await options.spec_of(line.runs, *asked)
                if not json_:
                    options.say_estimate(await line.runs.estimate(spec))
                which = (await line.runs.begin(spec)).run_id
                await options.until_over(line.runs, which, quiet=json_)
            return await line.runs.gate(which, text, baseline)

    decided = run(work(), status=options.UNDECIDED)
    if junit_:
        junit_.write_text(junit(decided))
    if markdown_:
        markdown_.write_text(markdown(decided))
    if json_:
        as_json(decided)
    else:
        screen(decided)
    raise typer.Exit(exit_status(decided))


def _say_compared(found: "Comparison") -> None:
    table(
        ["metric", "slice", "before", "after", "effect", f"{found.level:.0%}", "p", "rows", ""],
        (
            (
                one.metric,
                one.slice,
                f"{one.before:.3f}",
                f"{one.after:.3f}",
                f"{one.effect:+.3f}",
                f"{one.low:+.3f} to {one.high:+.3f}",
                f"{one.p_corrected:.3f}",
                one.rows,
                one.seen or f"not told (shows from {one.detectable:.3f})",
            )
            for one in found.compared
        ),
        "the runs have no metric in common",
    )
    for moved in found.moved:
        say(f"{moved.metric} {moved.before:.2f} -> {moved.after:.2f}  {moved.row_id}  {moved.question[:90]}", "dim")

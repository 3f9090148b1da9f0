"""What `loopline eval run` and `gate` share: how a run is asked for, and watched."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loopline_client.cli.output import fail, problems

if TYPE_CHECKING:
    from loopline_client.run_results import Estimate, RunSpec
    from loopline_client.runs import Runs

# The exit status of a gate that could not be asked, or has not enough evidence.
UNDECIDED = 2
Dataset = Annotated[str, typer.Option("--dataset", help="NAME, NAME@NUMBER or NAME@HASH")]
Target = Annotated[
    str, typer.Option(help="live, the address of an OpenAI-compatible server, or a file of given answers (JSONL)")
]
Metrics = Annotated[list[str] | None, typer.Option("--metrics", "-m", help="Names, with commas or given again")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="prompt=FILE, model=, k=, index=collection=version, temperature=, max_tokens=, engine=, grounding=",
    ),
]
Where = Annotated[list[str] | None, typer.Option("--where", help="Only rows like tag=x; may be given again")]
Collection = Annotated[list[str] | None, typer.Option("--collection", help="Where the line looks; may be given again")]
Repeat = Annotated[int, typer.Option(help="Trials of each row")]
Seed = Annotated[int, typer.Option(help="The same seed asks the same")]
AtOnce = Annotated[int, typer.Option(help="Rows in work at once")]
Budget = Annotated[int, typer.Option(help="Most tokens of answers and judges together; 0: any")]


async def until_over(runs: "Runs", run_id: str, *, quiet: bool) -> None:
    """Shows how far it is, with time and tokens left, until it is over."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=problems, disable=quiet, transient=True) as bar:
        shown = bar.add_task(f"run {run_id}", total=None, left="")
        async for now in runs.watch(run_id):
            left = f"{now.seconds_left:.0f} s left" if now.seconds_left is not None else ""
            turn = " waits for others to end" if now.state == "WAITING" else ""
            spent = now.spent.tokens
            cost = f", {spent:,} tokens" + (f", {now.tokens_left:,} to come" if now.tokens_left is not None else "")
            bar.update(
                shown,
                description=f"run {run_id}{turn}",
                total=now.units,
                completed=now.done,
                left=left + (cost if spent else ""),
            )


async def spec_of(
    runs: "Runs",
    dataset: str,
    target: str,
    metrics: list[str] | None,
    set_: list[str] | None,
    where: list[str] | None,
    collection: list[str] | None,
    repeat: int,
    seed: int,
    at_once: int,
    most_tokens: int,
) -> "RunSpec":
    """What the options ask for; a file of given answers is brought first."""
    from loopline_client.overrides import overrides_of
    from loopline_client.run_results import RunSpec, RunTarget

    asked = RunTarget()
    if target.startswith(("http://", "https://")):
        asked = RunTarget(url=target)
    elif target != "live":
        if not Path(target).is_file():
            fail(f"--target is live, an address, or a file of given answers; there is no file {target}")
        put = await runs.put_answers(Path(target).read_bytes())
        for bad in put.problems[:20]:
            problems.print(f"{target}, line {bad.line}: {bad.message}", style="yellow", markup=False)
        asked = RunTarget(answers=put.answers)
    return RunSpec(
        dataset=dataset,
        where=tuple(where or ()),
        metrics=tuple(names_of(metrics)),
        target=asked,
        collections=tuple(collection or ()),
        repeat=repeat,
        seed=seed,
        at_once=at_once,
        most_tokens=most_tokens,
        overrides=overrides_of(set_ or []),
    )


def names_of(given: list[str] | None) -> list[str]:
    """Of metrics, given with commas or one by one."""
    return [name.strip() for part in given or [] for name in part.split(",") if name.strip()]


def metrics_of(policy: str) -> list[str]:
    """The metrics a policy asks for; what is wrong with it, the service says better."""
    import yaml

    try:
        return list(yaml.safe_load(policy)["metrics"])
    except (yaml.YAMLError, KeyError, TypeError):
        fail("the policy is a YAML mapping with `metrics`", UNDECIDED)


def say_estimate(found: "Estimate") -> None:
    """What a run will take, on standard error."""
    parts = [
        f"{found.units} units",
        f"{found.answer_calls} answers",
        f"{found.judge_calls} judgements",
        f"about {found.tokens:,} tokens",
    ]
    if found.money is not None:
        parts.append(f"{found.money:.2f} to pay")
    if found.seconds is not None:
        parts.append(f"{found.seconds:.0f} s")
    problems.print(f"{', '.join(parts)} (by {found.based_on})", style="dim", markup=False)

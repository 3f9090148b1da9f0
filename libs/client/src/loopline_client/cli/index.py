"""`loopline index`: versions of a collection's index, built beside each other, compared, switched; ledger and store held against each other."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from loopline_client.cli import verifying
from loopline_client.cli.output import AsJson, as_json, console, fail, run, say, table

if TYPE_CHECKING:
    from loopline_client.index_results import Comparison, IndexVersion, Question, Switched

index = typer.Typer(
    help="Index versions: another model or another cutting without fear. Build beside what serves, compare, switch, roll back.",
    no_args_is_help=True,
)
index.command()(verifying.verify)
index.command()(verifying.repair)
Collection = verifying.Collection
Version = Annotated[str, typer.Argument(help="For example v2, as `index list` shows it")]
Labelled = Annotated[
    Path | None,
    typer.Option(
        help="CSV or JSONL with `question` and `document` (a source), `document_id` or `passage` (words in it); none: known-item questions"
    ),
]
Count = Annotated[int, typer.Option("--questions", help="How many known-item questions are made; 0: 300")]
Seed = Annotated[int, typer.Option(help="The same seed makes the same questions")]
K = Annotated[int, typer.Option("-k", help="Of recall; 0: 10")]
Tolerance = Annotated[
    float, typer.Option(help="How much nDCG@10 may be lost: the interval of the difference must lie above minus this")
]
Principals = Annotated[list[str] | None, typer.Option("--as", help="Who asks; may be given again")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the change")]


@index.command("list")
def list_(collection: Collection = "", json_: AsJson = False) -> None:
    """List index versions: which serves, how far each build has come, rate and time left."""

    async def work() -> "list[IndexVersion]":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            names = [collection] if collection else [one.name for one in await line.collections()]
            return [version for name in names for version in await line.indexes.versions(name)]

    found = run(work())
    if json_:
        as_json(found)
        return
    rows = [
        (
            one.collection,
            one.version,
            one.role,
            one.state.lower(),
            f"{one.complete}/{one.documents}",
            one.chunks,
            f"{one.max_tokens}/{one.overlap_tokens}",
            one.model,
            _pace(one),
        )
        for one in found
        if one.role != "dropped"
    ]
    columns = ["collection", "version", "", "state", "documents", "passages", "tokens/overlap", "model", ""]
    table(columns, rows, "no collections")


@index.command()
def build(
    collection: Collection = "default",
    model: Annotated[str, typer.Option(help="NAME or NAME@REVISION, as the embedding service has it")] = "",
    max_tokens: Annotated[int, typer.Option(help="Of a passage")] = 0,
    overlap: Annotated[int | None, typer.Option(help="Tokens repeated in the next passage")] = None,
    resume: Annotated[str, typer.Option(metavar="VERSION", help="Go on with a build that stalled")] = "",
    wait: Annotated[bool, typer.Option(help="Wait until it is whole; it goes on either way")] = True,
    json_: AsJson = False,
) -> None:
    """Build a new version from what is stored, beside the one that serves; what is left out is as in that one.

    Examples:  loopline index build --max-tokens 120 --overlap 20    loopline index build --model all-MiniLM-L6-v2
    """

    async def work() -> "IndexVersion":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            if resume:
                begun = await line.indexes.resume(collection, resume)
            else:
                begun = await line.indexes.build(collection, model=model, max_tokens=max_tokens, overlap_tokens=overlap)
            if not wait:
                return begun
            shown = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[pace]}"),
            )
            with Progress(*shown, console=console, disable=json_ or not console.is_terminal) as bar:
                task = bar.add_task(f"building {begun.version}", total=begun.documents or None, pace="")
                last = begun
                async for last in line.indexes.watch(collection, begun.version):
                    bar.update(task, total=last.documents, completed=last.complete, pace=_pace(last))
            return last

    made = run(work())
    if json_:
        as_json(made)
    elif made.state == "BUILT":
        took = f" after {(made.built_at - made.added_at).total_seconds():.0f} s" if made.built_at else ""
        say(f"{made.version} of {made.collection} is built{took}: {made.complete} documents in {made.chunks} passages")
        say(f"next: loopline index compare {made.version} --collection {made.collection}")
    elif made.state == "BUILDING":
        say(f"{made.version} of {made.collection} is being built; see `loopline index list`")
    if made.state == "STALLED":
        fail(
            f"{made.version} stalled, {made.failed} documents failed: {'; '.join(made.failures)}. "
            f"Drop it, or mend the cause and go on with `loopline index build --resume {made.version}`"
        )


@index.command()
def compare(
    version: Annotated[str, typer.Argument(help="Left out: the newest that does not serve")] = "",
    against: Annotated[str, typer.Option(help="Left out: the one that serves")] = "",
    collection: Collection = "default",
    labelled: Labelled = None,
    questions: Count = 0,
    seed: Seed = 0,
    k: K = 0,
    tolerance: Tolerance = 0.02,
    principals: Principals = None,
    json_: AsJson = False,
) -> None:
    """Ask two versions the same questions; exit status 1 when the first is, or may be, worse than is tolerated.

    Example:  loopline index compare v2 --labelled questions.csv
    """
    asked = _questions(labelled)

    async def work() -> "Comparison":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            with _waiting(json_):
                return await line.indexes.compare(
                    collection,
                    version,
                    baseline=against,
                    questions=asked,
                    count=questions,
                    seed=seed,
                    k=k,
                    tolerance=tolerance,
                    principals=principals or (),
                )

    found = run(work())
    if json_:
        as_json(found)
    else:
        _show(found)
    if found.worse:
        raise typer.Exit(1)


@index.command()
def switch(
    version: Annotated[str, typer.Argument(help="Left out: the newest that does not serve")] = "",
    collection: Collection = "default",
    labelled: Labelled = None,
    questions: Count = 0,
    seed: Seed = 0,
    k: K = 0,
    tolerance: Tolerance = 0.02,
    principals: Principals = None,
    force: Annotated[
        bool, typer.Option("--force", help="Although it is worse or not complete; needs --reason")
    ] = False,
    reason: Reason = "",
    json_: AsJson = False,
) -> None:
    """Compare, and make a version serve: refused when it is worse than is tolerated, or not complete.

    Example:  loopline index switch v2 --reason "shorter passages"
    """
    asked = _questions(labelled)

    async def work() -> "Switched":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            with _waiting(json_):
                return await line.indexes.switch(
                    collection,
                    version,
                    questions=asked,
                    count=questions,
                    seed=seed,
                    k=k,
                    tolerance=tolerance,
                    principals=principals or (),
                    force=force,
                    reason=reason,
                )

    done = run(work())
    if json_:
        as_json(done)
        return
    if done.comparison:
        _show(done.comparison)
    say(f"{done.serving} of {collection} serves; back with `loopline index rollback --collection {collection}`")


@index.command()
def rollback(collection: Collection = "default", reason: Reason = "", json_: AsJson = False) -> None:
    """Make the version that served before serve again, at once: it was kept up to date."""

    async def work() -> "Switched":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.indexes.rollback(collection, reason=reason)

    done = run(work())
    if json_:
        as_json(done)
    else:
        say(f"{done.serving} of {collection} serves again")


@index.command()
def drop(version: Version, collection: Collection = "default", reason: Reason = "") -> None:
    """Remove a version with all that is in it; refused while it serves."""

    async def work() -> None:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            await line.indexes.drop(collection, version, reason=reason)

    run(work())
    say(f"{version} of {collection} is dropped")


@index.command()
def history(collection: Collection = "default", json_: AsJson = False) -> None:
    """Show the last changes of what serves: who, when, why, with which figures."""

    async def work() -> list[Any]:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.indexes.history(collection)

    from google.protobuf.json_format import MessageToDict

    found = [MessageToDict(change, preserving_proto_field_name=True) for change in run(work())]
    if json_:
        as_json(found)
        return
    rows = [
        (
            one["at"],
            one["switched"]["kind"].removeprefix("SWITCH_KIND_").lower(),
            f"{one['switched']['from_version']} -> {one['switched']['to_version']}",
            one["switched"].get("by", ""),
            "forced" if one["switched"].get("forced") else "",
            one["switched"].get("reason", ""),
            one["switched"].get("comparison", {}).get("verdict", ""),
        )
        for one in found
    ]
    table(["at", "what", "versions", "by", "", "why", "figures"], rows, "nothing was switched yet")


def _show(found: "Comparison") -> None:
    say(
        f"{found.questions} questions ({found.probe}), {found.documents} documents, {found.behind} of them not in {found.candidate}"
    )
    rows = [
        (
            one.name,
            f"{one.baseline:.3f}",
            f"{one.candidate:.3f}",
            f"{one.difference:+.3f}",
            f"{one.low:+.3f} to {one.high:+.3f}",
        )
        for one in found.metrics
    ]
    rows += [
        (name, f"{before:.1f} ms", f"{after:.1f} ms", f"{after - before:+.1f} ms", "")
        for name, (before, after) in (("search p50", found.p50_ms), ("search p95", found.p95_ms))
    ]
    table(["", found.baseline, found.candidate, "difference", "95 % interval"], rows, "")
    say(f"{found.overlap:.0%} of the documents among the best ten are the same")
    say(found.verdict, style="red" if found.worse else None)


def _waiting(quiet: bool) -> AbstractContextManager[object]:
    return nullcontext() if quiet or not console.is_terminal else console.status("asking both versions ...")


def _pace(one: "IndexVersion") -> str:
    if one.state != "BUILDING" or one.left_s is None:
        return f"{one.failed} failed" if one.failed else ""
    left = f"{one.left_s:.0f} s" if one.left_s < 120 else f"{one.left_s / 60:.0f} min"
    return f"{one.documents_per_s:.1f} documents/s, {left} left" + (f", {one.failed} failed" if one.failed else "")


def _questions(path: Path | None) -> "list[Question]":
    from loopline_client.labelled import questions_in
    from loopline_runtime.errors import LooplineError

    try:
        return questions_in(path) if path else []
    except LooplineError as error:
        fail(str(error))

"""`loopline datasets`."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loopline_client.cli.output import AsJson, as_json, fail, problems, run, say, table

if TYPE_CHECKING:
    from loopline_client.dataset_results import DatasetRow, DatasetVersion, LineProblem

datasets = typer.Typer(help="Datasets: questions with what is known of their answers", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="NAME, NAME@NUMBER or NAME@HASH")]
Where = Annotated[
    list[str] | None, typer.Option("--where", help="tag=x, language!=de, synthetic=true; may be given again")
]
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
SHOWN = 100


@datasets.command("list")
def list_(name: Annotated[str, typer.Argument(help="All versions of one")] = "", json_: AsJson = False) -> None:
    """List datasets, or all versions of one."""

    async def work() -> "list[DatasetVersion]":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.datasets.listed(name)

    found = run(work())
    if json_:
        as_json(found)
        return
    rows = ((f"{v.name}@{v.number}", v.rows - v.erased, v.hash[:12], v.created_at, v.note) for v in found)
    table(["dataset", "rows", "hash", "made", "from"], rows, "no dataset yet: loopline datasets import NAME FILE")


@datasets.command("show")
def show(
    dataset: Name,
    where: Where = None,
    most: Annotated[int, typer.Option(help="How many rows, at most 500")] = 20,
    json_: AsJson = False,
) -> None:
    """Show a version and some of its rows."""

    async def work() -> Any:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.datasets.shown(dataset, where or [], most)

    found = run(work())
    if json_:
        as_json(found)
        return
    version = found.version
    say(f"{version.name}@{version.number}  {version.hash}  {version.rows} rows, {version.note}", "bold")
    if version.erased:
        say(f"{version.erased} rows were erased with the documents they came from", "yellow")
    _rows(found.rows)
    if found.matching > len(found.rows):
        say(f"... {found.matching - len(found.rows)} more", "dim")


@datasets.command("import")
def import_(
    name: Annotated[str, typer.Argument(help="Small letters, digits, - and _")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    form: Annotated[
        str,
        typer.Option("--format", help="csv, jsonl, parquet, squad, mmlu or hellaswag; default: by the file's ending"),
    ] = "",
    append: Annotated[bool, typer.Option(help="Keep the rows of the newest version beside these")] = False,
    strict: Annotated[bool, typer.Option(help="Import nothing when a line is bad")] = False,
    expectations: Annotated[Path | None, typer.Option(help="A suite of Great Expectations (JSON)", exists=True)] = None,
    json_: AsJson = False,
) -> None:
    """Make a version from a file. Bad lines are told by number on standard error and leave the others alone.

    Columns: question, and optionally id, reference(s), passages, choices, answerable, tags; all others are metadata.

    Example:  loopline datasets import support questions.csv
    """
    kind = form or FORMATS.get(file.suffix.lower(), "")
    if not kind:
        fail(f"say what {file.name} is: --format csv, jsonl, parquet, squad, mmlu or hellaswag")

    async def work() -> Any:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.datasets.bring(
                name,
                file.read_bytes(),
                kind,
                file_name=file.name,
                strict=strict,
                append=append,
                expectations_json=expectations.read_text() if expectations else "",
            )

    done = run(work())
    if json_:
        as_json(done)
    _problems(done.problems)
    if not done.version:
        fail(f"nothing is imported: {len(done.problems)} bad lines (leave out --strict to import the others)")
    if not json_:
        version = done.version
        state = "was there already" if done.unchanged else "is made"
        say(f"{version.name}@{version.number} {state}: {version.rows} rows, {len(done.problems)} bad lines")


@datasets.command("diff")
def diff(before: Name, after: Name, json_: AsJson = False) -> None:
    """What two versions do not have in common. Exit status 1 when they differ, as diff has it."""

    async def work() -> Any:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.datasets.diff(before, after)

    found = run(work())
    differs = bool(found.added or found.removed or found.changed)
    if json_:
        as_json(found)
        raise typer.Exit(int(differs))
    for sign, rows in (("+", found.added), ("-", found.removed)):
        for row in rows:
            say(f"{sign} {row.id}  {row.question[:SHOWN]}", "green" if sign == "+" else "red")
    for changed in found.changed:
        say(f"~ {changed.after.id}  {', '.join(changed.fields)}: {changed.after.question[:SHOWN]}", "yellow")
    say(f"{len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} changed, {found.same} the same")
    raise typer.Exit(int(differs))


@datasets.command("export")
def export(
    dataset: Name,
    into: Annotated[Path | None, typer.Option("--into", "-o", help="A file; default: standard output")] = None,
    form: Annotated[str, typer.Option("--format", help="csv, jsonl or parquet")] = "",
    where: Where = None,
) -> None:
    """Write the rows to a file that `import` reads back to the same version."""
    kind = form or (FORMATS.get(into.suffix.lower(), "jsonl") if into else "jsonl")

    async def work() -> bytes:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.datasets.read(dataset, kind, where or [])

    data = run(work())
    if into:
        into.write_bytes(data)
    else:
        sys.stdout.buffer.write(data)


@datasets.command("filter")
def filter_(
    dataset: Name, into: Annotated[str, typer.Argument(help="The new dataset's name")], where: Where = None
) -> None:
    """Make a dataset of the rows that match.

    Example:  loopline datasets filter support support-de --where language=de
    """
    _derived(dataset, {into: 1.0}, where or [], 0)


@datasets.command("split")
def split(
    dataset: Name,
    parts: Annotated[list[str], typer.Argument(help="NAME=SHARE, for example support-dev=0.8 support-test=0.2")],
    seed: int = 0,
    where: Where = None,
) -> None:
    """Make parts that do not leak: rows that ask nearly the same, or about one passage, stay together."""
    shares: dict[str, float] = {}
    for part in parts:
        name, _, share = part.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            fail(f"a part is NAME=SHARE, not {part!r}")
    _derived(dataset, shares, where or [], seed)


@datasets.command("generate")
def generate(
    name: Annotated[str, typer.Argument(help="The dataset that the questions are added to")],
    collection: Annotated[str, typer.Option(help="Whose documents")] = "default",
    count: Annotated[int, typer.Option(help="How many, at most 1,000")] = 50,
    method: Annotated[str, typer.Option(help="model or cloze; default: model where one is configured")] = "",
    seed: int = 0,
) -> None:
    """Make questions from documents, marked as synthetic."""

    async def work() -> Any:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.datasets.generate(name, collection, count, method=method, seed=seed)

    done = run(work())
    say(
        f"{done.version.name}@{done.version.number}: {done.made} questions made by {done.by}, {done.version.rows} rows in all"
    )


@datasets.command("add-from-answers")
def add_from_answers(
    name: Annotated[str, typer.Argument(help="The dataset that the questions are added to")],
    answer: Annotated[list[str] | None, typer.Argument(help="Answer ids; default: the newest that match")] = None,
    thumbs_down: Annotated[bool, typer.Option(help="Only those somebody did not like")] = False,
    thumbs_up: Annotated[bool, typer.Option(help="Only those somebody liked")] = False,
    score: Annotated[list[str] | None, typer.Option(help="For example 'support<0.5'; may be given again")] = None,
    since: Annotated[datetime | None, typer.Option(help="Given at or after this time (UTC)")] = None,
    most: Annotated[int, typer.Option(help="How many, at most 1,000")] = 100,
    tag: Annotated[list[str] | None, typer.Option(help="A tag for these rows; may be given again")] = None,
) -> None:
    """Add questions that people asked; what they say the answer should have been becomes the reference."""
    thumb = "DOWN" if thumbs_down else "UP" if thumbs_up else ""

    async def work() -> Any:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.datasets.add_from_answers(
                name,
                answer_ids=answer or [],
                conditions=score or [],
                thumb=thumb,
                since=since,
                most=most,
                tags=tag or [],
            )

    done = run(work())
    if done.added:
        say(
            f"{done.version.name}@{done.version.number}: {done.added} added, {done.skipped} skipped, {done.version.rows} rows"
        )
    else:
        say(f"nothing to add: {done.skipped} answers match, none of them new with readable text")


def _derived(dataset: str, shares: dict[str, float], where: list[str], seed: int) -> None:
    async def work() -> "list[DatasetVersion]":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.datasets.derive(dataset, shares, where=where, seed=seed)

    for version in run(work()):
        say(f"{version.name}@{version.number}: {version.rows} rows")


def _rows(rows: "Iterable[DatasetRow]") -> None:
    table(
        ["id", "question", "reference", "tags", "from"],
        (
            (
                row.id[:24],
                row.question[:SHOWN],
                row.references[0][:60] if row.references else "",
                ", ".join(row.tags),
                row.origin.detail + (" (synthetic)" if row.origin.synthetic else ""),
            )
            for row in rows
        ),
        "no row matches",
    )


def _problems(found: "Sequence[LineProblem]") -> None:
    for one in found[:SHOWN]:
        problems.print(f"line {one.line}: {one.message}", style="yellow", markup=False)
    if len(found) > SHOWN:
        problems.print(f"... and {len(found) - SHOWN} more bad lines", style="yellow", markup=False)

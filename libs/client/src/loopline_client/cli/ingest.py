"""`loopline ingest`: files in, and what became of each."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from loopline_client.cli.output import AsJson, as_json, console, fail, run, say, table
from loopline_runtime.errors import LooplineError, Overloaded, Rejected

if TYPE_CHECKING:
    from loopline_client.library import Loopline

AT_ONCE = 8
WATCHED_AT_ONCE = 500
TRIES = 6


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders; hidden ones are passed over")],
    collection: Annotated[str, typer.Option(help="Where the documents go")] = "default",
    sync: Annotated[
        bool, typer.Option("--sync", help="Also remove documents whose files are gone (one folder only)")
    ] = False,
    metadata: Annotated[list[str] | None, typer.Option(help="KEY=VALUE, for all; may be given again")] = None,
    readers: Annotated[list[str] | None, typer.Option(help="Who may read; may be given again; none: everybody")] = None,
    json_: AsJson = False,
) -> None:
    """Ingest files and wait until each is searchable or rejected; exit status 0 only when all are indexed.

    Examples:  loopline ingest manual.pdf    loopline ingest docs --collection manuals --sync
    """
    missing = [path for path in paths if not path.exists()]
    if missing:
        fail(f"there is no {missing[0]}")
    if sync and (len(paths) != 1 or not paths[0].is_dir()):
        fail("--sync takes exactly one folder")
    pairs = [entry.partition("=") for entry in metadata or []]
    if any(not separator for _, separator, _ in pairs):
        fail("--metadata is KEY=VALUE")
    found = files_of(paths)
    if not found and not sync:
        fail("no files there")
    run(_ingested(found, collection, sync, {key: value for key, _, value in pairs}, readers or [], json_))


def files_of(paths: list[Path]) -> list[tuple[str, Path]]:
    """Source and file, sorted. A source is the path relative to the folder given; of single files, to the folder that holds them all."""
    found: dict[str, Path] = {}
    single = [path for path in paths if path.is_file()]
    above = Path(os.path.commonpath([path.absolute().parent for path in single])) if single else Path()
    pairs = [(path.absolute().relative_to(above), path) for path in single]
    for folder in paths:
        inside = ((file.relative_to(folder), file) for file in sorted(folder.rglob("*")) if file.is_file())
        pairs += [(inner, file) for inner, file in inside if not any(map(_passed_over, inner.parts))]
    for inner, file in pairs:
        other = found.setdefault(inner.as_posix(), file)
        if not other.samefile(file):
            fail(
                f"{other} and {file} would be one document, {inner.as_posix()}; ingest them one after the other into two collections"
            )
    return sorted(found.items())


def _passed_over(part: str) -> bool:
    return part.startswith((".", "__pycache__"))


async def _ingested(
    files: list[tuple[str, Path]],
    collection: str,
    sync: bool,
    metadata: dict[str, str],
    readers: list[str],
    json_: bool,
) -> None:
    from loopline_client.library import Loopline

    async with Loopline.local() as line:
        with _bar(json_) as bar:
            uploading = bar.add_task("upload ", total=len(files))
            indexing = bar.add_task("index  ", total=len(files))
            sources, failed = await _uploaded(
                line, files, collection, metadata, readers, lambda: bar.advance(uploading)
            )
            ids = list(sources)
            documents = {}
            for start in range(0, len(ids), WATCHED_AT_ONCE):
                async for document in line.watch(ids[start : start + WATCHED_AT_ONCE]):
                    if document.settled:
                        documents[document.document_id] = document
                        bar.update(indexing, completed=len(documents))
        removed = await _removed(line, collection, {source for source, _ in files}) if sync else []
    bad = [(d.source, d.state, "; ".join(d.reasons)) for d in documents.values() if d.state != "INDEXED"]
    bad += [(source, "REFUSED", sentence) for source, sentence in failed]
    good = len(documents) + len(failed) - len(bad)
    if json_:
        as_json(
            {
                "indexed": good,
                "not_indexed": [dict(zip(("source", "state", "why"), row, strict=True)) for row in bad],
                "removed": removed,
            }
        )
    else:
        chunks = sum(document.chunks for document in documents.values())
        say(
            f"{good} of {len(files)} documents are indexed, in {chunks} passages"
            + (f"; {len(removed)} removed" if sync else "")
        )
        if bad:
            table(["source", "state", "why"], sorted(bad), "")
    if bad:
        raise typer.Exit(1)


async def _uploaded(
    line: "Loopline",
    files: list[tuple[str, Path]],
    collection: str,
    metadata: dict[str, str],
    readers: list[str],
    advance: Callable[[], None],
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Document ids with their sources, and what was refused at the door."""
    limit = asyncio.Semaphore(AT_ONCE)
    sources: dict[str, str] = {}
    failed: list[tuple[str, str]] = []

    async def one(source: str, path: Path) -> None:
        async with limit:
            for tries in range(TRIES):
                try:
                    said = await line.submit(source, path, collection=collection, metadata=metadata, readers=readers)
                except Overloaded as error:
                    if tries == TRIES - 1:
                        raise
                    await asyncio.sleep(error.retry_after_s or 2**tries / 4)
                    continue
                except (Rejected, OSError) as error:
                    failed.append((source, str(error)))
                    break
                sources[said.document_id] = source
                break
        advance()

    try:
        await asyncio.gather(*(one(source, path) for source, path in files))
    except LooplineError:
        say("what was uploaded stays; run the same command again to go on", style="yellow")
        raise
    return sources, failed


async def _removed(line: "Loopline", collection: str, present: set[str]) -> list[str]:
    gone = [d async for d in line.documents(collection=collection) if d.state != "DELETED" and d.source not in present]
    for document in gone:
        await line.delete(document.document_id)
    return [document.source for document in gone]


def _bar(quiet: bool) -> Progress:
    shown = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*shown, console=console, disable=quiet or not console.is_terminal)

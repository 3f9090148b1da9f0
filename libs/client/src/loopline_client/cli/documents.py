"""`loopline documents` and `loopline collections`."""

import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from loopline_client.cli.output import AsJson, as_json, fail, run, say, table
from loopline_client.results import Collection, Document

documents = typer.Typer(help="Documents: list, show, open, delete", no_args_is_help=True)
collections = typer.Typer(help="Collections of documents", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The document's id, as `documents list` shows it")]


@documents.command("list")
def list_(
    collection: Annotated[str, typer.Option(help="Only this one")] = "",
    state: Annotated[
        list[str] | None, typer.Option(help="accepted, indexing, indexed, rejected, failed or deleted")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Only sources that start so")] = "",
    json_: AsJson = False,
) -> None:
    """List documents, by source."""
    states = [one.upper() for one in state or []]
    if unknown := set(states) - {"ACCEPTED", "INDEXING", "INDEXED", "REJECTED", "FAILED", "DELETED"}:
        fail(f"no document is {sorted(unknown)[0].lower()}")

    async def work() -> list[Document]:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return [d async for d in line.documents(collection=collection, states=states, prefix=prefix)]

    found = run(work())
    if json_:
        as_json(found)
        return
    rows = [
        (d.document_id, d.collection, d.source, d.state, d.chunks, d.changed_at, "; ".join(d.reasons)) for d in found
    ]
    table(["id", "collection", "source", "state", "passages", "changed", "why"], rows, "no documents")


@documents.command()
def show(document_id: Id, json_: AsJson = False) -> None:
    """Show one document."""

    async def work() -> Document:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.document(document_id)

    found = run(work())
    if json_:
        as_json(found)
        return
    for name in Document.__slots__:
        say(f"{name:<16} {getattr(found, name)}")


@documents.command("open")
def open_(
    document_id: Id,
    page: Annotated[int, typer.Option(help="Of a PDF or a presentation")] = 0,
    print_only: Annotated[bool, typer.Option("--print", help="Only say where the copy lies")] = False,
) -> None:
    """Open the original, at a page."""

    async def work() -> Path:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            found = await line.document(document_id)
            folder = Path(tempfile.gettempdir()) / "loopline-open" / document_id
            folder.mkdir(parents=True, exist_ok=True)
            # Only the last part of a source names the copy: a source is data and must not choose a folder.
            copy = folder / (Path(found.source).name or "document")
            with copy.open("wb") as file:
                async for part in line.read(document_id):
                    file.write(part)
            return copy

    url = run(work()).as_uri() + (f"#page={page}" if page else "")
    say(url)
    if not print_only:
        webbrowser.open(url)


@documents.command()
def delete(document_ids: Annotated[list[str], typer.Argument(help="Ids")]) -> None:
    """Delete documents; they answer no more."""

    async def work() -> None:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            for document_id in document_ids:
                await line.delete(document_id)

    run(work())
    say(f"{len(document_ids)} deleted")


@collections.command("list")
def list_collections(json_: AsJson = False) -> None:
    """List the collections."""

    async def work() -> list[Collection]:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.collections()

    found = run(work())
    if json_:
        as_json(found)
        return
    rows = [(c.name, c.documents, c.index_version, c.model, f"{c.max_tokens}/{c.overlap_tokens}") for c in found]
    table(["name", "documents", "index", "model", "tokens/overlap"], rows, "no collections")


@collections.command()
def put(
    name: str,
    expectations: Annotated[Path | None, typer.Option(help="A Great Expectations suite as JSON")] = None,
    max_tokens: Annotated[int, typer.Option(help="Of a passage; only for a new collection")] = 0,
    overlap: Annotated[int, typer.Option(help="Tokens repeated in the next passage")] = 40,
) -> None:
    """Make a collection, or change its expectations.

    Example:  loopline collections put manuals --expectations suite.json
    """
    if expectations and not expectations.exists():
        fail(f"there is no {expectations}")
    suite = expectations.read_text() if expectations else ""

    async def work() -> Collection:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.put_collection(
                name, expectations_json=suite, max_tokens=max_tokens, overlap_tokens=overlap
            )

    made = run(work())
    say(
        f"{made.name}: index version {made.index_version}, {'its own' if made.expectations_json else 'only the default'} expectations"
    )

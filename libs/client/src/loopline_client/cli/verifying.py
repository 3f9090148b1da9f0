"""`loopline index verify` and `repair`: what the store has, held against the ledger."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from loopline_client.cli.output import AsJson, as_json, run, say, table

if TYPE_CHECKING:
    from loopline_client.index_results import Finding

Collection = Annotated[str, typer.Option(help="Of which collection")]


def verify(
    version: Annotated[str, typer.Argument(help="Left out: the one that serves")] = "",
    collection: Collection = "default",
    json_: AsJson = False,
) -> None:
    """Hold what the store has against the ledger; exit status 1 when something is missing, stray or stale, naming it."""
    found = run(_verified(collection, version))
    if json_:
        as_json(found)
    else:
        _tell(found, "store and ledger agree")
    if found:
        raise typer.Exit(1)


def repair(
    version: Annotated[str, typer.Argument(help="Left out: the one that serves")] = "",
    collection: Collection = "default",
    json_: AsJson = False,
) -> None:
    """Mend what `verify` finds: what is wrong is taken out, what is missing is cut and embedded again."""

    async def work() -> "tuple[list[Finding], list[Finding]]":
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            found = await line.indexes.verify(collection, version)
            return found, await line.indexes.repair(found)

    found, left = run(work())
    if json_:
        as_json({"found": found, "left": left})
    else:
        _tell(found, "nothing to repair: store and ledger agree")
        if found:
            say(f"{len(found) - len(left)} of {len(found)} repaired")
    if left:
        raise typer.Exit(1)


async def _verified(collection: str, version: str) -> "list[Finding]":
    from loopline_client.library import Loopline

    async with Loopline.local() as line:
        return await line.indexes.verify(collection, version)


def _tell(found: "Sequence[Finding]", none: str) -> None:
    rows = [(one.kind, one.document_id, one.source, one.told) for one in found]
    table(["what", "document", "source", ""], rows, none)

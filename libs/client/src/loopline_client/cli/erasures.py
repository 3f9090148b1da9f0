"""`loopline documents erase`, `receipt` and `receipts`."""

import asyncio
import time
from typing import Annotated

import typer

from loopline_client.cli.documents import Id
from loopline_client.cli.output import AsJson, as_json, console, fail, run, say, table
from loopline_client.receipts import Receipt

erasures = typer.Typer(help="Documents that must leave no trace")
LOOK_EVERY_S = 0.2
ReceiptId = Annotated[str, typer.Argument(help="As `documents erase` says it")]


@erasures.command()
def erase(
    document_id: Id,
    reason: Annotated[str, typer.Option(help="Stays in the receipt; nothing personal")] = "",
    wait: Annotated[
        bool, typer.Option("--wait", help="Until every owner of data has answered, then show the receipt")
    ] = False,
    within: Annotated[
        float, typer.Option(help="Seconds to wait; then the silent owners are named, exit status 1")
    ] = 60.0,
    json_: AsJson = False,
) -> None:
    """Erase a document: every trace of it, in every part of the line, with a receipt.

    Example:  loopline documents erase 72cc876087238dbe46348e4d544f99dc --reason "request 17" --wait --json
    """

    async def work() -> Receipt:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            receipt_id = await line.erase(document_id, reason=reason)
            deadline = time.monotonic() + within
            with console.status("owners are erasing ..."):
                while True:
                    found = await line.receipt(receipt_id)
                    if found.complete or not wait or time.monotonic() > deadline:
                        return found
                    await asyncio.sleep(LOOK_EVERY_S)

    found = run(work())
    _show(found, json_=json_)
    if wait and not found.complete:
        fail(
            f"no word yet from {', '.join(found.silent)}; look again with `loopline documents receipt {found.receipt_id}`"
        )


@erasures.command()
def receipt(receipt_id: ReceiptId, json_: AsJson = False) -> None:
    """Show the receipt of an erasure."""

    async def work() -> Receipt:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return await line.receipt(receipt_id)

    _show(run(work()), json_=json_)


@erasures.command()
def receipts(json_: AsJson = False) -> None:
    """List the receipts of erasures, newest first."""

    async def work() -> list[Receipt]:
        from loopline_client.library import Loopline

        async with Loopline.local() as line:
            return [found async for found in line.receipts()]

    found = run(work())
    if json_:
        as_json(found)
        return
    rows = [(r.receipt_id, r.collection, r.ordered_at, r.gone_by or "-", r.silent or "-", r.reason) for r in found]
    table(["receipt", "collection", "ordered", "gone by", "silent", "why"], rows, "nothing was erased")


def _show(found: Receipt, *, json_: bool) -> None:
    if json_:
        as_json(found)
        return
    say(f"receipt {found.receipt_id}, ordered {found.ordered_at:%Y-%m-%d %H:%M:%S}")
    rows = [
        (word.owner, r.what, r.where, r.count, r.verified, r.gone_by or r.disk)
        for word in found.owners
        for r in word.removals
    ]
    table(["owner", "what", "where", "count", "verified", "off the disk"], rows, "no owner has answered yet")
    if found.silent:
        say(f"no word yet from {', '.join(found.silent)}")
    elif found.gone_by:
        say(f"all of it has left every disk by {found.gone_by:%Y-%m-%d %H:%M:%S}")

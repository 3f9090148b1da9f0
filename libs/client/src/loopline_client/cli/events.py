"""`loopline events`: the line as it happens."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loopline_client.cli.bus import bus, event_of
from loopline_client.cli.output import AsJson, as_json, fail, run, say

if TYPE_CHECKING:
    from google.protobuf.message import Message

events = typer.Typer(help="The line, live", no_args_is_help=True)
COLOURS = {
    "ingestion": "cyan",
    "embedding": "magenta",
    "retrieval": "green",
    "generation": "yellow",
    "evaluation": "blue",
    "dead_letter": "red",
}


def _brief(body: "Message | None") -> str:
    """The figures of a fact in a few words."""
    parts = []
    batch = getattr(body, "batch", None)
    for holder in filter(None, (batch, body)):
        for name in ("source", "collection", "index_version", "question", "outcome"):
            value = getattr(holder, name, "")
            if value and isinstance(value, str):
                parts.append(f"{name}={value[:60]}")
    if batch is not None:
        parts.append(f"batch {batch.number + 1}/{batch.batch_count}")
    if reasons := getattr(body, "reasons", None):
        parts.append("; ".join(reason.text for reason in reasons)[:120])
    return "  ".join(dict.fromkeys(parts))


@events.command()
def tail(
    document: Annotated[str, typer.Option(help="Only this document's")] = "",
    since: Annotated[datetime | None, typer.Option(help="From a time (UTC) on; default: from now on")] = None,
    count: Annotated[int, typer.Option(help="End after so many; 0: never")] = 0,
    quiet_s: Annotated[float, typer.Option(help="End when nothing came for so long; 0: never")] = 0,
    json_: AsJson = False,
) -> None:
    """Show the line live: one line an event.

    Example:  loopline events tail --document 72cc876087238dbe46348e4d544f99dc --since 2026-01-01 --quiet-s 1
    """

    async def work() -> None:
        from loopline_nats.tail import follow

        async with bus() as line:
            seen = 0
            async for event, delivery in follow(line, document=document, since=since, quiet_s=quiet_s):
                if json_:
                    as_json(event_of(event, delivery))
                else:
                    owner = delivery.headers.get("ce-type", "loopline.?").split(".")[1]
                    when = delivery.time.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
                    about = delivery.document[:8] or delivery.headers.get("ce-subject", "")[:8]
                    say(
                        f"{when} {delivery.tenant:<8} {delivery.event:<24} {about:<9} {_brief(event)}",
                        COLOURS.get(owner),
                    )
                seen += 1
                if seen == count:
                    return

    run(work())


@events.command("show")
def showevent_of(stream: str, sequence: int) -> None:
    """Show one event as readable JSON."""

    async def work() -> dict[str, Any] | None:
        async with bus() as line:
            heard = await line.at(stream.upper(), sequence)
            return event_of(heard.event, heard.delivery) if heard else None

    found = run(work())
    if found is None:
        fail(f"stream {stream.upper()} has nothing at {sequence} (any more)")
    as_json(found)

"""`loopline events`, `dead-letters`, `streams`, `subscribers`, `keys`, `tenants`: for operators, over the bus."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loopline_client.cli.output import AsJson, as_json, fail, run, say, table

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from loopline_nats.dead_letters import DeadLetter
    from loopline_nats.envelope import Delivery
    from loopline_nats.line import Line

events = typer.Typer(help="The line, live", no_args_is_help=True)
dead_letters = typer.Typer(help="What could not be finished", no_args_is_help=True)
streams = typer.Typer(help="Streams, durables and buckets", no_args_is_help=True)
subscribers = typer.Typer(help="Downstream teams", no_args_is_help=True)
keys = typer.Typer(help="API keys", no_args_is_help=True)
tenants = typer.Typer(help="Settings of tenants", no_args_is_help=True)
COLOURS = {
    "ingestion": "cyan",
    "embedding": "magenta",
    "retrieval": "green",
    "generation": "yellow",
    "dead_letter": "red",
}


@asynccontextmanager
async def _bus() -> AsyncIterator["Line"]:
    from loopline_client.library import Loopline

    async with Loopline.local() as line:
        yield await line.bus()


def readable(body: "Message | None") -> Any:
    """A message as JSON for people: vectors are only counted."""
    from google.protobuf.json_format import MessageToDict

    if body is None:
        return None
    plain = MessageToDict(body)
    for name in ("vectors", "vector"):
        if name in plain:
            plain[name] = f"{len(plain[name])} vectors" if isinstance(plain[name], list) else "a vector"
    return plain


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

        async with _bus() as line:
            seen = 0
            async for event, delivery in follow(line, document=document, since=since, quiet_s=quiet_s):
                if json_:
                    as_json(_event(event, delivery))
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


def _event(event: "Message | None", delivery: "Delivery") -> dict[str, Any]:
    return {
        "event": delivery.event,
        "id": delivery.id,
        "tenant": delivery.tenant,
        "document": delivery.document,
        "sequence": delivery.sequence,
        "revision": delivery.revision,
        "time": delivery.time,
        "headers": dict(delivery.headers),
        "body": readable(event),
    }


@events.command("show")
def show_event(stream: str, sequence: int) -> None:
    """Show one event as readable JSON."""

    async def work() -> dict[str, Any] | None:
        async with _bus() as line:
            heard = await line.at(stream.upper(), sequence)
            return _event(heard.event, heard.delivery) if heard else None

    found = run(work())
    if found is None:
        fail(f"stream {stream.upper()} has nothing at {sequence} (any more)")
    as_json(found)


async def _letters(line: "Line") -> "list[DeadLetter]":
    from loopline_nats.dead_letters import DeadLetters

    return [letter async for letter in DeadLetters(line).list()]


@dead_letters.command("list")
def list_letters(json_: AsJson = False) -> None:
    """List what could not be finished, oldest first."""

    async def work() -> "list[DeadLetter]":
        async with _bus() as line:
            return await _letters(line)

    found = run(work())
    if json_:
        as_json([_letter(letter) for letter in found])
        return
    rows = [(x.sequence, x.time, x.durable, x.event, x.tenant, x.document[:12], x.reason, x.error[:100]) for x in found]
    table(["number", "time", "durable", "event", "tenant", "document", "reason", "error"], rows, "no dead letters")


def _letter(letter: "DeadLetter") -> dict[str, Any]:
    names = (
        "sequence",
        "durable",
        "event",
        "tenant",
        "document",
        "reason",
        "error",
        "deliveries",
        "time",
        "event_id",
        "revision",
    )
    return {**{name: getattr(letter, name) for name in names}, "body": readable(letter.body), "bytes": len(letter.data)}


@dead_letters.command("show")
def show_letter(number: int) -> None:
    """Show one as readable JSON."""

    async def work() -> "DeadLetter":
        from loopline_nats.dead_letters import DeadLetters

        async with _bus() as line:
            return await DeadLetters(line).show(number)

    as_json(_letter(run(work())))


Which = Annotated[list[int] | None, typer.Argument(help="Numbers, as `dead-letters list` shows them")]
ByReason = Annotated[str, typer.Option(help="All with this reason")]
All = Annotated[bool, typer.Option("--all", help="All of them")]


@dead_letters.command()
def replay(numbers: Which = None, reason: ByReason = "", all_: All = False) -> None:
    """Say letters again, each to the one durable that failed."""
    _each(numbers, reason, all_, "replayed")


@dead_letters.command()
def discard(numbers: Which = None, reason: ByReason = "", all_: All = False) -> None:
    """Remove letters for good."""
    _each(numbers, reason, all_, "discarded")


def _each(numbers: list[int] | None, reason: str, all_: bool, what: str) -> None:
    if not (numbers or reason or all_):
        fail("name numbers, --reason or --all")

    async def work() -> int:
        from loopline_nats.dead_letters import DeadLetters

        async with _bus() as line:
            letters = DeadLetters(line)
            chosen = numbers or [x.sequence for x in await _letters(line) if all_ or x.reason == reason]
            for number in chosen:
                await (letters.replay(number) if what == "replayed" else letters.discard(number))
            return len(chosen)

    say(f"{run(work())} {what}")


Replicas = Annotated[int, typer.Option(help="Of each stream; 3 in a cluster")]
Scale = Annotated[float, typer.Option(help="Shrinks all byte limits, for a small disk")]


@streams.command("list")
def list_streams(json_: AsJson = False) -> None:
    """List the streams with what they hold."""

    async def work() -> list[dict[str, Any]]:
        async with _bus() as line:
            infos = await line.jetstream.streams_info()
        return [
            {"name": i.config.name, "messages": i.state.messages, "bytes": i.state.bytes, "last": i.state.last_seq}
            for i in infos
        ]

    found = run(work())
    if json_:
        as_json(found)
        return
    table(["name", "messages", "bytes", "last sequence"], [tuple(row.values()) for row in found], "no streams")


@streams.command("plan")
def plan_streams(replicas: Replicas = 1, scale: Scale = 1.0, json_: AsJson = False) -> None:
    """Say what `apply` would make, and what an operator set differently."""
    _provision("plan", replicas, scale, json_)


@streams.command("apply")
def apply_streams(replicas: Replicas = 1, scale: Scale = 1.0, json_: AsJson = False) -> None:
    """Make what is missing; never changes what an operator set."""
    _provision("apply", replicas, scale, json_)


def _provision(what: str, replicas: int, scale: float, json_: bool) -> None:
    async def work() -> list[Any]:
        from loopline_nats import provision

        async with _bus() as line:
            act = provision.plan if what == "plan" else provision.apply
            return await act(line, replicas=replicas, scale=scale)

    found = run(work())
    if json_:
        as_json(found)
        return
    rows = [(d.action, d.kind, d.name, d.field, d.wanted, d.found) for d in found]
    table(["action", "kind", "name", "field", "wanted", "found"], rows, "everything is as the table of streams says")


@subscribers.command("add")
def add_subscriber(
    name: str,
    events_: Annotated[
        str, typer.Option("--events", help="Comma-separated, for example document_accepted,answer_finished")
    ],
    tenant: Annotated[str, typer.Option(help="Whose events")] = "local",
    since: Annotated[str, typer.Option(help="A time (2026-01-31T08:00:00), a sequence, or new")] = "new",
) -> None:
    """Make a durable for a downstream team, by exact name."""
    start: datetime | int | None = None
    if since.isdigit():
        start = int(since)
    elif since != "new":
        try:
            start = datetime.fromisoformat(since)
        except ValueError:
            fail("--since is a time like 2026-01-31T08:00:00, a sequence, or new")

    async def work() -> tuple[str, ...]:
        from loopline_nats.subscribers import Subscribers

        async with _bus() as line:
            return (await Subscribers(line).add(name, tenant, events_.split(","), since=start)).streams

    say(f"{name} reads from {', '.join(run(work()))}; try `loopline subscribers read {name}`")


@subscribers.command("list")
def list_subscribers(json_: AsJson = False) -> None:
    """List the downstream durables and what waits for each."""

    async def work() -> list[Any]:
        from loopline_nats.subscribers import Subscribers

        async with _bus() as line:
            return await Subscribers(line).list()

    found = run(work())
    if json_:
        as_json(found)
        return
    rows = [(s.name, s.tenant, s.events, s.streams, s.pending) for s in found]
    table(["name", "tenant", "events", "streams", "waiting"], rows, "no subscribers")


@subscribers.command("remove")
def remove_subscriber(name: str) -> None:
    """Remove one, and its place in the streams."""

    async def work() -> None:
        from loopline_nats.subscribers import Subscribers

        async with _bus() as line:
            await Subscribers(line).remove(name)

    run(work())
    say("removed")


@subscribers.command("read")
def read_subscriber(name: str, count: Annotated[int, typer.Option(help="End after so many; 0: never")] = 0) -> None:
    """Read a subscriber's events as JSON, one a line; each is acknowledged once it is shown."""

    async def work() -> None:
        from loopline_nats.subscribers import Subscribers

        async with _bus() as line:
            seen = 0
            async for event in Subscribers(line).read(name):
                plain = _event(event.body, event.delivery)
                say(json.dumps(plain, default=str, ensure_ascii=False))
                await event.ack()
                seen += 1
                if seen == count:
                    return

    run(work())


@keys.command("add")
def add_key(
    name: str,
    tenant: Annotated[
        str, typer.Option(help="Whose key; the tenant comes from the key and from nowhere else")
    ] = "local",
    rights: Annotated[str, typer.Option(help="Comma-separated: read, write, admin, act-for")] = "read",
) -> None:
    """Make a key and show it, once. Admin includes write, write includes read; act-for is for services."""

    async def work() -> str:
        from loopline_nats.access import KeyRing
        from loopline_runtime.access import Right

        wanted = rights.split(",")
        if unknown := [right for right in wanted if right not in list(Right)]:
            fail(f"no right is named {unknown[0]}")
        async with _bus() as line:
            plain, _ = await KeyRing(line).add(name, tenant, {Right(right) for right in wanted})
        return plain

    say(run(work()))


@keys.command("list")
def list_keys(json_: AsJson = False) -> None:
    """List the keys; never the keys themselves."""

    async def work() -> list[Any]:
        from loopline_nats.access import KeyRing

        async with _bus() as line:
            return await KeyRing(line).all()

    found = run(work())
    if json_:
        as_json([json.loads(key.model_dump_json()) for key in found])
        return
    rows = [(k.name, k.tenant, sorted(k.rights), k.hint + "…", k.created_at) for k in found]
    table(["name", "tenant", "rights", "key", "made"], rows, "no keys")


@keys.command("revoke")
def revoke_key(name: str, tenant: Annotated[str, typer.Option()] = "local") -> None:
    """Revoke a key; it is refused everywhere within a second."""

    async def work() -> None:
        from loopline_nats.access import KeyRing

        async with _bus() as line:
            await KeyRing(line).revoke(name, tenant)

    run(work())
    say("revoked")


@tenants.command()
def content(name: str, shown: Annotated[str, typer.Argument(help="full, hashed or absent")]) -> None:
    """Set how much of questions, answers and passages stands in a tenant's events."""

    async def work() -> None:
        from loopline_nats.content import Content, Contents

        if shown not in list(Content):
            fail("content is full, hashed or absent")
        async with _bus() as line:
            await Contents(line).put(name, Content(shown))

    run(work())
    say(f"events of {name} show content {shown}")

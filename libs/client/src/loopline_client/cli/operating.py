"""`loopline streams`, `subscribers`, `keys`, `tenants`: for operators, over the bus."""

import json
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from loopline_client.cli.bus import bus, event_of
from loopline_client.cli.output import AsJson, as_json, fail, run, say, table

streams = typer.Typer(help="Streams, durables and buckets", no_args_is_help=True)
subscribers = typer.Typer(help="Downstream teams", no_args_is_help=True)
keys = typer.Typer(help="API keys", no_args_is_help=True)
tenants = typer.Typer(help="Settings of tenants", no_args_is_help=True)

Replicas = Annotated[int, typer.Option(help="Of each stream; 3 in a cluster")]
Scale = Annotated[float, typer.Option(help="Shrinks all byte limits, for a small disk")]


@streams.command("list")
def list_streams(json_: AsJson = False) -> None:
    """List the streams with what they hold."""

    async def work() -> list[dict[str, Any]]:
        async with bus() as line:
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


@streams.command("backup")
def backup_streams(folder: Annotated[Path, typer.Argument(help="A new folder")], json_: AsJson = False) -> None:
    """Save what cannot be made again: streams of truth, raw bytes, keys. Everything else is made from them."""
    _moved("save", folder, json_)


@streams.command("restore")
def restore_streams(folder: Annotated[Path, typer.Argument(help="A backup")], json_: AsJson = False) -> None:
    """Bring a backup to an empty bus, before `apply`; then the index and the ledger make themselves anew."""
    _moved("restore", folder, json_)


def _moved(what: str, folder: Path, json_: bool) -> None:
    async def work() -> list[Any]:
        from loopline_nats import backup

        async with bus() as line:
            act = backup.save if what == "save" else backup.restore
            return [one async for one in act(line, folder)]

    found = run(work())
    if json_:
        as_json(found)
        return
    table(["stream", "messages", "bytes"], [(one.name, one.messages, one.size_bytes) for one in found], "nothing")


def _provision(what: str, replicas: int, scale: float, json_: bool) -> None:
    async def work() -> list[Any]:
        from loopline_nats import provision

        async with bus() as line:
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
    authority: Annotated[
        Path | None, typer.Option(help="Sign credentials for the team: the folder of `loopline credentials make`")
    ] = None,
    credentials: Annotated[Path | None, typer.Option(help="Where to write them; default: NAME.creds")] = None,
) -> None:
    """Make a durable for a downstream team, by exact name, and with --authority the credentials that read it and nothing else."""
    start: datetime | int | None = None
    if since.isdigit():
        start = int(since)
    elif since != "new":
        try:
            start = datetime.fromisoformat(since)
        except ValueError:
            fail("--since is a time like 2026-01-31T08:00:00, a sequence, or new")

    async def work() -> tuple[str, ...]:
        from loopline_nats.credentials import Authority, write_secret
        from loopline_nats.permissions import of_subscriber
        from loopline_nats.subscribers import PREFIX, Subscribers

        signer = Authority(authority) if authority else None
        if signer:
            signer.users()  # an authority that is not there is told before anything is made
        async with bus() as line:
            streams = (await Subscribers(line).add(name, tenant, events_.split(","), since=start)).streams
        if signer:
            permissions = of_subscriber(name, PREFIX + name, streams)
            write_secret(credentials or Path(f"{name}.creds"), signer.credentials(name, permissions))
        return streams

    streams = ",".join(run(work()))
    say(f"{name} reads from {streams}; try `loopline subscribers read {name}`")
    if authority:
        file = credentials or Path(f"{name}.creds")
        say(f"the team's own: LOOPLINE_NATS_CREDENTIALS={file} loopline subscribers read {name} --streams {streams}")
        say(f"any other NATS client: durable subscriber-{name}, inbox prefix _INBOX.{name}")


@subscribers.command("list")
def list_subscribers(json_: AsJson = False) -> None:
    """List the downstream durables and what waits for each."""

    async def work() -> list[Any]:
        from loopline_nats.subscribers import Subscribers

        async with bus() as line:
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

        async with bus() as line:
            await Subscribers(line).remove(name)

    run(work())
    say("removed")


@subscribers.command("read")
def read_subscriber(
    name: str,
    count: Annotated[int, typer.Option(help="End after so many; 0: never")] = 0,
    streams_: Annotated[
        str, typer.Option("--streams", help="As `add` told them; needed with a team's own credentials")
    ] = "",
) -> None:
    """Read a subscriber's events as JSON, one a line; each is acknowledged once it is shown."""

    async def work() -> None:
        from loopline_nats.subscribers import Subscribers

        streams = tuple(filter(None, streams_.split(",")))
        async with bus(name if streams else "") as line:
            seen = 0
            async with aclosing(Subscribers(line).read(name, streams)) as found:
                async for event in found:
                    plain = event_of(event.body, event.delivery)
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
        async with bus() as line:
            plain, _ = await KeyRing(line).add(name, tenant, {Right(right) for right in wanted})
        return plain

    say(run(work()))


@keys.command("list")
def list_keys(json_: AsJson = False) -> None:
    """List the keys; never the keys themselves."""

    async def work() -> list[Any]:
        from loopline_nats.access import KeyRing

        async with bus() as line:
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

        async with bus() as line:
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
        async with bus() as line:
            await Contents(line).put(name, Content(shown))

    run(work())
    say(f"events of {name} show content {shown}")

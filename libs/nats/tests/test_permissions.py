"""Who may do what on the bus, refused by a real server: services say only their own facts, downstream teams only pull and ack."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nats.aio.client import Client

from loopline.ingestion.v1.events_pb2 import DocumentAccepted
from loopline_contracts.channels import CHANNELS, DOCUMENT_ACCEPTED, DURABLES, INGESTION_EXTRACT, READERS
from loopline_contracts.streams import Bucket
from loopline_nats.access import KeyRing
from loopline_nats.content import Contents
from loopline_nats.credentials import Authority, write_secret
from loopline_nats.foreign import translated
from loopline_nats.kv import Entries
from loopline_nats.line import Fact, Line, open_line
from loopline_nats.objects import Objects
from loopline_nats.permissions import OPERATOR, SERVICES, inbox_of, of_service, of_subscriber
from loopline_nats.provision import apply
from loopline_nats.reading import reads
from loopline_nats.subscribers import PREFIX, Subscribers
from loopline_runtime.access import Right, hash_of
from loopline_runtime.errors import Conflict, NotFound, Unavailable
from loopline_runtime.settings import Nats
from loopline_testing.fixtures import SCALE, bus_settings
from loopline_testing.nats import NatsServer, nats_server


@dataclass
class Guarded:
    """A bus where everybody needs credentials."""

    server: NatsServer
    authority: Authority
    folder: Path

    def settings(self, user: str, **changes: object) -> Nats:
        path = self.folder / f"{user}.creds"
        if not path.exists():
            permissions = OPERATOR if user == "operator" else of_service(user)
            write_secret(path, self.authority.credentials(user, permissions))
        return bus_settings(self.server).model_copy(update={"credentials": path, "connect_s": 5.0, **changes})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("authority")
    authority = Authority.made(folder)
    with nats_server(extra=authority.server_config()) as server:
        guarded = Guarded(server, authority, folder)

        async def provision() -> None:
            async with open_line(guarded.settings("operator"), "operator") as line:
                await apply(line, scale=SCALE)

        asyncio.run(provision())
        yield guarded


@pytest.fixture
async def operator(guarded: Guarded) -> AsyncIterator[Line]:
    async with open_line(guarded.settings("operator"), "operator") as line:
        yield line


def fact(tenant: str, document: str) -> Fact[DocumentAccepted]:
    event = DocumentAccepted(document_id=document)
    return Fact(DOCUMENT_ACCEPTED, event, f"{tenant}/{document}", tenant, document)


class Raw:
    """A bare client that notes what the server refuses."""

    def __init__(self) -> None:
        self.client = Client()
        self.refused: list[str] = []

    async def connect(self, guarded: Guarded, credentials: str, user: str) -> None:
        path = guarded.folder / f"{user}.creds"
        write_secret(path, credentials)

        async def note(error: Exception) -> None:
            self.refused.append(str(error))

        await self.client.connect(
            guarded.server.url, user_credentials=str(path), inbox_prefix=inbox_of(user), error_cb=note
        )

    async def refused_of(self, *subjects: str, payload: bytes = b"?") -> set[str]:
        """Those of the subjects it may not publish on."""
        self.refused.clear()
        for subject in subjects:
            await self.client.publish(subject, payload, reply=f"{self.client.new_inbox()}")
        await self.client.flush()
        await asyncio.sleep(0.02)
        return {subject for subject in subjects if any(f'"{subject.lower()}"' in text for text in self.refused)}

    async def may_listen(self, subject: str) -> bool:
        self.refused.clear()
        await self.client.subscribe(subject)
        await self.client.flush()
        await asyncio.sleep(0.02)
        return not self.refused


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    raw = Raw()
    yield raw
    await raw.client.close()


async def refused(guarded: Guarded, path: Path | None) -> None:
    """Raises nothing when the server lets nobody in. A bare client: it can be closed after it failed."""
    client = Client()
    try:
        with pytest.raises(Unavailable, match="NATS__CREDENTIALS"), translated("the bus"):
            await client.connect(
                guarded.server.url, user_credentials=str(path) if path else None, allow_reconnect=False
            )
    finally:
        await client.close()


async def test_without_credentials_nobody_comes_in(guarded: Guarded):
    await refused(guarded, None)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_says_its_own_facts_and_no_others(guarded: Guarded, raw: Raw, service: str):
    await raw.connect(guarded, guarded.authority.credentials(service, of_service(service)), service)
    facts = {channel.of("nobody", "d"): channel.owner for channel in CHANNELS}
    assert await raw.refused_of(*facts) == {subject for subject, owner in facts.items() if owner != service}
    others = [durable for durable in DURABLES if durable.hearer != service]
    foreign = [
        *(f"$JS.API.CONSUMER.MSG.NEXT.{durable.stream}.{durable.name}" for durable in others),
        *(f"$JS.API.CONSUMER.CREATE.{durable.stream}.{durable.name}.x" for durable in others),
        *(f"$JS.ACK.{durable.stream}.{durable.name}.1.1.1.1.0" for durable in others),
        "$KV.ACCESS.mine",
        "$JS.API.STREAM.DELETE.INGESTION",
    ]
    assert await raw.refused_of(*foreign) == set(foreign)
    assert not await raw.may_listen("loopline.>")


async def test_a_service_does_all_its_work_with_its_credentials(guarded: Guarded, operator: Line):
    """Says, hears, looks up, stores objects, follows keys, reads a stream in order."""
    settings = guarded.settings("ingestion")
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with open_line(settings, "ingestion") as line, KeyRing.watching(line) as keys:

        @line.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, _: object) -> None:
            await heard.put(event.document_id)

        await line.start()
        await line.ready()
        await line.say(fact("acme", "d1"))
        async with asyncio.timeout(10):
            while await heard.get() != "d1":
                continue
        found = await line.last_of("acme", "d1")
        assert found
        await line.replay(INGESTION_EXTRACT, found, 1)
        async with asyncio.timeout(10):
            assert await heard.get() == "d1"
        objects = Objects(line)

        async def parts() -> AsyncIterator[bytes]:
            yield b"x" * 200_000

        await objects.put("u1", parts())
        assert [named.name for named in await objects.names()] == ["u1"]
        assert len(b"".join([part async for part in objects.get("u1")])) == 200_000
        await objects.delete("u1")
        assert str(await Contents(line).of("acme")) == "full"
        assert await Entries(line, Bucket.ATTEMPTS).get("nothing") is None
        plain, _ = await KeyRing(operator).add("k", "acme", {Right.READ})
        async with asyncio.timeout(5):
            while keys.find(hash_of(plain)) is None:
                await asyncio.sleep(0.02)


async def test_a_reader_reads_with_its_credentials(guarded: Guarded, operator: Line):
    reader = next(r for r in READERS if DOCUMENT_ACCEPTED in r.hears)
    async with open_line(guarded.settings("ingestion"), "ingestion") as line:
        await line.say(fact("acme", "d2"))
    async with open_line(guarded.settings(reader.hearer), reader.hearer) as line:
        async with asyncio.timeout(10):
            async for batch in reads(reader, line, 0):
                if batch.facts:
                    break


@pytest.fixture
async def team(guarded: Guarded, operator: Line, raw: Raw) -> AsyncIterator[str]:
    """A downstream team of the tenant acme, and another one."""
    subscribers = Subscribers(operator)
    for name, tenant in (("team", "acme"), ("rivals", "other")):
        await subscribers.add(name, tenant, ["document_accepted"], since=1)
    streams = ("INGESTION",)
    permissions = of_subscriber("team", PREFIX + "team", streams)
    await raw.connect(guarded, guarded.authority.credentials("team", permissions), "team")
    yield "team"
    for name in ("team", "rivals"):
        await subscribers.remove(name)


async def test_a_team_pulls_and_acknowledges_its_own(guarded: Guarded, team: str):
    async with open_line(guarded.settings("ingestion"), "ingestion") as line:
        await line.say(fact("other", "theirs"))
        await line.say(fact("acme", "ours"))
    settings = guarded.settings(team)
    async with open_line(settings, team) as line:
        events = Subscribers(line).read(team, streams=("INGESTION",))
        async with asyncio.timeout(10):
            async for event in events:
                await event.ack()
                assert event.delivery.tenant == "acme"
                if event.delivery.document == "ours":
                    break
        await events.aclose()


CREATE = "$JS.API.CONSUMER.CREATE.INGESTION"
FOREIGN = "loopline.ingestion.v1.document_accepted.other.*"
REFUSED = {
    "another tenant's filter": (
        f"{CREATE}.subscriber-team.{FOREIGN}",
        {
            "stream_name": "INGESTION",
            "config": {"name": "subscriber-team", "filter_subject": FOREIGN, "ack_policy": "explicit"},
        },
    ),
    "an unfiltered consumer": (CREATE, {"stream_name": "INGESTION", "config": {"ack_policy": "none"}}),
    "a consumer of its own": (f"{CREATE}.mine", {"stream_name": "INGESTION", "config": {"name": "mine"}}),
    "a durable in the old way": (
        "$JS.API.CONSUMER.DURABLE.CREATE.INGESTION.subscriber-team",
        {"stream_name": "INGESTION", "config": {"durable_name": "subscriber-team", "ack_policy": "explicit"}},
    ),
    "reading by sequence": ("$JS.API.STREAM.MSG.GET.INGESTION", {"seq": 1}),
    "reading directly": ("$JS.API.DIRECT.GET.INGESTION", {"seq": 1}),
    "reading directly by subject": (f"$JS.API.DIRECT.GET.INGESTION.{FOREIGN}", {}),
    "a service's messages": ("$JS.API.CONSUMER.MSG.NEXT.INGESTION.ingestion-extract", {"batch": 1}),
    "another team's messages": ("$JS.API.CONSUMER.MSG.NEXT.INGESTION.subscriber-rivals", {"batch": 1}),
    "acknowledging for a service": ("$JS.ACK.INGESTION.ingestion-extract.1.1.1.1.0", {}),
    "overwriting a service's durable": (
        f"{CREATE}.ingestion-extract.{FOREIGN}",
        {"stream_name": "INGESTION", "config": {"durable_name": "ingestion-extract", "filter_subject": FOREIGN}},
    ),
    "removing a service's durable": ("$JS.API.CONSUMER.DELETE.INGESTION.ingestion-extract", {}),
    "removing its own": ("$JS.API.CONSUMER.DELETE.INGESTION.subscriber-team", {}),
    "listing streams": ("$JS.API.STREAM.NAMES", {}),
    "raw documents": ("$JS.API.DIRECT.GET.OBJ_UPLOADS.$O.UPLOADS.M.dTE=", {}),
    "raw documents by a consumer": (
        "$JS.API.CONSUMER.CREATE.OBJ_UPLOADS",
        {"stream_name": "OBJ_UPLOADS", "config": {}},
    ),
    "keys": ("$JS.API.DIRECT.GET.KV_ACCESS.>", {}),
    "saying a fact": (DOCUMENT_ACCEPTED.of("acme", "d9"), {}),
    "answering for somebody": ("_INBOX.operator.x", {}),
}


@pytest.mark.parametrize("act", REFUSED)
async def test_a_team_is_refused(team: str, raw: Raw, act: str):
    subject, body = REFUSED[act]
    assert await raw.refused_of(subject, payload=json.dumps(body).encode()) == {subject}


@pytest.mark.parametrize("subject", ["_INBOX.>", "_INBOX.operator.>", "loopline.>", ">", "$JS.EVENT.>", "$KV.ACCESS.>"])
async def test_a_team_listens_to_nothing_but_its_inbox(team: str, raw: Raw, subject: str):
    assert not await raw.may_listen(subject)
    assert await raw.may_listen(f"{inbox_of(team)}.x")


async def test_revoked_credentials_are_cut_off(guarded: Guarded):
    settings = guarded.settings("embedding")
    async with open_line(settings, "embedding") as line:
        await line.ready()
        assert "embedding" in guarded.authority.users()
        guarded.authority.revoke("embedding")
        guarded.server.extra = guarded.authority.server_config()
        guarded.server.reload()
        async with asyncio.timeout(10):
            while "authentication revoked" not in line.ailment():  # a new process is wanted, with a new file
                await asyncio.sleep(0.05)
    await refused(guarded, settings.credentials)
    (guarded.folder / "embedding.creds").unlink()
    async with open_line(guarded.settings("embedding"), "embedding") as line:
        await line.ready()
    with pytest.raises(NotFound):
        guarded.authority.revoke("nobody")


async def test_credentials_that_ended_are_refused(guarded: Guarded):
    path = guarded.folder / "late.creds"
    write_secret(path, guarded.authority.credentials("late", of_service("generation"), days=-1))
    await refused(guarded, path)


def test_an_authority_is_made_once(guarded: Guarded):
    assert (guarded.folder / "authority.json").stat().st_mode & 0o077 == 0
    with pytest.raises(Conflict):
        Authority.made(guarded.folder)

"""Downstream teams: consumers that an operator makes for them by exact name, and reading them."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import nats.errors
from google.protobuf.message import Message
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from loopline_contracts.channels import CHANNEL_BY_LABEL, CHANNEL_BY_SUBJECT, Channel
from loopline_contracts.streams import STREAMS
from loopline_nats.codec import decode
from loopline_nats.content import Content, Contents
from loopline_nats.envelope import Delivery, received
from loopline_nats.foreign import translated
from loopline_nats.line import Line
from loopline_runtime.errors import Conflict, Forbidden, Invalid, NotFound

PREFIX = "subscriber-"
# Events that carry the text of documents because the line itself needs it; only for tenants whose content is full.
CARRY_TEXT = ("document_chunked", "chunks_embedded")


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A downstream durable. A name may span streams: it is one consumer in each."""

    name: str
    tenant: str
    events: tuple[str, ...]
    streams: tuple[str, ...]
    pending: int


@dataclass(frozen=True, slots=True)
class Event:
    """One event for a subscriber; `ack` it when it is dealt with, or it comes again after 30 s."""

    body: Message
    delivery: Delivery
    _raw: Msg = field(repr=False)

    async def ack(self) -> None:
        """Says that it needs not come again; waits until the server knows."""
        with translated("acknowledging"):
            await self._raw.ack_sync(timeout=5)


class Subscribers:
    """Makes, lists, removes and reads downstream durables."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._js = line.jetstream

    async def add(self, name: str, tenant: str, events: list[str], since: datetime | int | None = None) -> Subscriber:
        """Makes it. `since`: a time, a sequence (of the one stream its events are in), or None for what is new from now.

        Invalid for an unknown event or name; Conflict when it exists; Forbidden for events with document text when the tenant's content is not full.
        """
        if not name.replace("-", "").replace("_", "").isalnum():
            raise Invalid("a subscriber's name is letters, digits, - and _", field="name")
        if unknown := [event for event in events if event not in CHANNEL_BY_LABEL]:
            raise Invalid(f"no event {unknown[0]}; there are: {', '.join(CHANNEL_BY_LABEL)}", field="events")
        if (await Contents(self._line).of(tenant)) is not Content.FULL and set(events) & set(CARRY_TEXT):
            raise Forbidden(f"{' and '.join(CARRY_TEXT)} carry text, and the tenant's content is not full")
        by_stream: dict[str, list[Channel[Message]]] = {}
        for event in events:
            by_stream.setdefault(CHANNEL_BY_LABEL[event].stream, []).append(CHANNEL_BY_LABEL[event])
        if isinstance(since, int) and len(by_stream) > 1:
            raise Invalid("a sequence belongs to one stream; these events are in several: give a time", field="since")
        if any(sub.name == name for sub in await self.list()):
            raise Conflict(f"there is a subscriber {name} already", field="name")
        for stream, channels in by_stream.items():
            with translated(f"subscriber {name}"):
                await self._js.add_consumer(stream, _config(name, tenant, channels, since))
        return Subscriber(name, tenant, tuple(events), tuple(by_stream), 0)

    async def list(self) -> list[Subscriber]:
        """All of them, by name."""
        found: dict[str, Subscriber] = {}
        for stream in STREAMS:
            with translated(f"stream {stream.name}"):
                consumers = await self._js.consumers_info(stream.name)
            for info in consumers:
                if not (info.name or "").startswith(PREFIX) or not info.config:
                    continue
                filters = info.config.filter_subjects or [info.config.filter_subject or ""]
                events = tuple(CHANNEL_BY_SUBJECT[".".join(subject.split(".")[:4])].label for subject in filters)
                name, tenant = (info.name or "").removeprefix(PREFIX), filters[0].split(".")[4]
                before = found.get(name, Subscriber(name, tenant, (), (), 0))
                found[name] = Subscriber(
                    name,
                    tenant,
                    (*before.events, *events),
                    (*before.streams, stream.name),
                    before.pending + (info.num_pending or 0) + (info.num_ack_pending or 0),
                )
        return sorted(found.values(), key=lambda sub: sub.name)

    async def remove(self, name: str) -> None:
        """Removes it and its place in the streams. NotFound when there is none."""
        subscriber = await self._find(name)
        for stream in subscriber.streams:
            with translated(f"subscriber {name}"):
                await self._js.delete_consumer(stream, PREFIX + name)

    async def read(self, name: str, streams: tuple[str, ...] = ()) -> AsyncGenerator[Event, None]:
        """Its events as they come, without end; in order within a stream. Each must be acknowledged.

        A team's own credentials may not look for its consumers: it names the streams that `add` told.
        """
        streams = streams or (await self._find(name)).streams
        queue: asyncio.Queue[Msg] = asyncio.Queue(maxsize=64)
        pulls = [asyncio.create_task(self._pull(name, stream, queue)) for stream in streams]
        try:
            while True:
                arrived = asyncio.ensure_future(queue.get())
                await asyncio.wait({arrived, *pulls}, return_when=asyncio.FIRST_COMPLETED)
                for failed in (pull for pull in pulls if pull.done()):
                    failed.result()
                msg = await arrived
                yield Event(decode(msg.subject, msg.data), received(msg), msg)
        finally:
            for pull in pulls:
                pull.cancel()
            await asyncio.gather(*pulls, return_exceptions=True)

    async def _pull(self, name: str, stream: str, queue: asyncio.Queue[Msg]) -> None:
        with translated(f"subscriber {name}"):
            subscription = await self._js.pull_subscribe_bind(PREFIX + name, stream)
            try:
                while True:
                    try:
                        messages = await subscription.fetch(1, timeout=5)
                    except (nats.errors.TimeoutError, TimeoutError):
                        continue
                    await queue.put(messages[0])
            finally:
                await subscription.unsubscribe()

    async def _find(self, name: str) -> Subscriber:
        for subscriber in await self.list():
            if subscriber.name == name:
                return subscriber
        raise NotFound(f"no subscriber {name}; `loopline subscribers list` shows them")


def _config(name: str, tenant: str, channels: list[Channel[Message]], since: datetime | int | None) -> ConsumerConfig:
    config = ConsumerConfig(
        durable_name=PREFIX + name,
        name=PREFIX + name,
        filter_subjects=sorted(channel.of(tenant) for channel in channels),
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.NEW,
        max_deliver=-1,
        ack_wait=30,
    )
    if isinstance(since, int):
        config.deliver_policy, config.opt_start_seq = DeliverPolicy.BY_START_SEQUENCE, since
    elif since is not None:
        config.deliver_policy = DeliverPolicy.BY_START_TIME
        config.opt_start_time = since.astimezone(UTC).isoformat()  # type: ignore[assignment]
    return config

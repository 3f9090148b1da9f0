"""The line: say facts, hear facts, look facts up."""

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from faststream._internal.broker.registrator import Registrator
from faststream.middlewares import AckPolicy
from faststream.nats import NatsBroker
from faststream.nats.configs import NatsBrokerConfig
from google.protobuf.message import Message
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from opentelemetry import propagate, trace

from loopline_contracts.channels import CHANNELS, Channel, Durable
from loopline_contracts.streams import CANARY, CANARY_STREAM
from loopline_nats.codec import Incoming, ProtobufCodec, decode
from loopline_nats.disposition import Disposition, Outcome
from loopline_nats.envelope import REPLAY, REVISION, Delivery, Fact, delivery_of, handling, headers_of
from loopline_nats.fetching import FetchLoop, Probe
from loopline_nats.foreign import explains, translated
from loopline_nats.metrics import EVENT_SECONDS, EVENTS_HANDLED, EVENTS_PUBLISHED, LAST_FETCH_AGE
from loopline_nats.permissions import inbox_of
from loopline_nats.security import security_of
from loopline_runtime import names
from loopline_runtime.errors import Unavailable
from loopline_runtime.settings import Nats

__all__ = ["Delivery", "Fact", "Heard", "Line", "open_line"]

log = logging.getLogger(__name__)
tracer = trace.get_tracer("loopline_nats")

Handler = Callable[[Any, Delivery], "AsyncIterator[Fact[Message]] | Awaitable[None]"]
DOCUMENT_FACTS = "loopline.ingestion.v1.*"


@dataclass(frozen=True, slots=True)
class Heard:
    """A fact that was looked up."""

    event: Message
    delivery: Delivery


class Line:
    """One service's connection to the bus. Handlers are bound with `hears` before `start`."""

    def __init__(self, settings: Nats, service: str) -> None:
        self._settings = settings
        self._service = service
        self._own = {channel.subject for channel in CHANNELS if channel.owner == service}
        self._broker = NatsBroker(
            settings.url.split(","),
            name=f"loopline-{service}",
            codec=ProtobufCodec(),
            ack_policy=AckPolicy.MANUAL,
            apply_types=False,
            logger=None,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            connect_timeout=5,
            drain_timeout=3,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
            inbox_prefix=inbox_of(service),
            security=security_of(settings),
        )
        # Why we were not let in, while nobody was: said when the time to connect is over.
        self._kept_out: Exception | None = None
        self._stopping = False
        self._loops: list[FetchLoop] = []
        self._watch: asyncio.Task[None] | None = None

    @property
    def nats(self) -> Client:
        """The client of nats-py, for adapters."""
        client: Client = self._broker.config.connection_state.connection
        return client

    @property
    def jetstream(self) -> JetStreamContext:
        """JetStream of that client."""
        jetstream: JetStreamContext = self._broker.config.connection_state.stream
        return jetstream

    async def connect(self) -> None:
        """Reaches the server, or Unavailable, which says why when the server or its certificate did."""
        with translated(f"nats at {self._settings.url}"):
            try:
                await asyncio.wait_for(self._broker.connect(), self._settings.connect_s or None)
            except TimeoutError as error:
                raise self._kept_out or error from error

    async def _on_error(self, error: Exception) -> None:
        log.warning("nats: %s", error)
        # A server that refuses ends the connection, which is told too and explains nothing.
        if explains(error):
            self._kept_out = error

    async def _on_closed(self) -> None:
        if not self._stopping:
            log.error("%s", self._thrown_out())

    def _thrown_out(self) -> str:
        """The client does not come back by itself after words like these from the server; a new process does."""
        return f"the bus ended the connection ({self.nats.last_error}): look at NATS__CREDENTIALS"

    async def start(self) -> None:
        """Begins to fetch; the durables must have been provisioned."""
        for loop in self._loops:
            with translated(f"durable {loop.durable.name}"):
                await self.jetstream.consumer_info(loop.durable.stream, loop.durable.name)
            await loop.start()
        self._watch = asyncio.create_task(self._watch_loops())

    async def stop(self, grace_s: float = 8.0) -> None:
        """Stops fetching, finishes what is in work, closes."""
        self._stopping = True
        if self._watch:
            self._watch.cancel()
        for loop in self._loops:
            await loop.stop()
        await asyncio.gather(*(loop.finished(grace_s) for loop in self._loops))
        with suppress(Unavailable), translated("nats"):
            await self._broker.stop()

    def hears(self, durable: Durable, *, probe: Probe | None = None) -> Callable[[Handler], Handler]:
        """Binds a handler: one fact in, facts out (an async generator) or none (a coroutine).

        Everything it yields is published and acknowledged before the message that came in is. `probe` raises Unavailable
        while a dependency is down: meanwhile the durable fetches nothing.
        """

        def bind(handler: Handler) -> Handler:
            loop = FetchLoop(
                cast("NatsBrokerConfig", self._broker.config), durable, fetch_s=self._settings.fetch_s, probe=probe
            )
            Registrator.subscriber(self._broker, loop)
            disposition = Disposition(self, durable)

            async def run(incoming: Incoming) -> None:
                await self._run(durable, handler, incoming)

            async def on_message(incoming: Incoming) -> None:
                began = time.perf_counter()
                try:
                    outcome = await disposition.settle(incoming, run)
                except asyncio.CancelledError:
                    await incoming.raw.nak()
                    raise
                if outcome is Outcome.PARKED:
                    loop.park()
                EVENTS_HANDLED.labels(durable.name, outcome).inc()
                EVENT_SECONDS.labels(durable.name).observe(time.perf_counter() - began)

            loop(on_message)
            self._loops.append(loop)
            return handler

        return bind

    async def _run(self, durable: Durable, handler: Handler, incoming: Incoming) -> None:
        delivery = incoming.delivery
        token = handling.set(delivery)
        context = propagate.extract(delivery.headers)
        with tracer.start_as_current_span(
            f"process {durable.name}",
            context=context,
            kind=trace.SpanKind.CONSUMER,
            attributes={
                names.MESSAGING_SYSTEM: "nats",
                names.MESSAGING_DESTINATION: delivery.subject,
                names.MESSAGING_MESSAGE_ID: delivery.id,
                names.MESSAGING_CONSUMER_GROUP: durable.name,
            },
        ):
            try:
                if inspect.isasyncgenfunction(handler):
                    async for fact in handler(incoming.event, delivery):
                        await self.say(fact)
                else:
                    await handler(incoming.event, delivery)  # type: ignore[misc]
            finally:
                handling.reset(token)

    async def say(self, fact: Fact[Message], *, after: int | None = None) -> int:
        """Publishes a fact of this service and waits until the stream has it; returns its sequence.

        `after`: the sequence that must still be the last of this document's facts (0: there is none). Aborted when it is not;
        Overloaded when the stream is full; TimedOut, Unavailable when the bus does not answer.
        """
        if fact.channel.subject not in self._own:
            raise ValueError(f"{self._service} does not own {fact.channel.subject}")
        headers = headers_of(fact, self._service)
        if after is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(after)
            headers["Nats-Expected-Last-Subject-Sequence-Subject"] = _facts_of(fact.tenant, fact.document)
        with tracer.start_as_current_span(
            f"publish {fact.channel.name}",
            kind=trace.SpanKind.PRODUCER,
            attributes={names.MESSAGING_SYSTEM: "nats", names.MESSAGING_DESTINATION: fact.subject},
        ):
            propagate.inject(headers)
            sequence = await self.publish(fact.subject, fact.body, headers, stream=fact.channel.stream)
        EVENTS_PUBLISHED.labels(fact.channel.name).inc()
        return sequence

    async def publish(
        self, subject: str, body: Message | bytes, headers: Mapping[str, str], *, stream: str | None = None
    ) -> int:
        """The raw act behind `say`, replays and dead letters: waits for the acknowledgement."""
        with translated(f"publishing {subject}"):
            ack = await self._broker.publish(
                body,
                subject,
                headers=dict(headers),
                stream=stream or "DEAD_LETTER",
                timeout=self._settings.publish_timeout_s,
                correlation_id=headers.get("ce-correlationid", ""),
            )
        return ack.seq

    async def replay(self, durable: Durable, heard: Heard, number: int | str) -> int:
        """Says a fact again to one durable alone, with the revision it first had."""
        delivery = heard.delivery
        event_id = f"{delivery.id}/replay/{number}"
        headers = {
            **{
                name: value
                for name, value in delivery.headers.items()
                if name.startswith(("ce-", "content-type", "trace"))
            },
            "ce-id": event_id,
            "Nats-Msg-Id": f"{durable.name}/{event_id}",
            REVISION: str(delivery.revision),
            REPLAY: str(number),
        }
        subject = _again(durable, delivery.event, delivery.tenant, delivery.document)
        return await self.publish(subject, heard.event, headers, stream=durable.stream)

    async def last_of(self, tenant: str, document: str) -> Heard | None:
        """The last fact about a document in the stream of document facts, or None."""
        return await self._look_up("INGESTION", subject=_facts_of(tenant, document))

    async def last_on(self, channel: Channel[Message], tenant: str, document: str = "*") -> Heard | None:
        """The last fact of one kind (about one document), or None."""
        return await self._look_up(channel.stream, subject=channel.of(tenant, document))

    async def last_again(self, durable: Durable, channel: Channel[Message], tenant: str, document: str) -> Heard | None:
        """The last fact of one kind about a document that was said again to one durable alone, or None."""
        return await self._look_up(durable.stream, subject=_again(durable, channel.name, tenant, document))

    async def at(self, stream: str, sequence: int) -> Heard | None:
        """The fact at a place in a stream, or None when it is gone."""
        return await self._look_up(stream, sequence=sequence)

    async def _look_up(self, stream: str, *, subject: str = "", sequence: int | None = None) -> Heard | None:
        with translated(f"stream {stream}"):
            try:
                if sequence is None:
                    found = await self.jetstream.get_last_msg(stream, subject)
                else:
                    found = await self.jetstream.get_msg(stream, sequence)
            except NotFoundError as error:
                if error.err_code == NO_MESSAGE:
                    return None
                raise
        return heard(found)

    def ages(self) -> dict[str, float]:
        """Seconds since each fetch loop last asked, by durable."""
        return {loop.durable.name: loop.last_fetch_age_s for loop in self._loops}

    def parked(self) -> list[str]:
        """The durables that wait for a dependency."""
        return [loop.durable.name for loop in self._loops if loop.parked]

    def ailment(self) -> str:
        """Why this process cannot go on: it was thrown out, its fetch loops hang in spite of being restarted; for `/livez`."""
        if self.nats.is_closed and not self._stopping:
            return self._thrown_out()
        hanging = [loop.durable.name for loop in self._loops if loop.overdue]
        return f"fetch loops hang: {', '.join(hanging)}" if hanging else ""

    async def ready(self) -> None:
        """Unavailable unless the bus stores an acknowledged canary."""
        subject = f"{CANARY}.{self._service}"
        await self.publish(subject, b"", {}, stream=CANARY_STREAM)

    async def _watch_loops(self) -> None:
        while True:
            await asyncio.sleep(1)
            for loop in self._loops:
                LAST_FETCH_AGE.labels(loop.durable.name).set(loop.last_fetch_age_s)
                if loop.overdue:
                    log.error("the fetch loop of %s hangs; it is restarted", loop.durable.name)
                    loop.restart()


NO_MESSAGE = 10037


def _facts_of(tenant: str, document: str) -> str:
    return f"{DOCUMENT_FACTS}.{tenant}.{document}"


def _again(durable: Durable, event: str, tenant: str, document: str) -> str:
    return ".".join(filter(None, (durable.replay_subject, event, tenant, document)))


def heard(found: RawStreamMsg) -> Heard:
    """A looked-up message as a fact. Invalid when it is none."""
    subject, body = found.subject or "", found.data or b""
    when = found.time if isinstance(found.time, datetime) else datetime.now(UTC)
    return Heard(decode(subject, body), delivery_of(subject, found.headers or {}, found.seq or 0, when, 1))


@asynccontextmanager
async def open_line(settings: Nats, service: str) -> AsyncIterator[Line]:
    """Connects, and closes in order."""
    line = Line(settings, service)
    await line.connect()
    try:
        yield line
    finally:
        await line.stop()

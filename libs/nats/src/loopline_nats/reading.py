"""Facts of a stream in its order, from a place the reader keeps itself, with its state: for one process, and for read models.

A reader that writes its place and its state in one transaction hears each fact once, whatever kills it and whenever.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import Message
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from loopline_contracts.channels import Reader
from loopline_nats.codec import decode
from loopline_nats.envelope import Delivery, received
from loopline_nats.foreign import translated
from loopline_nats.line import Line
from loopline_runtime.errors import Invalid, Unavailable

log = logging.getLogger(__name__)
BATCH, EXPIRES_S = 256, 1.0
# A consumer that nobody asks for so long is removed by the server.
FORGOTTEN_S = 60.0
AGAIN_S = (0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some facts of one stream, in order; none in silence. `last`: the sequence read last, that of unreadable ones too."""

    reader: Reader
    facts: Sequence[tuple[Message, Delivery]]
    last: int
    caught_up: bool
    unreadable: int = 0


async def reads(
    reader: Reader, line: Line, after: int, *, since: datetime | None = None, until: datetime | None = None
) -> AsyncGenerator[Batch, None]:
    """Facts after a sequence, in order, each once, without end; a bus that is away is waited out.

    `since` begins at a time when there is no sequence yet. With `until` it ends at that time or where the stream ends, and Unavailable is raised
    instead of waiting. A stream that ends before `after` was made anew: it is read from its beginning.
    """
    place, tries = after, 0
    while True:
        try:
            async with _consumer(line, reader, place, since if not place else None) as consumer:
                place, tries = min(place, consumer.after), 0
                async with aclosing(consumer.batches(until)) as batches:
                    async for batch in batches:
                        place = batch.last
                        yield batch
            if until is not None and consumer.ended:
                return
        except Unavailable as error:
            if until is not None:
                raise
            log.info("%s waits for the bus: %s", reader.name, error)
            await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
            tries += 1


@asynccontextmanager
async def _consumer(line: Line, reader: Reader, after: int, since: datetime | None) -> "AsyncIterator[_Consumer]":
    """An ephemeral consumer after a sequence or since a time; removed at the end, by the server when we cannot."""
    jetstream = line.jetstream
    with translated(f"stream {reader.stream}"):
        ends = (await jetstream.stream_info(reader.stream)).state.last_seq
        if after > ends:
            log.warning("%s ends at %d, before our place %d: it was made anew", reader.stream, ends, after)
            after = 0
        config = ConsumerConfig(
            filter_subjects=sorted(reader.filters),
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            inactive_threshold=FORGOTTEN_S,
            mem_storage=True,
            num_replicas=1,
        )
        if since is not None:
            config.deliver_policy, config.opt_start_seq = DeliverPolicy.BY_START_TIME, None
            config.opt_start_time = since.astimezone(UTC).isoformat()  # type: ignore[assignment]
        name = (await jetstream.add_consumer(reader.stream, config)).name
        subscription = await jetstream.pull_subscribe_bind(name, reader.stream)
    try:
        yield _Consumer(reader, subscription, after)
    finally:
        with suppress(Unavailable), translated("nats"):
            await subscription.unsubscribe()
            await jetstream.delete_consumer(reader.stream, name)


class _Consumer:
    def __init__(self, reader: Reader, subscription: JetStreamContext.PullSubscription, after: int) -> None:
        self._reader = reader
        self._subscription = subscription
        self.after = after
        self.ended = False

    async def batches(self, until: datetime | None) -> AsyncGenerator[Batch, None]:
        """Until `ended`, or until the consumer's own counter has a hole: messages were lost on the way, and it must be made anew."""
        place, counted = self.after, 0
        while not self.ended:
            messages = await self._fetched()
            numbers = [message.metadata.sequence.consumer for message in messages]
            if numbers != list(range(counted + 1, counted + 1 + len(numbers))):
                return
            counted += len(numbers)
            wanted = [m for m in messages if until is None or m.metadata.timestamp < until]
            caught_up = not messages or messages[-1].metadata.num_pending == 0
            self.ended = until is not None and (caught_up or len(wanted) < len(messages))
            place = wanted[-1].metadata.sequence.stream if wanted else place
            yield self._batch(wanted, place, caught_up)

    async def _fetched(self) -> list[Msg]:
        with translated(f"stream {self._reader.stream}"):
            try:
                return await self._subscription.fetch(BATCH, timeout=EXPIRES_S)
            except TimeoutError:
                # Nothing new, or nobody there: a consumer that still answers tells the one from the other.
                await self._subscription.consumer_info()
                return []

    def _batch(self, messages: Sequence[Msg], last: int, caught_up: bool) -> Batch:
        facts = []
        for message in messages:
            with suppress(Invalid):
                facts.append((decode(message.subject, message.data), received(message)))
        return Batch(self._reader, facts, last, caught_up, len(messages) - len(facts))

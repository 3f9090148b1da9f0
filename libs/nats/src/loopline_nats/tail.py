"""All facts as they come, from every stream, in the order they were said: for eyes, not for work."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from google.protobuf.message import Message
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from loopline_contracts.channels import CHANNELS, DEAD_LETTER
from loopline_contracts.streams import CANARY_STREAM, STREAMS
from loopline_nats.codec import decode
from loopline_nats.envelope import Delivery, received
from loopline_nats.foreign import translated
from loopline_nats.line import Line
from loopline_runtime.errors import Invalid

# Streams are merged by time; one that is a little behind is waited for so long.
SETTLE_S = 0.15


async def follow(
    line: Line, *, document: str = "", since: datetime | None = None, quiet_s: float = 0
) -> AsyncIterator[tuple[Message | None, Delivery]]:
    """Facts (None when unreadable) from a time on, or from now; of one document, or all. Ends after `quiet_s` without any."""
    queue: asyncio.Queue[Msg] = asyncio.Queue()
    subscriptions = []
    for stream in STREAMS:
        filters = _filters(stream.name, document)
        if not filters or stream.name == CANARY_STREAM:
            continue
        config = ConsumerConfig(
            filter_subjects=filters,
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.BY_START_TIME if since else DeliverPolicy.NEW,
            inactive_threshold=30,
        )
        if since:
            config.opt_start_time = since.replace(tzinfo=since.tzinfo or UTC).isoformat()  # type: ignore[assignment]
        with translated(f"stream {stream.name}"):
            subscriptions.append(
                await line.jetstream.subscribe("", stream=stream.name, config=config, cb=queue.put, manual_ack=True)
            )
    try:
        while True:
            try:
                first = await asyncio.wait_for(queue.get(), quiet_s or None)
            except TimeoutError:
                return
            await asyncio.sleep(SETTLE_S)
            found = [first, *(queue.get_nowait() for _ in range(queue.qsize()))]
            for message in sorted(found, key=lambda one: one.metadata.timestamp):
                yield _read(message), received(message)
    finally:
        for subscription in subscriptions:
            await subscription.unsubscribe()


def _filters(stream: str, document: str) -> list[str]:
    if stream == "DEAD_LETTER":
        return [] if document else [f"{DEAD_LETTER}.>"]
    channels = [channel for channel in CHANNELS if channel.stream == stream and (channel.by_document or not document)]
    return [channel.of("*", document or "*") for channel in channels]


def _read(message: Msg) -> Message | None:
    try:
        return decode(message.subject, message.data)
    except Invalid:
        return None

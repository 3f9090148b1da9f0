"""All that a stream holds now, from its beginning: for rebuilding, checking and erasing, not for work."""

from collections.abc import AsyncIterator, Sequence

from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from loopline_nats.foreign import translated
from loopline_nats.line import Line

PART = 256
PART_S = 5.0


async def every(line: Line, stream: str, subjects: Sequence[str], *, headers_only: bool = False) -> AsyncIterator[Msg]:
    """The messages on these subjects that the stream holds, in order; what comes meanwhile may be among them."""
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.ALL,
        filter_subjects=list(subjects),
        ack_policy=AckPolicy.NONE,
        headers_only=headers_only,
        inactive_threshold=60,
        mem_storage=True,
        num_replicas=1,
    )
    with translated(f"stream {stream}"):
        reading = await line.jetstream.pull_subscribe("", stream=stream, config=config)
        waiting = (await reading.consumer_info()).num_pending or 0
    try:
        while waiting:
            with translated(f"stream {stream}"):
                try:
                    part = await reading.fetch(min(PART, waiting), timeout=PART_S)
                except NatsTimeoutError:
                    return  # what was waiting is gone
            for message in part:
                yield message
            waiting = part[-1].metadata.num_pending
    finally:
        await reading.unsubscribe()

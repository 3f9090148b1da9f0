"""Removing messages so that no disk holds them: by sequence, which has the server overwrite each one where it lies.

A purge, a key-value delete and an object store's delete only forget where the bytes are.
"""

from collections.abc import AsyncIterator, Callable, Sequence

from nats.aio.msg import Msg
from nats.js.errors import APIError

from loopline.ingestion.v1.events_pb2 import DocumentErasureOrdered
from loopline_contracts.channels import DOCUMENT_ERASURE_ORDERED
from loopline_nats.codec import decode
from loopline_nats.envelope import Delivery, received
from loopline_nats.foreign import translated
from loopline_nats.holding import every
from loopline_nats.line import Line
from loopline_runtime.errors import LooplineError

Which = Callable[[Msg], bool]
CANNOT_DELETE = 10057


async def erase(line: Line, stream: str, subjects: Sequence[str], which: Which | None = None) -> int:
    """Overwrites and removes the messages on these subjects (that `which` picks, by its whole body); returns how many there were."""
    found = [
        message.metadata.sequence.stream
        async for message in every(line, stream, subjects, headers_only=which is None)
        if which is None or which(message)
    ]
    for sequence in found:
        with translated(f"erasing message {sequence} of {stream}"):
            try:
                await line.jetstream.delete_msg(stream, sequence)
            except APIError as error:
                if error.err_code != CANNOT_DELETE:
                    raise
                # Mostly it expired, or somebody else erased it; who must be sure counts afterwards.
    return len(found)


async def count(line: Line, stream: str, subjects: Sequence[str], which: Which | None = None) -> int:
    """How many there are now."""
    found = [1 async for message in every(line, stream, subjects) if which is None or which(message)]
    return len(found)


async def orders(line: Line) -> AsyncIterator[tuple[DocumentErasureOrdered, Delivery]]:
    """Every order to erase a document that was ever given and is still known, oldest first."""
    async for message in every(line, DOCUMENT_ERASURE_ORDERED.stream, [DOCUMENT_ERASURE_ORDERED.filter]):
        event = decode(message.subject, message.data)
        if isinstance(event, DocumentErasureOrdered):
            yield event, received(message)


def revision_of(message: Msg) -> int:
    """The revision of its document that a message speaks of."""
    delivery: Delivery = received(message)
    try:
        event = decode(message.subject, message.data)
    except LooplineError:
        return delivery.revision
    batch = getattr(event, "batch", None)
    return int(batch.revision if batch is not None else getattr(event, "revision", delivery.revision))

"""The ledger is made again from the streams when it is empty; the stream of facts is never behind it."""

from collections.abc import AsyncIterator

import structlog

from loopline_contracts.channels import CHUNKS_INDEXED, DEAD_LETTER_STREAM, DOCUMENT_ACCEPTED, ERASURES, PLAN_ADDED
from loopline_contracts.streams import STREAM_BY_NAME
from loopline_ingestion.events import buried, noted, progressed, received_word
from loopline_ingestion.ports import Ledger, Plans, Receipts
from loopline_nats.codec import decode
from loopline_nats.envelope import Delivery, received
from loopline_nats.foreign import translated
from loopline_nats.holding import every
from loopline_nats.line import Line
from loopline_nats.moving import move_past
from loopline_runtime.errors import Invalid

log = structlog.get_logger(__name__)


async def rebuilt(line: Line, ledger: Ledger, plans: Plans, receipts: Receipts) -> None:
    """Fills an empty ledger. When it knows more than the stream, which then was restored or made anew, the stream is moved past it."""
    highest = await ledger.highest_revision()
    await move_past(line, DOCUMENT_ACCEPTED.stream, highest, "the ledger")
    with translated("stream INGESTION"):
        state = (await line.jetstream.stream_info(DOCUMENT_ACCEPTED.stream)).state
    if highest or not state.messages:
        return
    log.info("the ledger is empty and is rebuilt", facts=state.messages)
    async for subject, data, delivery in _all(line, PLAN_ADDED.stream):
        try:
            await noted(ledger, decode(subject, data), delivery)  # type: ignore[arg-type]
        except Invalid as error:
            log.warning("a message is no fact and is passed over", sequence=delivery.sequence, error=str(error))
    async for _, __, delivery in _all(line, DEAD_LETTER_STREAM):
        await buried(ledger, plans, delivery)
    async for subject, data, delivery in _all(line, CHUNKS_INDEXED.stream):
        if delivery.event == CHUNKS_INDEXED.name:
            await progressed(ledger, decode(subject, data), delivery)  # type: ignore[arg-type]
    async for subject, data, delivery in _all(line, ERASURES):
        await received_word(receipts, decode(subject, data), delivery)  # type: ignore[arg-type]


async def _all(line: Line, stream: str) -> AsyncIterator[tuple[str, bytes, Delivery]]:
    """Every fact of a stream, in order; replays are left out."""
    facts = [subject for subject in STREAM_BY_NAME[stream].subjects if not subject.startswith("loopline.replay")]
    async for message in every(line, stream, facts):
        yield message.subject, message.data, received(message)

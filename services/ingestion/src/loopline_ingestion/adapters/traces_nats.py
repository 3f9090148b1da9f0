"""What the bus holds of a document: its facts, its batches in every stream, its dead letters."""

from collections.abc import Iterator

from nats.aio.msg import Msg

from loopline.ingestion.v1.events_pb2 import DocumentAccepted
from loopline_contracts.channels import (
    CHANNELS,
    DEAD_LETTER,
    DEAD_LETTER_STREAM,
    DOCUMENT_ACCEPTED,
    DOCUMENT_ERASURE_ORDERED,
    DURABLES,
    ERASURES,
)
from loopline_ingestion import facts
from loopline_ingestion.receipts import Order
from loopline_nats.codec import decode
from loopline_nats.envelope import received
from loopline_nats.erasing import Which, count, erase, orders, revision_of
from loopline_nats.holding import every
from loopline_nats.line import Line

WHAT = {DOCUMENT_ACCEPTED.stream: "facts", "RETRIEVAL": "progress", DEAD_LETTER_STREAM: "dead_letters"}
# These tell of the erasure itself and hold nothing of the document.
OF_ERASING = ("document_erasure_ordered", "document_erased")


class TracesNats:
    """The port `Traces`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def uploads(self, order: Order) -> list[str]:
        """See the port."""
        accepted = DOCUMENT_ACCEPTED.of(order.tenant, order.document_id)
        found: list[str] = []
        async for message in every(self._line, DOCUMENT_ACCEPTED.stream, [accepted]):
            event = decode(message.subject, message.data)
            if isinstance(event, DocumentAccepted) and received(message).revision < order.revision:
                found.append(event.upload_id)
        return found

    async def erase(self, order: Order) -> list[tuple[str, str, int]]:
        """See the port."""
        return [
            (WHAT.get(stream, "batches"), f"stream {stream}", await erase(self._line, stream, subjects, which))
            for stream, subjects, which in _places(order)
        ]

    async def left(self, order: Order) -> int:
        """See the port."""
        counts = [await count(self._line, stream, subjects, which) for stream, subjects, which in _places(order)]
        return sum(counts)

    async def orders(self) -> list[Order]:
        """See the port."""
        return [facts.order_of(event, delivery) async for event, delivery in orders(self._line)]


def _places(order: Order) -> Iterator[tuple[str, list[str], Which]]:
    """Each stream with the subjects of the document, and which of their messages are meant."""
    facts_of_documents = [
        c for c in CHANNELS if c.by_document and c.stream != ERASURES and c is not DOCUMENT_ERASURE_ORDERED
    ]
    for stream in dict.fromkeys(channel.stream for channel in facts_of_documents):
        said = [c.of(order.tenant, order.document_id) for c in facts_of_documents if c.stream == stream]
        replayed = [
            f"{d.replay_subject}.{c.name}.{order.tenant}.{order.document_id}"
            for d in DURABLES
            if d.stream == stream
            for c in d.hears
            if c in facts_of_documents
        ]
        yield stream, said + replayed, lambda message: revision_of(message) <= order.revision
    yield DEAD_LETTER_STREAM, [f"{DEAD_LETTER}.*.*.{order.tenant}"], lambda message: _buried(message, order)


def _buried(message: Msg, order: Order) -> bool:
    headers = message.headers or {}
    origin = headers.get("loopline-origin-subject", "").split(".")
    revision = headers.get("loopline-document-revision", "")
    return (
        origin[3:6] != []
        and origin[3] not in OF_ERASING
        and origin[-1] == order.document_id
        and (not revision.isdigit() or int(revision) <= order.revision)
    )

"""What this service says of an erasure, and its look through the index before it answers anybody."""

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from loopline.ingestion.v1.events_pb2 import DocumentErasureOrdered, Removal
from loopline.retrieval.v1.events_pb2 import DocumentErased
from loopline_contracts.channels import RETRIEVAL_DOCUMENT_ERASED
from loopline_nats.erasing import orders
from loopline_nats.line import Delivery, Fact, Line
from loopline_retrieval.app import Indexing
from loopline_retrieval.model import Erased

log = structlog.get_logger(__name__)


async def look_again(line: Line, indexing: Indexing) -> None:
    """At start: an index that was restored may hold what was erased since; it goes before anything is answered."""
    async for event, delivery in orders(line):
        tenant, collection, document, revision = delivery.tenant, event.collection, event.document_id, delivery.revision
        if await indexing.holds(tenant, collection, document, revision):
            log.warning("the index holds an erased document; it is erased again", document=document)
            found = await indexing.erase(tenant, collection, document, revision)
            await line.say(told(event, delivery, found, f"/again/{int(datetime.now(UTC).timestamp())}"))


def told(
    event: DocumentErasureOrdered, delivery: Delivery, found: Sequence[Erased], suffix: str = ""
) -> Fact[DocumentErased]:
    """The fact that the index holds nothing of the document any more."""
    body = DocumentErased(
        owner="retrieval",
        document_id=event.document_id,
        collection=event.collection,
        revision=delivery.revision,
        removals=[_removal(one) for one in found],
    )
    event_id = f"{event.document_id}/erased/{delivery.revision}/retrieval{delivery.replay_suffix}{suffix}"
    return Fact(RETRIEVAL_DOCUMENT_ERASED, body, event_id, delivery.tenant, event.document_id)


def _removal(erased: Erased) -> Removal:
    made = Removal(
        what="chunks",
        where=f"index version {erased.version}",
        count=erased.chunks,
        verified="counted the document's passages in the index again: none",
        disk=erased.disk.how,
    )
    made.removed_at.GetCurrentTime()
    if erased.disk.gone:
        made.gone_by.CopyFrom(made.removed_at)
    return made

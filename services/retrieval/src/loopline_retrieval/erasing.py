"""What this service says of an erasure, and its look through the index before it answers anybody."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from loopline.ingestion.v1.events_pb2 import DocumentErasureOrdered, Removal
from loopline.retrieval.v1.events_pb2 import DocumentErased
from loopline_contracts.channels import DOCUMENT_ERASURE_ORDERED, RETRIEVAL_DOCUMENT_ERASED
from loopline_nats.erasing import orders
from loopline_nats.line import Delivery, Fact, Line
from loopline_nats.moving import move_past
from loopline_retrieval.app import Indexing
from loopline_retrieval.model import Erased
from loopline_retrieval.ports import Store
from loopline_runtime.errors import Unavailable

log = structlog.get_logger(__name__)
AGAIN_S = 2.0


async def look_again(line: Line, store: Store, indexing: Indexing) -> bool:
    """At start, before anything is answered; False while the store or the bus is away.

    An index that was restored may hold what was erased since; one that was not, when the stream was, has seen revisions the stream has yet to reach.
    """
    try:
        await move_past(line, DOCUMENT_ERASURE_ORDERED.stream, await store.highest(), "the index")
        await _erase_again(line, indexing)
    except Unavailable as error:
        log.warning("the index is looked through later", error=str(error))
        return False
    return True


async def keep_looking(done: bool, line: Line, store: Store, indexing: Indexing) -> None:
    """Until it is done."""
    while not done:
        await asyncio.sleep(AGAIN_S)
        done = await look_again(line, store, indexing)


async def _erase_again(line: Line, indexing: Indexing) -> None:
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

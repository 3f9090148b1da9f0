"""The stream of document facts, over NATS."""

from loopline.ingestion.v1 import events_pb2 as events
from loopline_contracts.channels import (
    CHUNKS_EMBEDDED,
    CHUNKS_INDEXED,
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_DELETED,
    DOCUMENT_ERASURE_ORDERED,
    DOCUMENT_READERS_CHANGED,
    EMBEDDING_EMBED,
    INGESTION_BUILD,
    INGESTION_EXTRACT,
    INGESTION_PROGRESS,
    PLAN_ADDED,
    PLAN_RETIRED,
    RETRIEVAL_INDEX,
    Durable,
)
from loopline_ingestion import facts
from loopline_ingestion.model import Collection, Document, IndexPlan
from loopline_ingestion.ports import Change
from loopline_ingestion.receipts import Order
from loopline_nats.foreign import translated
from loopline_nats.line import Fact, Heard, Line
from loopline_runtime.errors import Aborted

# A batch's way to the index and back, and who deals with it at each step.
WAY = (
    (DOCUMENT_CHUNKED, EMBEDDING_EMBED),
    (CHUNKS_EMBEDDED, RETRIEVAL_INDEX),
    (CHUNKS_INDEXED, INGESTION_PROGRESS),
)


class HistoryNats:
    """The port `History`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def last(self, tenant: str, document_id: str) -> Change | None:
        """See the port. Readers and upload of a version are those of its acceptance unless a later fact says otherwise."""
        heard = await self._line.last_of(tenant, document_id)
        return _change(heard) if heard else None

    async def accept(self, document: Document, after: int) -> int:
        """See the port."""
        event_id = f"{document.document_id}/{document.version}/after-{after}"
        body = facts.accepted(document)
        return await self._line.say(
            Fact(DOCUMENT_ACCEPTED, body, event_id, document.tenant, document.document_id), after=after
        )

    async def change_readers(self, document: Document, after: int) -> int:
        """See the port."""
        body = events.DocumentReadersChanged(
            document_id=document.document_id,
            collection=document.collection,
            source=document.source,
            version=document.version,
            readers=document.readers,
        )
        event_id = f"{document.document_id}/readers/after-{after}"
        return await self._line.say(
            Fact(DOCUMENT_READERS_CHANGED, body, event_id, document.tenant, document.document_id), after=after
        )

    async def delete(self, document: Document, after: int) -> int:
        """See the port."""
        body = events.DocumentDeleted(
            document_id=document.document_id, collection=document.collection, source=document.source
        )
        event_id = f"{document.document_id}/deleted/after-{after}"
        return await self._line.say(
            Fact(DOCUMENT_DELETED, body, event_id, document.tenant, document.document_id), after=after
        )

    async def order_erasure(self, order: Order, after: int) -> int:
        """See the port."""
        body = events.DocumentErasureOrdered(
            document_id=order.document_id, collection=order.collection, reason=order.reason
        )
        event_id = f"{order.document_id}/erasure/after-{after}"
        return await self._line.say(
            Fact(DOCUMENT_ERASURE_ORDERED, body, event_id, order.tenant, order.document_id), after=after
        )

    async def plan(self, collection: Collection, number: int) -> int:
        """See the port."""
        event_id = f"{collection.tenant}/{collection.name}/{collection.index_version}/{number}"
        body = facts.planned(collection)
        sequence = await self._line.say(Fact(PLAN_ADDED, body, event_id, collection.tenant))
        said = await self._line.at(PLAN_ADDED.stream, sequence)
        if said and said.event != body:
            raise Aborted(f"somebody else made {collection.index_version} of {collection.name}; look again")
        return sequence

    async def retire(self, tenant: str, collection: str, version: str, by: str, reason: str) -> int:
        """See the port."""
        body = events.PlanRetired(collection=collection, index_version=version, by=by, reason=reason)
        return await self._line.say(Fact(PLAN_RETIRED, body, f"{tenant}/{collection}/{version}/retired", tenant))

    async def build_again(self, plan: IndexPlan, attempt: str) -> None:
        """See the port."""
        heard = await self._line.at(PLAN_ADDED.stream, plan.revision)
        if heard:
            await self._line.replay(INGESTION_BUILD, heard, number=f"again-{attempt}")

    async def work_again(self, document: Document, attempt: int | str) -> None:
        """See the port."""
        heard = await self._line.at(DOCUMENT_ACCEPTED.stream, document.revision)
        if heard:
            await self._line.replay(INGESTION_EXTRACT, heard, number=f"again-{attempt}")

    async def under_way(self, document: Document) -> bool:
        """See the port: looks at each step of the way for a message its hearer has not dealt with."""
        dealt_with = await self._dealt_with(INGESTION_EXTRACT)
        if document.revision > dealt_with:
            return True
        again = await self._line.last_again(INGESTION_EXTRACT, DOCUMENT_ACCEPTED, document.tenant, document.document_id)
        if again and again.delivery.sequence > dealt_with:
            return True
        for channel, hearer in WAY:
            heard = await self._line.last_on(channel, document.tenant, document.document_id)
            if heard and heard.delivery.sequence > await self._dealt_with(hearer):
                return True
        return False

    async def _dealt_with(self, durable: Durable) -> int:
        """The sequence up to which a durable has dealt with everything."""
        with translated(f"the place of {durable.name}"):
            found = await self._line.jetstream.consumer_info(durable.stream, durable.name)
        return (found.ack_floor.stream_seq or 0) if found.ack_floor else 0


def _change(heard: Heard) -> Change:
    event, delivery = heard.event, heard.delivery
    match event:
        case events.DocumentAccepted():
            return Change(
                delivery.event,
                delivery.sequence,
                delivery.revision,
                event.version,
                tuple(event.readers),
                event.upload_id,
                event.collection,
            )
        case events.DocumentReadersChanged():
            return Change(
                delivery.event,
                delivery.sequence,
                delivery.revision,
                event.version,
                tuple(event.readers),
                collection=event.collection,
            )
        case events.DocumentRejected():
            return Change(delivery.event, delivery.sequence, event.revision, event.version, collection=event.collection)
        case _:
            collection = getattr(event, "collection", "")
            return Change(delivery.event, delivery.sequence, delivery.revision, collection=collection)

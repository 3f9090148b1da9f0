"""Facts in, facts out."""

from collections.abc import AsyncIterator, Iterable

import structlog

from loopline.ingestion.v1 import events_pb2 as messages
from loopline.retrieval.v1.events_pb2 import ChunksIndexed
from loopline_contracts.channels import (
    DOCUMENT_CHUNKED,
    DOCUMENT_REJECTED,
    INGESTION_BUILD,
    INGESTION_DOCUMENT_ERASED,
    INGESTION_ERASE,
    INGESTION_EXTRACT,
    INGESTION_FAILURES,
    INGESTION_LEDGER,
    INGESTION_PROGRESS,
    INGESTION_RECEIPTS,
)
from loopline_ingestion import facts
from loopline_ingestion.app import Building, Erasing, Turns, Working
from loopline_ingestion.model import Reason, Refused, State
from loopline_ingestion.ports import Ledger, Plans, Receipts
from loopline_ingestion.receipts import Order, Removal
from loopline_nats.fetching import Probe
from loopline_nats.line import Delivery, Fact, Line

Change = (
    messages.DocumentAccepted
    | messages.DocumentReadersChanged
    | messages.DocumentRejected
    | messages.DocumentDeleted
    | messages.DocumentErasureOrdered
    | messages.PlanAdded
    | messages.PlanRetired
)
Said = Fact[messages.DocumentChunked] | Fact[messages.DocumentRejected]


def bind(
    line: Line,
    working: Working,
    turns: Turns,
    building: Building,
    erasing: Erasing,
    ledger: Ledger,
    plans: Plans,
    receipts: Receipts,
    ledger_ready: Probe,
    worker_ready: Probe,
) -> None:
    """Work on documents, builds of index versions, erasures, and the read models, each with a place of its own."""

    @line.hears(INGESTION_EXTRACT, probe=worker_ready)
    async def extract(event: messages.DocumentAccepted, delivery: Delivery) -> AsyncIterator[Said]:
        document = facts.document_of(event, delivery)
        await ledger.accepted(document)  # we may be ahead of the ledger's own reader, and who waits stands there
        if not await turns.begins(document, again=bool(delivery.replay_suffix)):
            return
        base = f"{document.document_id}/{document.revision}"
        async for result in working.work(document):
            if isinstance(result, Refused):
                body = facts.rejected(document, result.reasons)
                event_id = f"{base}/rejected{delivery.replay_suffix}"
                yield Fact(DOCUMENT_REJECTED, body, event_id, document.tenant, document.document_id)
                return
            async for number, cuts in turns.paced(document, result):
                batch = facts.chunked(document, result.plan, result.title, number, len(result.batches), cuts)
                event_id = f"{base}/{result.plan.version}/{number}{delivery.replay_suffix}"
                yield Fact(DOCUMENT_CHUNKED, batch, event_id, document.tenant, document.document_id)

    @line.hears(INGESTION_BUILD, probe=worker_ready)
    async def build(event: messages.PlanAdded, delivery: Delivery) -> AsyncIterator[Fact[messages.DocumentChunked]]:
        if not event.build:
            return
        await noted(ledger, event, delivery)  # we may be ahead of the ledger's own reader
        async for made in building.build(
            delivery.tenant, event.collection, event.index_version, delivery.replay_suffix
        ):
            document, version = made.document, made.plan.version
            batch = facts.chunked(document, made.plan, made.title, made.number, made.count, made.cuts)
            event_id = f"{document.document_id}/{document.revision}/{version}/{made.number}{made.suffix}"
            yield Fact(DOCUMENT_CHUNKED, batch, event_id, document.tenant, document.document_id)

    @line.hears(INGESTION_LEDGER, probe=ledger_ready)
    async def note(event: Change, delivery: Delivery) -> None:
        await noted(ledger, event, delivery)

    @line.hears(INGESTION_PROGRESS, probe=ledger_ready)
    async def progress(event: ChunksIndexed, delivery: Delivery) -> None:
        await progressed(ledger, event, delivery)
        turns.moved()

    @line.hears(INGESTION_FAILURES, probe=ledger_ready)
    async def failure(_: None, delivery: Delivery) -> None:
        await buried(ledger, plans, delivery)
        turns.moved()

    @line.hears(INGESTION_ERASE, probe=ledger_ready)
    async def erase(
        event: messages.DocumentErasureOrdered, delivery: Delivery
    ) -> AsyncIterator[Fact[messages.DocumentErased]]:
        order = facts.order_of(event, delivery)
        removals = await erasing.carry_out(order)
        yield _erased(order, removals, f"{order.document_id}/erased/{order.revision}/ingestion{delivery.replay_suffix}")

    @line.hears(INGESTION_RECEIPTS, probe=ledger_ready)
    async def receive(event: messages.DocumentErased, delivery: Delivery) -> None:
        await received_word(receipts, event, delivery)


async def erase_late(line: Line, erasing: Erasing) -> None:
    """What came onto the bus after its document was erased goes too, and is told."""
    for order, removals in await erasing.look_again():
        event_id = (
            f"{order.document_id}/erased/{order.revision}/ingestion/late/{int(removals[0].removed_at.timestamp())}"
        )
        await line.say(_erased(order, removals, event_id))


def _erased(order: Order, removals: Iterable[Removal], event_id: str) -> Fact[messages.DocumentErased]:
    body = facts.erased(order, removals)
    return Fact(INGESTION_DOCUMENT_ERASED, body, event_id, order.tenant, order.document_id)


async def received_word(receipts: Receipts, event: messages.DocumentErased, delivery: Delivery) -> None:
    """An owner's word goes into the receipt."""
    await receipts.said(delivery.tenant, event.document_id, event.revision, facts.said_of(event, delivery))


async def noted(ledger: Ledger, event: Change, delivery: Delivery) -> None:
    """A fact about a document or a collection goes into the ledger."""
    match event:
        case messages.DocumentAccepted():
            await ledger.accepted(facts.document_of(event, delivery))
        case messages.DocumentReadersChanged():
            await ledger.readers_changed(delivery.tenant, event.document_id, tuple(event.readers), delivery.sequence)
        case messages.DocumentRejected():
            reasons = facts.reasons_of(event)
            await ledger.failed(
                delivery.tenant, event.document_id, event.revision, State.REJECTED, reasons, delivery.time
            )
        case messages.DocumentDeleted():
            await ledger.deleted(delivery.tenant, event.document_id, delivery.revision, delivery.time)
        case messages.DocumentErasureOrdered():
            await ledger.erase(delivery.tenant, event.document_id, delivery.revision, delivery.time)
        case messages.PlanAdded():
            await ledger.planned(facts.collection_of(event, delivery), delivery.time)
        case messages.PlanRetired():
            await ledger.retired(delivery.tenant, event.collection, event.index_version)


async def progressed(ledger: Ledger, event: ChunksIndexed, delivery: Delivery) -> None:
    """A batch is in the index."""
    batch = event.batch
    await ledger.indexed(
        delivery.tenant,
        batch.document_id,
        batch.revision,
        batch.number,
        batch.batch_count,
        event.chunk_count,
        delivery.time,
        batch.index_version,
    )


async def buried(ledger: Ledger, plans: Plans, delivery: Delivery) -> None:
    """One of a document's messages lies in the dead letters. Where it was made for a version that is being built, only the build suffers."""
    headers = delivery.headers
    origin = headers.get("loopline-origin-subject", "").split(".")
    if len(origin) < 6:  # not about a document
        return
    text = headers.get("loopline-error", "")
    durable = headers.get("loopline-durable", "")
    structlog.get_logger(__name__).warning("a message of a document is in the dead letters", durable=durable)
    reasons = (
        Reason(headers.get("loopline-reason", "FAILED"), f"{durable}: {text} (dead letter {delivery.sequence})"),
    )
    revision = int(headers.get("loopline-document-revision", "0") or 0) or delivery.revision
    for plan in await plans.unbuilt():
        if (plan.tenant, plan.collection, plan.version) == (
            delivery.tenant,
            headers.get("loopline-collection", ""),
            headers.get("loopline-index-version", ""),
        ):
            await plans.set_back(plan, origin[5], revision, reasons)
            return
    await ledger.failed(delivery.tenant, origin[5], revision, State.FAILED, reasons, delivery.time)

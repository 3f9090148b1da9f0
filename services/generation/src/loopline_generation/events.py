"""Facts out: the spool says what answers leave behind. Facts in: documents that must leave no trace."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import structlog

from loopline.generation.v1.events_pb2 import DocumentErased
from loopline.ingestion.v1 import events_pb2 as ingestion
from loopline_contracts.channels import GENERATION_DOCUMENT_ERASED, GENERATION_ERASE
from loopline_generation.app import Erasing
from loopline_generation.model import Order, Removal
from loopline_generation.spool import Cleaned, Spool
from loopline_nats.content import Contents
from loopline_nats.erasing import orders
from loopline_nats.fetching import Probe
from loopline_nats.line import Delivery, Fact, Line

log = structlog.get_logger(__name__)


async def announce(line: Line, spool: Spool, cleaned: Cleaned) -> None:
    """Says answer_started and answer_finished, without end."""
    await spool.say(line, Contents(line), cleaned)


def bind(line: Line, erasing: Erasing, ready: Probe) -> None:
    """Hears what must be erased."""

    @line.hears(GENERATION_ERASE, probe=ready)
    async def erase(event: ingestion.DocumentErasureOrdered, delivery: Delivery) -> AsyncIterator[Fact[DocumentErased]]:
        order = _order(event, delivery)
        yield _told(order, await erasing.carry_out(order), delivery.replay_suffix)


async def look_again(line: Line, erasing: Erasing) -> None:
    """At start: records that were restored may quote what was erased since; it goes before anything is answered."""
    async for event, delivery in orders(line):
        order = _order(event, delivery)
        if await erasing.holds(order):
            log.warning("an answer quotes an erased document; it is erased again", document=order.document)
            removals = await erasing.carry_out(order)
            await line.say(_told(order, removals, f"/again/{int(datetime.now(UTC).timestamp())}"))


def _order(event: ingestion.DocumentErasureOrdered, delivery: Delivery) -> Order:
    return Order(delivery.tenant, event.document_id, event.collection, delivery.revision)


def _told(order: Order, removals: Sequence[Removal], suffix: str) -> Fact[DocumentErased]:
    body = DocumentErased(
        owner="generation",
        document_id=order.document,
        collection=order.collection,
        revision=order.revision,
        removals=[_removal(one) for one in removals],
    )
    event_id = f"{order.document}/erased/{order.revision}/generation{suffix}"
    return Fact(GENERATION_DOCUMENT_ERASED, body, event_id, order.tenant, order.document)


def _removal(removal: Removal) -> ingestion.Removal:
    made = ingestion.Removal(
        what=removal.what,
        where=removal.where,
        count=removal.count,
        verified=removal.verified,
        disk=removal.disk.how,
    )
    made.removed_at.GetCurrentTime()
    if removal.disk.gone:
        made.gone_by.CopyFrom(made.removed_at)
    return made

"""A document leaves no trace: ordered once, carried out by every owner, told by a receipt."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from loopline_ingestion.ports import History, Journal, Ledger, Receipts, Traces, Uploads
from loopline_ingestion.receipts import Order, Receipt, Removal, checked_reason, parted, unheard
from loopline_runtime.errors import Aborted, Invalid, NotFound, Unavailable

log = logging.getLogger(__name__)
ORDERED = "document_erasure_ordered"
RACES = 5
MOST_PAGE, DEFAULT_PAGE = 1000, 100
# What was in somebody's hands when the order came is said within this time; the bus is looked through again until then.
LATE = timedelta(hours=1)


class Erasing:
    """Orders, carries out this service's part, keeps receipts."""

    def __init__(
        self,
        history: History,
        ledger: Ledger,
        uploads: Uploads,
        traces: Traces,
        receipts: Receipts,
        journal: Journal,
        owners: Sequence[str],
    ) -> None:
        self._history = history
        self._ledger = ledger
        self._uploads = uploads
        self._traces = traces
        self._receipts = receipts
        self._journal = journal
        self._owners = tuple(owners)

    async def order(self, tenant: str, document_id: str, reason: str) -> Order:
        """Has it erased everywhere; it is deleted with the same fact. Ordering what is ordered answers the same order.

        NotFound when there is no such document; Aborted when others keep changing it.
        """
        checked_reason(reason)
        for _ in range(RACES):
            last = await self._history.last(tenant, document_id)
            if last is None:
                raise NotFound(
                    f"there is no document {document_id[:64]}", reason="UNKNOWN_DOCUMENT", field="document_id"
                )
            order = Order(tenant, document_id, last.collection, last.revision, datetime.now(UTC), reason)
            if last.kind == ORDERED:
                return order
            try:
                return await self._said(order, after=last.sequence)
            except Aborted:
                continue
        raise Aborted(f"document {document_id} is being changed by others; try again", retry_after_s=1)

    async def _said(self, order: Order, after: int) -> Order:
        said = replace(order, revision=await self._history.order_erasure(order, after))
        await self.noted(said)
        return said

    async def noted(self, order: Order) -> None:
        """An order is known from now on, whatever becomes of the stream; the document answers nothing."""
        await self._journal.add(order)
        await self._receipts.ordered(order)
        await self._ledger.erase(order.tenant, order.document_id, order.revision, order.ordered_at)

    async def carry_out(self, order: Order) -> tuple[Removal, ...]:
        """Removes what lies on the bus and in the ledger, bytes first, since the facts are what names them."""
        await self.noted(order)
        uploads = await self._traces.uploads(order)
        for name in uploads:
            await self._uploads.delete(name)
        found = await self._traces.erase(order)
        disk = await self._ledger.settle()
        await self._verified(order, uploads)
        now = datetime.now(UTC)
        bus = "looked through the stream again for the document: no message"
        overwritten = "overwritten by the server, message by message"
        return (
            Removal(
                "raw_bytes",
                "object store UPLOADS",
                len(uploads),
                now,
                "asked for each upload again: none",
                overwritten,
                now,
            ),
            *(Removal(what, where, count, now, bus, overwritten, now) for what, where, count in found),
            Removal(
                "ledger_text",
                disk.where,
                1,
                now,
                "read the document's row again: no text in it",
                disk.how,
                now if disk.gone else None,
            ),
        )

    async def _verified(self, order: Order, uploads: Sequence[str]) -> None:
        """Looks again; Unavailable while something is found, so that the order comes again."""
        left = [name for name in uploads if await self._uploads.has(name)]
        known = await self._ledger.document(order.tenant, order.document_id)
        told = known is not None and known.revision <= order.revision and (known.source or known.metadata)
        if left or told or await self._traces.left(order):
            raise Unavailable(f"something of document {order.document_id} is still there; it is erased again")

    async def look_again(self) -> list[tuple[Order, tuple[Removal, ...]]]:
        """What came late onto the bus for documents that were erased a short while ago; removed now."""
        late = []
        for order in await self._receipts.since(datetime.now(UTC) - LATE):
            if await self._traces.left(order):
                late.append((order, await self.carry_out(order)))
        return late

    async def say_again(self) -> int:
        """At start: orders that are known and that the stream lost (it was restored, or made anew) are given again."""
        standing = await self._traces.orders()
        known = [*await self._journal.orders(), *await self._receipts.since(datetime.min.replace(tzinfo=UTC))]
        for order in standing:
            await self.noted(order)
        if standing:  # the ledger may have been restored alone
            await self._ledger.settle()
        lost = unheard(known, standing)
        for order in lost:
            last = await self._history.last(order.tenant, order.document_id)
            await self._said(replace(order, ordered_at=datetime.now(UTC)), after=last.sequence if last else 0)
        if lost:
            log.warning("%d orders of erasure that the stream had lost are given again", len(lost))
        return len(lost)

    async def receipt(self, tenant: str, receipt_id: str) -> Receipt:
        """What is known of an erasure. NotFound also when it is another tenant's."""
        document_id, revision = parted(receipt_id)
        found = await self._receipts.get(tenant, document_id, revision)
        if found is None:
            raise NotFound(f"there is no receipt {receipt_id[:80]}", reason="UNKNOWN_RECEIPT", field="receipt_id")
        return Receipt(*found, self._owners)

    async def page(self, tenant: str, size: int, before: int) -> list[Receipt]:
        """A tenant's receipts, newest first, those ordered before a revision (0: all)."""
        if not 0 <= size <= MOST_PAGE:
            raise Invalid(f"page_size is 1 to {MOST_PAGE}", field="page_size")
        found = await self._receipts.page(tenant, size or DEFAULT_PAGE, before)
        return [Receipt(order, said, self._owners) for order, said in found]

"""A document that must leave no trace: the words of answers that quote it, wherever they lie."""

from loopline_generation.model import Disk, Order, Removal
from loopline_generation.ports import Announcer, Facts, Records
from loopline_runtime.errors import Unavailable

OVERWRITTEN = Disk("overwritten by the server, message by message", gone=True)
REWRITTEN = Disk("the file was written anew", gone=True)


class Erasing:
    """Carries out this service's part of an erasure."""

    def __init__(self, records: Records, announcer: Announcer, facts: Facts) -> None:
        self._records = records
        self._announcer = announcer
        self._facts = facts

    async def carry_out(self, order: Order) -> list[Removal]:
        """What was said first, the records last, since they are what names it; then looks again. Safe to repeat."""
        key = (order.tenant, order.document, order.revision)
        await self._records.remember(*key)
        answers = await self._records.affected(*key)
        waiting = await self._announcer.erase(order, answers)
        said = await self._facts.erase(order, answers)
        erased = await self._records.erase(*key)
        disk = await self._records.settle()
        left = await self._records.affected(*key)
        if left or await self._announcer.erase(order, answers) or await self._facts.left(order, answers):
            raise Unavailable(f"an answer still quotes document {order.document}; it is erased again")
        again = "looked for answers that quote the document again: none"
        return [
            Removal("answers", "table answers", erased.answers, again, disk),
            Removal("turns", "table turns", erased.turns, "their conversations are gone", disk),
            Removal("spool", "facts that wait for the bus", waiting, "read the spool again: none", REWRITTEN),
            *(
                Removal(what, where, count, "looked through the stream again: none", OVERWRITTEN)
                for what, where, count in said
            ),
        ]

    async def holds(self, order: Order) -> bool:
        """Whether records hold words of it; ones that were restored may. Late words are refused from now on in any case."""
        key = (order.tenant, order.document, order.revision)
        await self._records.remember(*key)
        return bool(await self._records.affected(*key))

"""A document that must leave no trace: the words of answers that quote it, in every store of this service and on the bus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from loopline_evaluation.ports import Erasable, Said
from loopline_runtime.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Order:
    """Everything of a document up to a revision goes."""

    tenant: str
    document: str
    collection: str
    revision: int


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed, from where, how many; how it was looked for again."""

    what: str
    where: str
    count: int
    verified: str
    # How its bytes leave the disk, and whether they have.
    disk: str
    gone: bool


OVERWRITTEN = "overwritten by the server, message by message"


class Quoting(Protocol):
    """Who knows which answers were made from a document."""

    async def quoting(self, tenant: str, document: str) -> Sequence[str]:
        """Their ids, also of those whose words are gone."""
        ...


class Erasing:
    """Carries out this service's part. `stores`: by what they hold, as a receipt names it."""

    def __init__(self, stores: Mapping[str, Erasable], quoting: Quoting, said: Said, *, disk: str, gone: bool) -> None:
        self._stores = stores
        self._disk = (disk, gone)
        self._quoting = quoting
        self._said = said

    async def carry_out(self, order: Order) -> list[Removal]:
        """Removes, and looks again. Safe to repeat; Unavailable when something is still there."""
        key = (order.tenant, order.document, order.revision)
        counts = {what: await store.erase(*key) for what, store in self._stores.items()}
        answer_ids = await self._quoting.quoting(order.tenant, order.document)
        said = await self._said.erase(order.tenant, answer_ids)
        left = [await store.erase(*key) for store in self._stores.values()]
        if any(left) or await self._said.erase(order.tenant, answer_ids):
            raise Unavailable(f"something still quotes document {order.document}; it is erased again")
        again = "looked again: none"
        return [
            *(Removal(what, f"table {what}", count, again, *self._disk) for what, count in counts.items()),
            Removal("feedback_facts", "stream EVALUATION", said, again, OVERWRITTEN, True),
        ]

    async def again(self, order: Order) -> int:
        """At start: how many words a restored store held; they are gone, and late ones are refused."""
        key = (order.tenant, order.document, order.revision)
        return sum([await store.erase(*key) for store in self._stores.values()])

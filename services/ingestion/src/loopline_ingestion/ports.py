"""What this service needs from the world."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from loopline_ingestion.model import (
    Collection,
    Come,
    Document,
    Extracted,
    IndexPlan,
    Reason,
    Refused,
    State,
    Work,
)
from loopline_ingestion.receipts import Disk, Order, Said


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that were written. `sha256` in hex."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes that lie in the store. `age_s`: seconds since they were complete."""

    name: str
    age_s: float


class Uploads(Protocol):
    """Raw bytes by upload id."""

    async def put(self, name: str, parts: AsyncIterator[bytes], turn: AbstractAsyncContextManager[object]) -> Stored:
        """Writes them, whole or not at all; within `turn` once all are here."""
        ...

    def get(self, name: str) -> AsyncIterator[bytes]:
        """Reads them in parts. NotFound when there are none."""
        ...

    async def delete(self, name: str) -> None:
        """Removes them."""
        ...

    async def has(self, name: str) -> bool:
        """Whether they are there."""
        ...

    async def all(self) -> list[Upload]:
        """Everything that lies there."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A document's last fact: what it says and where it stands in the stream (its sequence, for the next one to compare with)."""

    kind: str
    sequence: int
    revision: int
    version: str = ""
    readers: tuple[str, ...] = ()
    upload_id: str = ""
    collection: str = ""


class History(Protocol):
    """The stream of document facts: the truth."""

    async def last(self, tenant: str, document_id: str) -> Change | None:
        """The last fact about a document."""
        ...

    async def accept(self, document: Document, after: int) -> int:
        """Says that it was accepted; returns the revision. Aborted when `after` is not its last sequence any more."""
        ...

    async def change_readers(self, document: Document, after: int) -> int:
        """Says who may read it now."""
        ...

    async def delete(self, document: Document, after: int) -> int:
        """Says that it was deleted."""
        ...

    async def order_erasure(self, order: Order, after: int) -> int:
        """Says that every trace of it must go; returns the revision up to which."""
        ...

    async def plan(self, collection: Collection, number: int) -> int:
        """Says a collection's plan and settings; `number` sets one saying apart from the next. Returns its sequence.

        Aborted when somebody else said another plan under this version.
        """
        ...

    async def retire(self, tenant: str, collection: str, version: str, by: str, reason: str) -> int:
        """Says that an index version is made no more. Returns its sequence."""
        ...

    async def build_again(self, plan: IndexPlan, attempt: str) -> None:
        """Has a build that stopped go on."""
        ...

    async def work_again(self, document: Document, attempt: int | str) -> None:
        """Has a revision extracted again, by the one durable that does it. The same attempt twice is once."""
        ...

    async def under_way(self, document: Document) -> bool:
        """Whether its acceptance, or a batch of it, still waits for somebody on its way to the index and back."""
        ...


class Ledger(Protocol):
    """What became of every document: a read model, dropped and rebuilt at will.

    Facts may come in any order: what is older than what is known changes nothing, what comes before its acceptance is kept for it.
    """

    async def accepted(self, document: Document) -> None:
        """A revision was accepted."""
        ...

    async def readers_changed(self, tenant: str, document_id: str, readers: tuple[str, ...], sequence: int) -> None:
        """Other readers since a sequence."""
        ...

    async def deleted(self, tenant: str, document_id: str, revision: int, at: datetime) -> None:
        """Nothing of it is left since a revision."""
        ...

    async def erase(self, tenant: str, document_id: str, revision: int, at: datetime) -> None:
        """Deleted, and nothing that it said of itself is left in its row, unless a newer revision stands there."""
        ...

    async def settle(self) -> Disk:
        """Has the bytes of what was erased leave the disk, where that can be done."""
        ...

    async def failed(
        self, tenant: str, document_id: str, revision: int, state: State, reasons: Sequence[Reason], at: datetime
    ) -> None:
        """A revision was rejected, or lies in the dead letters."""
        ...

    async def indexed(
        self,
        tenant: str,
        document_id: str,
        revision: int,
        batch: int,
        batch_count: int,
        chunks: int,
        at: datetime,
        version: str,
    ) -> None:
        """A batch of a revision is in an index version; a repeat counts once. It is indexed when it is whole in all that count."""
        ...

    async def document(self, tenant: str, document_id: str) -> Document | None:
        """One document of a tenant."""
        ...

    async def documents(
        self, tenant: str, collection: str, states: Sequence[State], prefix: str, after: str, limit: int
    ) -> list[Document]:
        """Documents ordered by source and id; `after` is the last one's `source\\0id`."""
        ...

    async def stuck(self, before: datetime, limit: int) -> list[Document]:
        """Documents not settled in which nothing has moved since a time, oldest first, of all tenants."""
        ...

    async def touched(self, tenant: str, document_id: str, at: datetime) -> None:
        """Something is being done about it."""
        ...

    async def uploads_named(self, names: Sequence[str]) -> set[str]:
        """Which of these uploads a document's current revision names."""
        ...

    async def planned(self, collection: Collection, at: datetime) -> None:
        """A collection has this plan and these settings."""
        ...

    async def retired(self, tenant: str, collection: str, version: str) -> None:
        """An index version is made no more."""
        ...

    async def collection(self, tenant: str, name: str) -> Collection | None:
        """One collection of a tenant."""
        ...

    async def collections(self, tenant: str) -> list[Collection]:
        """All of a tenant's, by name."""
        ...

    async def highest_revision(self) -> int:
        """The highest sequence it has seen; 0 when it is empty."""
        ...


class Plans(Protocol):
    """The index versions of collections, and how far each has come: a part of the ledger."""

    async def plans(self, tenant: str, collection: str) -> list[IndexPlan]:
        """All of a collection's, oldest first, those made no more included."""
        ...

    async def unbuilt(self) -> list[IndexPlan]:
        """Those being built, of all tenants."""
        ...

    async def built(self, plan: IndexPlan, at: datetime) -> None:
        """Every document is in it."""
        ...

    async def come(self, plan: IndexPlan) -> Come:
        """How far it has come."""
        ...

    async def missing(self, plan: IndexPlan, after: str, limit: int) -> list[Document]:
        """Documents that are not whole in it and did not fail there, by id."""
        ...

    async def arrived(self, plan: IndexPlan, document_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Of each document, its present revision and how many of its batches are in; those that failed or are deleted are left out."""
        ...

    async def set_back(self, plan: IndexPlan, document_id: str, revision: int, reasons: Sequence[Reason]) -> None:
        """A document failed in this version alone."""
        ...

    async def forgive(self, plan: IndexPlan) -> None:
        """Documents that failed are missing again."""
        ...

    async def expected(self, plan: IndexPlan, after: str, limit: int) -> list[tuple[Document, int]]:
        """Documents with text by id, and how many chunks each has in this version; -1 while it is not whole there."""
        ...


class Waiting(Protocol):
    """Whose documents are under way and whose wait for a turn: a part of the ledger, common to all replicas."""

    async def begin(self, document: Document, most: int) -> bool:
        """Whether its own message is worked on now. Else it waits, since its tenant has `most` under way, or has been given its turn already.

        It stands in the ledger.
        """
        ...

    async def give(self, most: int) -> list[Document]:
        """The oldest that wait of each tenant that has fewer than `most` under way; now these are."""
        ...

    async def take_back(self, documents: Sequence[Document]) -> None:
        """They could not be told of their turn, so they wait on."""
        ...


class Traces(Protocol):
    """What the bus still holds of a document, up to the revision of an order."""

    async def uploads(self, order: Order) -> list[str]:
        """The uploads that its facts name."""
        ...

    async def erase(self, order: Order) -> list[tuple[str, str, int]]:
        """Removes its facts, batches and dead letters; says what, where and how many."""
        ...

    async def left(self, order: Order) -> int:
        """How many messages of it there are."""
        ...

    async def orders(self) -> list[Order]:
        """All orders that stand in the stream."""
        ...


class Receipts(Protocol):
    """Orders and what owners said of them: a read model."""

    async def ordered(self, order: Order) -> None:
        """An order was given; a repeat changes nothing."""
        ...

    async def said(self, tenant: str, document_id: str, revision: int, said: Said) -> None:
        """An owner said what it removed; a repeat changes nothing."""
        ...

    async def get(self, tenant: str, document_id: str, revision: int) -> tuple[Order, tuple[Said, ...]] | None:
        """One order and what was said of it."""
        ...

    async def page(self, tenant: str, limit: int, before: int) -> list[tuple[Order, tuple[Said, ...]]]:
        """A tenant's, newest first, of a lower revision than `before` (0: all)."""
        ...

    async def since(self, at: datetime) -> list[Order]:
        """All tenants' orders given since a time, oldest first."""
        ...


class Journal(Protocol):
    """Orders once more, where a restore of everything else does not reach."""

    async def add(self, order: Order) -> None:
        """Keeps an order for good; a repeat changes nothing."""
        ...

    async def orders(self) -> list[Order]:
        """All that were kept."""
        ...


class Extraction(Protocol):
    """Documents become passages, in processes that may die."""

    async def extract(self, work: Work) -> Extracted | Refused:
        """The passages, or why there are none."""
        ...

    async def check_suite(self, expectations_json: str) -> None:
        """Invalid when it is no suite."""
        ...

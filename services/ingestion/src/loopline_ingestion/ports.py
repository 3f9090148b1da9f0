"""What this service needs from the world."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from loopline_ingestion.model import Collection, Document, Extracted, Reason, Refused, State, Work


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

    async def put(self, name: str, parts: AsyncIterator[bytes]) -> Stored:
        """Writes them, whole or not at all."""
        ...

    def get(self, name: str) -> AsyncIterator[bytes]:
        """Reads them in parts. NotFound when there are none."""
        ...

    async def delete(self, name: str) -> None:
        """Removes them."""
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

    async def plan(self, collection: Collection, number: int) -> int:
        """Says a collection's plan and settings; `number` sets one saying apart from the next. Returns its sequence."""
        ...

    async def work_again(self, document: Document, attempt: int) -> None:
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

    async def failed(
        self, tenant: str, document_id: str, revision: int, state: State, reasons: Sequence[Reason], at: datetime
    ) -> None:
        """A revision was rejected, or lies in the dead letters."""
        ...

    async def indexed(
        self, tenant: str, document_id: str, revision: int, batch: int, batch_count: int, chunks: int, at: datetime
    ) -> None:
        """A batch of a revision is in the index; a repeat counts once."""
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

    async def planned(self, collection: Collection) -> None:
        """A collection has this plan and these settings."""
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


class Extraction(Protocol):
    """Documents become passages, in processes that may die."""

    async def extract(self, work: Work) -> Extracted | Refused:
        """The passages, or why there are none."""
        ...

    async def check_suite(self, expectations_json: str) -> None:
        """Invalid when it is no suite."""
        ...

"""What this service needs from the world."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from loopline_retrieval.filters import Filter
from loopline_retrieval.model import Batch, Chunk, Disk, Hit, Known, Model, Passage, Row, Space, Vector
from loopline_retrieval.versions import Held, Index


class Store(Protocol):
    """A vector database. Every failure of it is Unavailable. A space that was never written to is an empty result."""

    async def put(self, batch: Batch, chunks: Sequence[Chunk], readers: frozenset[str]) -> None:
        """Writes chunks by their id; they answer nothing until their revision is shown."""
        ...

    async def show(self, space: Space, document: str, revision: int) -> None:
        """At once: this revision answers, older ones are gone. Changes nothing when a newer one answers."""
        ...

    async def remove(self, space: Space, document: str, up_to: int) -> None:
        """Removes all revisions up to one, shown or not."""
        ...

    async def drop(self, space: Space, document: str, revision: int) -> None:
        """Removes a revision that was superseded before it was shown; one that is shown stays."""
        ...

    async def highest(self) -> int:
        """The highest revision in any space; 0 when there is nothing."""
        ...

    async def left(self, space: Space, document: str, up_to: int) -> int:
        """How many chunks there are of revisions up to one, shown or not."""
        ...

    async def erase(self, space: Space, document: str, up_to: int) -> Disk:
        """Removes all revisions up to one, and has their bytes leave the disk where the store can do that."""
        ...

    async def set_readers(self, space: Space, document: str, readers: frozenset[str], before: int) -> None:
        """Other readers for the revisions before a sequence."""
        ...

    async def discard(self, space: Space) -> None:
        """Removes the space with all that is in it; changes nothing when there is none."""
        ...

    async def nearest(
        self, space: Space, vector: Vector, limit: int, where: Filter | None, principals: frozenset[str]
    ) -> list[Hit]:
        """The rows nearest by cosine, best first; only those that pass the filter and that the principals may read."""
        ...

    async def keyword(
        self, space: Space, question: str, limit: int, where: Filter | None, principals: frozenset[str]
    ) -> list[Hit]:
        """The rows with the highest BM25, best first; the same rules."""
        ...

    async def cosines(self, space: Space, vector: Vector, hits: Sequence[Hit]) -> dict[Row, float]:
        """The cosine of each of the keyword query's hits, as far as it still answers."""
        ...

    async def passages(self, space: Space, rows: Sequence[Row]) -> dict[Row, Passage]:
        """The rows as passages; those that answer no more are left out."""
        ...

    async def sample(self, space: Space, count: int, seed: int, principals: frozenset[str]) -> list[Passage]:
        """Passages that answer and that the principals may read, drawn at random; the same seed draws the same from the same."""
        ...

    def held(self, space: Space) -> AsyncIterator[Held]:
        """Every revision of every document that lies there, in whatever order."""
        ...

    async def ready(self) -> None:
        """Unavailable while it cannot answer."""
        ...


class Questions(Protocol):
    """The embedding service."""

    async def embed(self, question: str, model: Model) -> Vector:
        """The question's vector by that very model. Unavailable while it cannot be had."""
        ...

    async def embed_all(self, texts: Sequence[str], model: Model) -> Sequence[Vector]:
        """One vector per text, in order; the same rules."""
        ...


class Knowledge(Protocol):
    """What is known per document, shared by all replicas."""

    async def get(self, tenant: str, collection: str, document: str) -> tuple[Known, int]:
        """What is known and a token to compare with; nothing and 0 when it is unknown."""
        ...

    async def put_if(self, tenant: str, collection: str, document: str, known: Known, token: int) -> None:
        """Changes it, or Aborted when somebody was faster."""
        ...

    def all(self, tenant: str, collection: str) -> AsyncIterator[tuple[str, Known]]:
        """Every document of a collection."""
        ...


class Serving(Protocol):
    """Which index versions a collection has, and which serves."""

    async def of(self, tenant: str, collection: str) -> tuple[str, Model] | None:
        """The version that serves and its model, or None for an unknown collection. While the bus is away: as last known."""
        ...

    async def dropped(self, space: Space) -> bool:
        """Whether the version is gone for good; as known a second ago at the worst."""
        ...

    async def index(self, tenant: str, collection: str) -> tuple[Index | None, int]:
        """All that is known, and a token to compare with."""
        ...

    async def put_if(self, tenant: str, collection: str, index: Index, token: int) -> None:
        """Changes it, or Aborted when somebody was faster."""
        ...

    async def all(self) -> list[tuple[str, str]]:
        """Every tenant and collection."""
        ...


class Reranker(Protocol):
    """Scores passages anew."""

    async def scores(self, question: str, vector: Vector, model: Model, passages: Sequence[Passage]) -> Sequence[float]:
        """One score per passage, higher is better; the question also as its vector by that model."""
        ...

"""What datasets need of the world."""

from collections.abc import Sequence
from typing import Protocol

from loopline_evaluation.datasets.rows import Reference, Row, Version


class Store(Protocol):
    """Datasets, their versions and rows."""

    async def versions(self, tenant: str, name: str = "") -> list[Version]:
        """All of one dataset, newest first; without a name the newest of each, by name."""
        ...

    async def rows(self, tenant: str, name: str, version: str) -> list[Row]:
        """The rows of a version, by its hash, as they were given. NotFound when there is none."""
        ...

    async def add(self, tenant: str, name: str, rows: Sequence[Row], note: str, at: float) -> tuple[Version, bool]:
        """Makes a version, unless the newest one has this very content: then that one, and False."""
        ...

    async def erase(self, tenant: str, document: str, revision: int) -> int:
        """Removes the rows made from a document up to a revision, from every version; returns how many."""
        ...


class Expectations(Protocol):
    """Great Expectations, somewhere it is in nobody's way."""

    async def failures(self, rows: Sequence[Row], suite: str) -> list[str]:
        """A sentence for each expectation that does not hold: the house's own and those of a suite (JSON, may be empty)."""
        ...


class Corpus(Protocol):
    """The documents of a collection."""

    async def passages(self, tenant: str, collection: str, most: int) -> list[Reference]:
        """Some passages of as many of its documents as can be, in a stable order. NotFound for an unknown collection."""
        ...


class Writer(Protocol):
    """A model that asks questions."""

    @property
    def name(self) -> str:
        """Of the model; empty when none is configured."""
        ...

    async def question(self, passage: str, seed: int) -> tuple[str, str] | None:
        """A question that the passage answers, and its answer; None when the model gives nothing of use."""
        ...

"""What this service needs from the world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loopline_monitoring.model import Alarm, Change, Key, Span


@dataclass(frozen=True, slots=True)
class Row:
    """A closed window as it is kept: its values as a sketch's bytes, empty when only the summary is left."""

    key: Key
    span: Span
    sketch: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """Something to be told to somebody: the line ("line") or a webhook, by its name. `id` is made of alarm, update and receiver."""

    id: str
    to: str
    change: Change
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is written at once: records by (kind, id), None removes one; closed windows; letters; how far each reader has come."""

    records: Mapping[tuple[str, str], bytes | None] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    rows: Sequence[Row] = ()
    letters: Sequence[Letter] = ()


class State(Protocol):
    """Where what must survive lies."""

    async def load(self) -> Kept:
        """Records and places that were written."""
        ...

    async def keep(self, what: Kept) -> None:
        """Writes all of it or nothing; a letter that is there already stays as it is. Unavailable while the database is away."""
        ...

    async def rows(self, tenant: str, collection: str, signal: str, begin: float, end: float) -> list[Row]:
        """Closed windows of a tenant that ended between two times, oldest first; empty words match all."""
        ...

    async def letters(self, to: str, now: float, most: int) -> list[Letter]:
        """What is to be told to somebody by now, in the order it was written."""
        ...

    async def sent(self, letter_id: str) -> None:
        """It was accepted."""
        ...

    async def failed(self, letter_id: str, again_at: float) -> None:
        """It was not; another try is due then."""
        ...

    async def forget(self, before: float) -> int:
        """Removes windows that ended before; returns how many."""
        ...


class Receiver(Protocol):
    """Somebody who is told of alarms."""

    async def tell(self, letter: Letter) -> None:
        """Returns when it was accepted. Unavailable when another try may help, Rejected when none will."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """What a question was answered with."""

    answer_id: str
    text: str
    outcome: str
    # Retrieval was too weak to answer.
    abstained: bool = False


class Asker(Protocol):
    """The generation service, asked as anybody would."""

    async def ask(self, tenant: str, collection: str, question: str) -> Answered:
        """The whole answer. Unavailable or Rejected as the service says."""
        ...


class Embedder(Protocol):
    """The embedding service."""

    async def embed(self, tenant: str, texts: Sequence[str]) -> list[bytes]:
        """Vectors of length 1, little-endian float32, in order."""
        ...


class Announcer(Protocol):
    """Says what this service found out by asking."""

    async def canary_answered(
        self, tenant: str, collection: str, question: str, answer: Answered, similarity: float, occasion: str
    ) -> None:
        """On the line, when this returns."""
        ...


__all__ = ["Alarm", "Announcer", "Answered", "Asker", "Embedder", "Kept", "Letter", "Receiver", "Row", "State"]

"""What this service needs from the world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is written at once: records by (kind, id), None removes one; and how far each reader has come."""

    records: Mapping[tuple[str, str], bytes | None] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)


class State(Protocol):
    """Where what must survive lies."""

    async def load(self) -> Kept:
        """Everything that was written."""
        ...

    async def keep(self, what: Kept) -> None:
        """Writes all of it or nothing. Unavailable while the database is away."""
        ...


class Clock(Protocol):
    """The time of day."""

    def __call__(self) -> float:
        """Seconds since 1970."""
        ...


Places = Sequence[tuple[str, int]]

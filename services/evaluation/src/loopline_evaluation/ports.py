"""What this service needs from the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from loopline_evaluation.model import Feedback, Given, Judging, Kept, Wanted


class Answers(Protocol):
    """Answers, their scores and opinions on them. What is to be said of a change is kept with it, in one transaction."""

    async def put(self, kept: Kept) -> None:
        """Keeps an answer with its scores. The same answer again only renews scores."""
        ...

    async def get(self, tenant: str, answer_ids: Sequence[str]) -> list[Kept]:
        """Those of a tenant's that are there, in the order asked for."""
        ...

    async def listed(self, wanted: Wanted) -> list[Kept]:
        """Those that match, newest first."""
        ...

    async def give(self, tenant: str, answer_id: str, feedback: Feedback, at: float) -> Given | None:
        """Keeps an opinion in place of its person's former one, to be said as feedback_given. None when there is no such answer."""
        ...

    async def want_judged(self, tenant: str, answer_id: str, judging: Judging) -> None:
        """Has an answer judged that was not."""
        ...

    async def ready(self) -> None:
        """Unavailable while the store does not answer."""
        ...


class Embedder(Protocol):
    """The embedding service."""

    async def embed(self, tenant: str, texts: Sequence[str]) -> list[bytes]:
        """Vectors of length 1, little-endian float32, in order. Unavailable when it is away."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """A fact that is to be said. `kind`: its name in the map of events; `body`: the message, serialized."""

    number: int
    id: str
    kind: str
    tenant: str
    body: bytes


class Outbox(Protocol):
    """What is to be said, kept in the transaction that made it true."""

    async def waiting(self) -> Sequence[Waiting]:
        """The oldest, in order."""
        ...

    async def said(self, number: int) -> None:
        """One is said."""
        ...

"""What this service needs from the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from loopline_evaluation.model import (
    Answer,
    Feedback,
    Given,
    Judging,
    Kept,
    Purse,
    Score,
    Spending,
    Wanted,
)


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

    async def forget(self, before: float, labelled_before: float) -> int:
        """Removes answers begun before a time (seconds since 1970), those with an opinion or a label before an earlier one."""
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


class Budget(Protocol):
    """Who pays the judge, and how much is left. Put down before anything is sent, so that a kill hides nothing."""

    async def reserve(self, purse: Purse, tokens: int) -> str:
        """Sets aside what a request can cost at most, and counts the request. Unjudged (BUDGET_SPENT) when the purse has not so much left."""
        ...

    async def settle(self, reservation: str, prompt_tokens: int, completion_tokens: int) -> None:
        """The request cost so much. What is never settled stays spent."""
        ...

    async def spent(self, purse: str) -> Spending:
        """All that was spent of a purse."""
        ...


class Judges(Protocol):
    """Metrics that ask a model."""

    def names(self) -> Sequence[str]:
        """All that are known."""
        ...

    def ceiling(self, answer: Answer, metrics: Sequence[str]) -> int:
        """Tokens that judging an answer costs, nearly always at most."""
        ...

    async def judge(self, answer: Answer, metrics: Sequence[str], purse: Purse) -> list[Score]:
        """Each metric of an answer. What goes wrong is a missing value with its reason."""
        ...


class Queue(Protocol):
    """Answers that wait for the judge."""

    async def claim(self, most: int, lease_s: float) -> list[Kept]:
        """Takes some for a while: flagged ones first, then the oldest. Nobody else gets them meanwhile."""
        ...

    async def renew(self, answer_ids: Sequence[str], lease_s: float) -> None:
        """Keeps them for longer."""
        ...

    async def note(self, answer_id: str, score: Score) -> None:
        """Keeps one judgement, so that it is not paid for again after a kill."""
        ...

    async def finish(self, kept: Kept, scores: Sequence[Score], judging: Judging) -> None:
        """All of them are there, to be said as answer_evaluated; or why there are none."""
        ...


class Functions(Protocol):
    """Metrics of one's own that ask no judge."""

    def names(self) -> Sequence[str]:
        """All that are there now."""
        ...

    async def scores(self, answer: Answer, names: Sequence[str] | None = None) -> list[Score]:
        """Each of them, or those named. One that raises, hangs or crashes is a missing value with its reason."""
        ...


class Attention(Protocol):
    """Who decides whether people look at an answer."""

    async def consider(self, kept: Kept) -> None:
        """An answer was scored, judged or rated."""
        ...


class Erasable(Protocol):
    """A store that may hold words of documents."""

    async def erase(self, tenant: str, document: str, revision: int) -> int:
        """Removes all of a document's up to a revision, and refuses it from now on; returns from how many rows. Again: 0."""
        ...


class Said(Protocol):
    """What the bus holds of opinions on answers."""

    async def erase(self, tenant: str, answer_ids: Sequence[str]) -> int:
        """Removes those with words; returns how many there were. Again: 0."""
        ...

"""What this service needs from the world."""

from collections.abc import Sequence
from typing import Protocol

from loopline_evaluation.model import Kept, Score


class Answers(Protocol):
    """Answers and their scores."""

    async def put(self, kept: Kept) -> None:
        """Keeps an answer with its scores; the same answer again changes nothing but scores that are new."""
        ...

    async def get(self, tenant: str, answer_ids: Sequence[str]) -> list[Kept]:
        """Those of a tenant's that are there, in the order asked for."""
        ...

    async def add_scores(self, tenant: str, answer_id: str, scores: Sequence[Score]) -> None:
        """Adds scores, each in place of a former one of its metric."""
        ...

    async def ready(self) -> None:
        """Unavailable while the store does not answer."""
        ...

"""What annotation needs of the world."""

from collections.abc import Sequence
from typing import Protocol

from loopline_evaluation.annotation.model import Asked, Calibration, Item, Label, Queue, State


class Annotations(Protocol):
    """Queues, items and labels. All of one tenant's."""

    async def put_queue(self, tenant: str, queue: Queue) -> None:
        """Makes or changes it."""
        ...

    async def queues(self, tenant: str) -> list[Queue]:
        """All, by name."""
        ...

    async def states(self, tenant: str) -> list[State]:
        """All, with how far each is."""
        ...

    async def add(self, tenant: str, queue: str, answer_id: str, why: Asked) -> None:
        """Puts an answer into a queue, once."""
        ...

    async def claim(
        self, tenant: str, queue: Queue, annotator: str, lease_s: float, leave_out: Sequence[str] = ()
    ) -> Item | None:
        """The one this person holds, else the oldest that wants a label, that this person has not labelled and others do not hold."""
        ...

    async def release(self, tenant: str, queue: str, answer_id: str, annotator: str) -> None:
        """Gives it back; a label that was given stays."""
        ...

    async def label(self, tenant: str, queue: str, label: Label) -> bool:
        """Keeps a label in place of this person's former one. False when the answer is not in the queue."""
        ...

    async def labels(self, tenant: str, queue: str) -> Sequence[Label]:
        """All labels, by answer."""
        ...

    async def put_calibration(self, tenant: str, calibration: Calibration) -> None:
        """In place of the former one of this metric and judge model."""
        ...

    async def calibrations(self, tenant: str) -> list[Calibration]:
        """All."""
        ...

"""What runs need of the world."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Answer, Score
from loopline_evaluation.runs.model import Decided, GivenAnswer, Progress, Rate, Reply, Run, Spec, State, Unit
from loopline_evaluation.runs.summary import Summary


class Target(Protocol):
    """Who answers the rows of a run."""

    async def reply(self, run: Run, row: Row, trial: int) -> Reply:
        """The answer to one trial. What the target refuses is a reply whose answer FAILED; Unavailable when it cannot be had now."""
        ...


class Rules(Protocol):
    """Metrics that need no judge but other services."""

    async def ruled(self, answer: Answer) -> list[Score]:
        """All of them."""
        ...


class Datasets(Protocol):
    """What runs need of datasets."""

    async def rows(self, tenant: str, name: str, version: str) -> list[Row]:
        """The rows of a version. NotFound when there is none."""
        ...


class Runs(Protocol):
    """Runs and what came of them."""

    async def create(self, run: Run) -> Run:
        """Keeps a run; one with this id that is there already is given back as it is."""
        ...

    async def get(self, tenant: str, run_id: str) -> Run | None:
        """One of a tenant's."""
        ...

    async def listed(self, tenant: str, most: int) -> list[Run]:
        """A tenant's, newest first."""
        ...

    async def claim(self, owner: str, until: float, now: float) -> Run | None:
        """Takes a run that waits, or whose owner is gone (its lease is before `now`), for this owner until then. None: there is none."""
        ...

    async def renew(self, run_id: str, owner: str, until: float) -> bool:
        """Holds it for longer; False when it is somebody else's by now, or was cancelled."""
        ...

    async def settle(self, run_id: str, state: State, at: float, error: str = "") -> None:
        """It is over, or (WAITING) shall go on. A run that is FINISHED or CANCELLED stays so."""
        ...

    async def finish(self, run: Run, at: float, told: Summary) -> None:
        """It is over with all its rows, and will be said: in one transaction."""
        ...

    async def decided(self, tenant: str, decided: Decided) -> None:
        """Keeps what a gate said, to be said; the same again changes nothing."""
        ...

    async def put_answers(self, tenant: str, name: str, answers: Mapping[str, Sequence[GivenAnswer]]) -> None:
        """Keeps given answers by row, under the name of their content."""
        ...

    async def answers(self, tenant: str, name: str) -> Mapping[str, Sequence[GivenAnswer]]:
        """Given answers. NotFound when there are none of this name."""
        ...

    async def units(self, run_id: str) -> list[Unit]:
        """All that was begun, by row and trial."""
        ...

    async def put_reply(self, run_id: str, row_id: str, trial: int, reply: Reply) -> None:
        """Keeps an answer; the first one stays."""
        ...

    async def put_scores(self, run_id: str, row_id: str, trial: int, scores: Sequence[Score]) -> None:
        """Keeps the scores of a unit; the first ones stay."""
        ...

    async def progress(self, run: Run, now: float) -> Progress:
        """How far it is."""
        ...

    async def rate(self, tenant: str, spec: Spec) -> Rate | None:
        """What a unit took of the last finished run on this target with these metrics, or None."""
        ...

"""What runs need of the world."""

from collections.abc import Sequence
from typing import Protocol

from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Answer, Score
from loopline_evaluation.runs.model import Progress, Reply, Run, Spec, State, Unit


class Target(Protocol):
    """Who answers the rows of a run."""

    async def reply(self, run: Run, row: Row, trial: int) -> Reply:
        """The answer to one trial. What the target refuses is a reply whose answer FAILED; Unavailable when it cannot be had now."""
        ...


class Judges(Protocol):
    """Metrics that ask a model."""

    def names(self) -> Sequence[str]:
        """Those that can be asked for here; none without a judge."""
        ...

    def tokens_per_answer(self, metric: str) -> int:
        """About what one answer costs, for estimates."""
        ...

    async def judge(self, answer: Answer, metrics: Sequence[str]) -> list[Score]:
        """A score of each, missing ones with their reason."""
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
        """It is over, or (WAITING) shall go on."""
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

    async def seconds_per_unit(self, tenant: str, spec: Spec) -> float | None:
        """How long a unit of the last finished run on this target took, or None."""
        ...


class Announcer(Protocol):
    """Who says evaluation_finished."""

    async def finished(self, run: Run, units: Sequence[Unit]) -> None:
        """A run is over with all its rows; said once, however often it is asked to."""
        ...

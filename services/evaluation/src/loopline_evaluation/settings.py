"""What can be tuned without a build."""

from pydantic import Field

from loopline_evaluation.app import Sampling
from loopline_runtime.settings import Group, ServiceSettings


class Targets(Group):
    """Where the others are: host:port."""

    embedding: str = "127.0.0.1:50052"
    timeout_s: float = 15.0


class Scores(Group):
    """Where answers and scores lie, and for how long; with an opinion or a label on them, longer."""

    url: str
    kept_days: float = Field(default=30.0, gt=0)
    labelled_days: float = Field(default=365.0, gt=0)


class SamplingSettings(Group):
    """Which answers a judge is asked about."""

    rate: float = Field(default=0.1, ge=0, le=1)
    # As JSON, by tenant or tenant/collection.
    rates: dict[str, float] = Field(default_factory=dict)
    slow_ms: float = 20_000.0
    low_retrieval: float = 0.4


class Settings(ServiceSettings):
    """Everything; SCORES__URL must be set."""

    targets: Targets = Targets()
    scores: Scores
    sampling: SamplingSettings = SamplingSettings()

    def sampled(self) -> Sampling:
        """What the core needs of it."""
        given = self.sampling
        return Sampling(False, given.rate, given.rates, given.slow_ms, given.low_retrieval)

"""What can be tuned without a build."""

import os
from pathlib import Path

from pydantic import Field, SecretStr

from loopline_evaluation.app import Sampling
from loopline_runtime.settings import Group, ServiceSettings


class Targets(Group):
    """Where the others are: host:port."""

    embedding: str = "127.0.0.1:50052"
    retrieval: str = "127.0.0.1:50053"
    ingestion: str = "127.0.0.1:50051"
    generation: str = "127.0.0.1:50054"
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
    low_retrieval: float = 0.3


class Judge(Group):
    """An OpenAI-compatible model that judges; the address without /v1. Without one, rules alone score."""

    url: str = ""
    model: str = ""
    key: SecretStr = SecretStr("")
    timeout_s: float = Field(default=60.0, gt=0)
    # Requests at once, and requests per judgement, the first included.
    concurrency: int = Field(default=8, ge=1)
    tries: int = Field(default=3, ge=1, le=10)
    # Of a reply.
    max_tokens: int = Field(default=1024, ge=16)
    # Asks the server to reply in JSON, where it knows how (response_format).
    json_mode: bool = False
    # A day of UTC, all tenants together, what was asked and what was said. Never exceeded.
    tokens_per_day: int = Field(default=1_000_000, ge=0)
    metrics: tuple[str, ...] = (
        "faithfulness",
        "answer_relevancy",
        "context_precision",
        "safety",
        "tone",
        "coherence",
        "task_completion",
    )
    # Per million tokens; both or none.
    prompt_price: float | None = None
    completion_price: float | None = None


class Calibration(Group):
    """From which agreement with people on a judge may gate: the lower end of the interval of Cohen's kappa."""

    kappa: float = Field(default=0.4, ge=-1, le=1)
    # False: a judge that was never held against people may gate, too.
    required: bool = True


class Metrics(Group):
    """One's own."""

    # A folder of NAME.yaml (rubrics for the judge) and NAME.py (functions).
    folder: Path | None = None
    # Of each function: for one answer, and beyond what Python itself takes.
    timeout_s: float = Field(default=2.0, gt=0)
    memory_bytes: int = Field(default=512 * 1024 * 1024, ge=16 * 1024 * 1024)


class Runs(Group):
    """Where datasets and runs lie, and how targets are asked."""

    url: str
    # Of one answer.
    timeout_s: float = Field(default=120.0, gt=0)
    # Runs of this process at once; the others wait their turn. Each has its own rows at once besides.
    at_once: int = Field(default=2, ge=1)
    # API keys of targets by the beginning of their address, as JSON; a key is sent nowhere else.
    keys: dict[str, SecretStr] = Field(default_factory=dict)


class Writer(Group):
    """An OpenAI-compatible model that writes questions for datasets; the address without /v1. Without one: cloze."""

    url: str = ""
    model: str = ""
    key: SecretStr = SecretStr("")
    timeout_s: float = Field(default=60.0, gt=0)


class Settings(ServiceSettings):
    """Everything; SCORES__URL and RUNS__URL must be set."""

    targets: Targets = Targets()
    scores: Scores
    sampling: SamplingSettings = SamplingSettings()
    judge: Judge = Judge()
    metrics: Metrics = Metrics()
    calibration: Calibration = Calibration()
    runs: Runs
    writer: Writer = Writer()

    def sampled(self) -> Sampling:
        """What the core needs of it."""
        given = self.sampling
        return Sampling(bool(self.judge.url), given.rate, given.rates, given.slow_ms, given.low_retrieval)


def keep_ragas_quiet() -> None:
    """Before ragas is loaded: it would tell its makers what is done with it."""
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"

"""What a run is: which rows are answered by whom, how often, scored by what; and what came of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from loopline_evaluation.model import Answer, Cost, Score
from loopline_runtime.errors import Invalid

NOTHING = Cost()
MOST_TRIALS, MOST_AT_ONCE, MOST_METRICS = 20, 64, 64


class TargetKind(StrEnum):
    """Who answers."""

    # The line itself.
    LIVE = "live"
    # Any OpenAI-compatible server.
    ENDPOINT = "endpoint"
    # Answers that were given before and are only scored.
    GIVEN = "given"


class State(StrEnum):
    """How far a run is."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    # Something it needs was away for long; it goes on where it stopped when told to.
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing more happens unless somebody asks for it."""
        return self in (State.FINISHED, State.INTERRUPTED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Target:
    """`url` of an endpoint, without /v1; `answers`: the name of given answers."""

    kind: TargetKind = TargetKind.LIVE
    url: str = ""
    answers: str = ""

    def __str__(self) -> str:
        return self.url or self.kind.value


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is different from what is live, for this run alone. Empty: as it is. `prompt`: a prompt file's text; `indexes`: collection=version."""

    prompt: str = ""
    model: str = ""
    k: int = 0
    indexes: tuple[str, ...] = ()
    temperature: float | None = None
    max_tokens: int = 0
    engine: str = ""
    grounding: str = ""

    @property
    def any(self) -> bool:
        """Whether anything is."""
        return self != Overrides()


@dataclass(frozen=True, slots=True)
class Spec:
    """`version`: the dataset's hash. `repeat`: trials of each row. `most_tokens`: budget of answers and judges together, 0: none."""

    dataset: str
    version: str
    metrics: tuple[str, ...]
    target: Target = Target()
    collections: tuple[str, ...] = ("default",)
    where: tuple[str, ...] = ()
    repeat: int = 1
    seed: int = 0
    at_once: int = 4
    most_tokens: int = 0
    overrides: Overrides = Overrides()


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is kept. Times in seconds since 1970; `units`: rows times trials; `spent` on answers and judges so far."""

    run_id: str
    tenant: str
    spec: Spec
    by: str
    created_at: float
    units: int
    state: State = State.WAITING
    started_at: float = 0.0
    finished_at: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a target said to one trial of a row. `made` names what made it: prompt, model, index, policy; `chosen`: of choices, from 0."""

    answer: Answer
    made: Mapping[str, str] = field(default_factory=dict)
    cost: Cost = NOTHING
    first_token_ms: float = 0.0
    chosen: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """One trial of one row. Without scores it is not done."""

    row_id: str
    trial: int
    reply: Reply | None = None
    scores: tuple[Score, ...] = ()

    @property
    def done(self) -> bool:
        """Whether it is answered and scored."""
        return self.reply is not None and bool(self.scores)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come. Times in seconds; `left_s` and `cost_left` None while nothing is known of them."""

    run: Run
    done: int
    elapsed_s: float
    left_s: float | None
    spent: Cost
    tokens_left: int | None


@dataclass(frozen=True, slots=True)
class Rate:
    """What one unit takes. Seconds of the whole run, so many workers at once included."""

    seconds: float
    tokens: float
    money: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take, before it starts. `seconds` None when nothing like it was run; `money` None without prices."""

    units: int
    answer_calls: int
    judge_calls: int
    tokens: int
    seconds: float | None
    money: float | None
    based_on: str


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer from elsewhere. `passages`: texts, in order."""

    text: str
    passages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """What a gate said. `gate_id` follows from run, baseline and policy; `open`: bounds not kept, or not decided."""

    gate_id: str
    run_id: str
    baseline_id: str
    verdict: str
    policy_hash: str
    open: tuple[str, ...]
    by: str
    at: float


def checked(spec: Spec) -> Spec:
    """The spec, or Invalid naming the field."""
    if not spec.metrics:
        raise Invalid("a run needs at least one metric", field="metrics")
    if len(set(spec.metrics)) != len(spec.metrics) or len(spec.metrics) > MOST_METRICS:
        raise Invalid(f"metrics are named once each, at most {MOST_METRICS}", field="metrics")
    if not 1 <= spec.repeat <= MOST_TRIALS:
        raise Invalid(f"repeat is 1 to {MOST_TRIALS}", field="repeat")
    if not 1 <= spec.at_once <= MOST_AT_ONCE:
        raise Invalid(f"at_once is 1 to {MOST_AT_ONCE}", field="at_once")
    if spec.target.kind is TargetKind.ENDPOINT and not spec.target.url.startswith(("http://", "https://")):
        raise Invalid("an endpoint's address begins with http:// or https://", field="target")
    temperature = spec.overrides.temperature
    if temperature is not None and not 0 <= temperature <= 2:
        raise Invalid("temperature is 0 to 2", field="overrides.temperature")
    if spec.target.kind is TargetKind.GIVEN and spec.overrides.any:
        raise Invalid("given answers are as they are: nothing can be overridden", field="overrides")
    if spec.target.kind is TargetKind.ENDPOINT and (
        spec.overrides.k or spec.overrides.indexes or spec.overrides.engine
    ):
        raise Invalid(
            "k, index and engine belong to the line: an endpoint is given the row's own passages", field="overrides"
        )
    return spec


def total(costs: "list[Cost]") -> Cost:
    """All of them together; money is None when none has any."""
    money = [cost.money for cost in costs if cost.money is not None]
    return Cost(
        sum(cost.requests for cost in costs),
        sum(cost.prompt_tokens for cost in costs),
        sum(cost.completion_tokens for cost in costs),
        sum(money) if money else None,
    )


def spent(unit: Unit) -> Cost:
    """What a unit cost so far: its answer, and its scores."""
    return total([*([unit.reply.cost] if unit.reply else []), *(score.cost for score in unit.scores)])


def tokens(cost: Cost) -> int:
    """In both directions."""
    return cost.prompt_tokens + cost.completion_tokens

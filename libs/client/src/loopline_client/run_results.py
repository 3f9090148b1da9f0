"""What `Loopline.runs` is asked for and gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from loopline.evaluation.v1 import run_service_pb2 as messages
from loopline_client.dataset_results import LineProblem


@dataclass(frozen=True, slots=True)
class RunTarget:
    """Who answers: an endpoint's `url` (without /v1), or the name of given `answers`; neither: the line."""

    url: str = ""
    answers: str = ""


@dataclass(frozen=True, slots=True)
class RunOverrides:
    """What is different from what is live, for this run alone. `prompt`: a prompt file's text; `indexes`: collection=version."""

    prompt: str = ""
    model: str = ""
    k: int = 0
    indexes: tuple[str, ...] = ()
    temperature: float | None = None
    max_tokens: int = 0
    engine: str = ""
    grounding: str = ""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What to run. `metrics` empty: those that need neither a judge nor choices; `most_tokens` 0: no budget."""

    dataset: str
    where: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    target: RunTarget = RunTarget()
    collections: tuple[str, ...] = ()
    repeat: int = 1
    seed: int = 0
    at_once: int = 4
    most_tokens: int = 0
    overrides: RunOverrides = RunOverrides()

    def message(self) -> messages.RunSpec:
        """As the contract has it."""
        target, over = self.target, self.overrides
        made = messages.RunSpec(
            **{name: getattr(self, name) for name in ("dataset", "where", "metrics", "collections")},
            **{name: getattr(self, name) for name in ("repeat", "seed", "at_once", "most_tokens")},
            overrides=messages.RunOverrides(**{name: getattr(over, name) for name in RunOverrides.__slots__}),
        )
        if target.url:
            made.target.url = target.url
        elif target.answers:
            made.target.answers = target.answers
        return made


@dataclass(frozen=True, slots=True)
class Cost:
    """`money` None: without prices."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    money: float | None

    @property
    def tokens(self) -> int:
        """In both directions."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take. `seconds` None: nothing like it was run yet; `based_on`: what the figures stand on."""

    units: int
    answer_calls: int
    judge_calls: int
    tokens: int
    seconds: float | None
    money: float | None
    based_on: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run and how far it is. `state`: WAITING, RUNNING, FINISHED, INTERRUPTED (see `error`) or CANCELLED; what is left None: not known."""

    run_id: str
    spec: RunSpec
    state: str
    by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    units: int
    done: int
    spent: Cost
    seconds_left: float | None
    tokens_left: int | None
    error: str

    @property
    def over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.state in ("FINISHED", "INTERRUPTED", "CANCELLED")


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Who judged; `model` empty: a rule."""

    name: str
    version: str
    model: str


@dataclass(frozen=True, slots=True)
class RunMetric:
    """A metric over all rows, with the 95 % interval of its mean. `mean` None: every value is missing; `missing`: how many, by reason."""

    metric: str
    mean: float | None
    low: float
    high: float
    rows: int
    missing: Mapping[str, int]
    evaluator: Evaluator
    lower_is_better: bool


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What made how many answers. `kind`: prompt, model, index, ..."""

    kind: str
    name: str
    answers: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run with what came of it. `failed` answers, `errors`: why, and how often."""

    run: Run
    metrics: tuple[RunMetric, ...]
    made_by: tuple[MadeBy, ...]
    failed: int
    errors: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PutAnswers:
    """How a run names given answers, and the lines that could not be read."""

    answers: str
    rows: int
    problems: tuple[LineProblem, ...]


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """One metric, over all rows or a `slice`. `seen`: better, worse, or empty: the data do not tell (an effect shows from `detectable`)."""

    metric: str
    slice: str
    before: float
    after: float
    effect: float
    low: float
    high: float
    p: float
    p_corrected: float
    rows: int
    unpaired: int
    lower_is_better: bool
    seen: str
    detectable: float


@dataclass(frozen=True, slots=True)
class MovedRow:
    """A row whose value changed."""

    row_id: str
    question: str
    metric: str
    before: float
    after: float
    text_before: str
    text_after: str


@dataclass(frozen=True, slots=True)
class ChangedMaker:
    """What made the answers of each run, where it differs."""

    kind: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two runs differ in. `level` of the intervals; `report`: a page of HTML, when it was asked for."""

    compared: tuple[ComparedMetric, ...]
    moved: tuple[MovedRow, ...]
    changed: tuple[ChangedMaker, ...]
    level: float
    report: str


@dataclass(frozen=True, slots=True)
class GateDecision:
    """`verdict`: PASS, FAIL or NOT_ENOUGH_EVIDENCE; `open`: bounds not kept, or not decided."""

    gate_id: str
    run_id: str
    baseline_id: str
    verdict: str
    policy_hash: str
    open: tuple[str, ...]
    by: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One bound of the policy, and what was found."""

    name: str
    verdict: str
    told: str
    value: float | None
    low: float | None
    high: float | None
    limit: float | None
    rows: int


@dataclass(frozen=True, slots=True)
class UnstableRow:
    """A row whose trials differ much; not blocking."""

    row_id: str
    question: str
    metric: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Gated:
    """A decision with its grounds."""

    decision: GateDecision
    checks: tuple[GateCheck, ...]
    unstable: tuple[UnstableRow, ...]

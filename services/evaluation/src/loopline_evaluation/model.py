"""What this service talks about: answers that were given, scores of them, and why a score is missing."""

from dataclasses import dataclass
from enum import StrEnum

from loopline_runtime.errors import LooplineError


class Outcome(StrEnum):
    """How an answer ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Verdict(StrEnum):
    """Whether a value is on the good side of its metric's threshold."""

    PASS = "pass"  # noqa: S105 - a verdict, not a word to enter with
    FAIL = "fail"


class Reason(StrEnum):
    """Why a value is missing."""

    # The answer failed or was cancelled: there is nothing whole to score.
    NOT_COMPLETED = "NOT_COMPLETED"
    # The tenant's events carry no text.
    NO_CONTENT = "NO_CONTENT"
    # It says that the documents do not answer the question.
    ABSTAINED = "ABSTAINED"
    # What the metric looks at is not there: no citation, no quote, no passage.
    NOTHING_TO_SCORE = "NOTHING_TO_SCORE"
    # A dependency (the embedding service, say) was away.
    UNAVAILABLE = "UNAVAILABLE"
    # The metric compares with what the answer should have been, and nobody said.
    NO_REFERENCE = "NO_REFERENCE"
    # The judge: its tokens are spent; it does not want to; it is too slow, too busy; it says what cannot be read, or beyond the scale.
    BUDGET_SPENT = "BUDGET_SPENT"
    REFUSED = "REFUSED"
    TIMED_OUT = "TIMED_OUT"
    RATE_LIMITED = "RATE_LIMITED"
    BAD_JSON = "BAD_JSON"
    WRONG_SCALE = "WRONG_SCALE"
    # The evaluator came to no number, or broke.
    NO_VALUE = "NO_VALUE"
    EVALUATOR_FAILED = "EVALUATOR_FAILED"
    # The judge that was asked for, or the file of one's own, is not there any more.
    NO_EVALUATOR = "NO_EVALUATOR"


class Unjudged(LooplineError):
    """A judge gave no judgement; the reason is one of `Reason`."""

    reason = "NO_VALUE"


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that the answer was made from. `cosine`: with the question, -1 to 1; 0 when retrieval did not say."""

    chunk_id: str
    document: str
    text: str
    cosine: float = 0.0
    score: float = 0.0
    source: str = ""
    # Of the document; 0 where the target did not say.
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was announced. `readable` is false when its text was hashed or left out.

    `versions` names what made it: prompt, model, index of each collection, policy. `answerability` is generation's own score of how well retrieval
    covers the question. Times in milliseconds; `started_at` in seconds since 1970.
    """

    answer_id: str
    tenant: str
    question: str
    text: str
    passages: tuple[Passage, ...] = ()
    collections: tuple[str, ...] = ()
    outcome: Outcome = Outcome.COMPLETED
    versions: tuple[str, ...] = ()
    abstained: bool = False
    answerability: float = 0.0
    total_ms: float = 0.0
    started_at: float = 0.0
    readable: bool = True
    # What it should have been, where somebody said.
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """What values mean. Both bounds 0: there are none."""

    lowest: float = 0.0
    highest: float = 1.0
    lower_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a score stands on. `sentence` of the answer and `passage` in the sources count from 1; 0: the whole, none."""

    sentence: int = 0
    passage: int = 0
    document: str = ""
    note: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Who judged; `model` empty when none was asked."""

    name: str
    version: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no value. `reason`: a word in capitals."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a score cost; `money` None without prices."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float | None = None


@dataclass(frozen=True, slots=True)
class Purse:
    """Who pays a judge: a name, and the most tokens that may ever be spent under it."""

    name: str
    most_tokens: int


@dataclass(slots=True)
class Spending:
    """What was spent so far: of one score, or of a purse (then `open_tokens` is what requests without a reply may have cost)."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    open_tokens: int = 0

    @property
    def tokens(self) -> int:
        """All of them, at most."""
        return self.prompt_tokens + self.completion_tokens + self.open_tokens


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one answer: a value, or why there is none."""

    metric: str
    value: float | None
    scale: Scale
    evaluator: Evaluator
    verdict: Verdict | None = None
    evidence: tuple[Evidence, ...] = ()
    missing: Missing | None = None
    cost: Cost = Cost()
    # Where the verdict turns; None: there is none.
    passes_at: float | None = None


class Stage(StrEnum):
    """How far an answer has come with the judge."""

    WAITING = "WAITING"
    JUDGED = "JUDGED"
    SKIPPED = "SKIPPED"


class Why(StrEnum):
    """Why an answer is judged, or is not."""

    BASE_RATE = "BASE_RATE"
    THUMBS_DOWN = "THUMBS_DOWN"
    ABSTAINED = "ABSTAINED"
    SLOW = "SLOW"
    LOW_RETRIEVAL = "LOW_RETRIEVAL"
    ASKED_FOR = "ASKED_FOR"
    NOT_SAMPLED = "NOT_SAMPLED"
    NO_JUDGE = "NO_JUDGE"
    NO_CONTENT = "NO_CONTENT"
    NOT_COMPLETED = "NOT_COMPLETED"
    BUDGET_SPENT = "BUDGET_SPENT"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Judging:
    """Whether a judge was asked, and why (not)."""

    stage: Stage = Stage.SKIPPED
    why: Why = Why.NO_JUDGE


class Thumb(StrEnum):
    """Up or down."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Feedback:
    """A person's opinion. `score` 0 to 1; `by` says who, in the caller's words."""

    by: str
    thumb: Thumb | None = None
    score: float | None = None
    correction: str = ""
    comment: str = ""
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """An opinion as it is kept: the latest of its person. `at` in seconds since 1970; `revision` counts from 1."""

    feedback: Feedback
    at: float
    revision: int


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer in the store: what is known of it, and the announcement itself, opaque to the core."""

    answer: Answer
    fact: bytes
    scores: tuple[Score, ...] = ()
    judging: Judging = Judging()
    feedback: tuple[Given, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """On the score of a metric: a comparison with a number, with a verdict, or `missing`."""

    metric: str
    operator: str
    value: float | Verdict | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answers: all conditions hold. `before`: only those further down the list than (started_at, answer_id)."""

    tenant: str
    conditions: tuple[Condition, ...] = ()
    version: str = ""
    thumb: Thumb | None = None
    collections: tuple[str, ...] = ()
    judging: str = ""
    since: float | None = None
    until: float | None = None
    before: tuple[float, str] | None = None
    most: int = 50

"""What this service talks about: answers that were given, scores of them, and why a score is missing."""

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that the answer was made from. `cosine`: with the question, -1 to 1; 0 when retrieval did not say."""

    chunk_id: str
    document: str
    text: str
    cosine: float = 0.0
    score: float = 0.0
    source: str = ""


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


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer in the store: what is known of it, and the announcement itself, opaque to the core."""

    answer: Answer
    fact: bytes
    scores: tuple[Score, ...] = ()

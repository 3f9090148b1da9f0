"""An answer laid open for metrics, and what a metric is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from loopline_evaluation.app import text
from loopline_evaluation.app.text import Sentence
from loopline_evaluation.model import Answer, Evaluator, Evidence, Missing, Outcome, Reason, Scale, Score, Verdict

Vector = np.ndarray[tuple[int], np.dtype[np.float32]]
OWN = Evaluator("loopline", "1")
UNIT = Scale()
# Says that there is no answer, in the words models and this line use for it.
_REFUSING = (
    "do not answer",
    "does not answer",
    "don't know",
    "do not know",
    "not contain",
    "no information",
    "not mentioned",
    "not provided",
    "cannot answer",
    "can't answer",
    "can not answer",
    "unable to answer",
    "i cannot",
    "i can't",
    "i'm sorry",
    "i am sorry",
)


@dataclass
class Case:
    """An answer with its sentences and those of its passages, each taken apart once."""

    answer: Answer
    # Of texts that a metric asked for, vectors of length 1.
    vectors: Mapping[str, Vector] = field(default_factory=dict)

    @cached_property
    def sentences(self) -> list[Sentence]:
        """Of the answer."""
        return text.sentences(self.answer.text)

    @cached_property
    def passages(self) -> list[list[Sentence]]:
        """Of each passage, in the order of their numbers."""
        return [text.sentences(passage.text) for passage in self.answer.passages]

    @cached_property
    def asked(self) -> frozenset[str]:
        """The telling words of the question."""
        return frozenset(text.words(self.answer.question))

    @cached_property
    def refuses(self) -> bool:
        """Whether it declines to answer."""
        if self.answer.abstained:
            return True
        said = text.plain(self.answer.text).lower()
        # A long answer may well mention what is not known.
        return len(said) < 400 and any(words in said for words in _REFUSING)

    def document(self, number: int) -> str:
        """The document of a passage by its number; empty when there is no such passage."""
        return self.answer.passages[number - 1].document if 0 < number <= len(self.answer.passages) else ""


Measured = tuple[float, tuple[Evidence, ...]]


@dataclass(frozen=True)
class Metric:
    """A name, a scale, a threshold (None: no verdict) and how it is measured. `measure` gives None when there is nothing to score."""

    name: str
    measure: Callable[[Case], Measured | None]
    passes_at: float | None = 0.5
    scale: Scale = UNIT
    # Whether it says something about an answer that declines.
    of_refusals: bool = False

    def score(self, case: Case) -> Score:
        """The value with its verdict, or why there is none."""
        missing = _missing(case, self)
        measured = None if missing else self.measure(case)
        if measured is None:
            missing = missing or Missing(Reason.NOTHING_TO_SCORE, "what this metric looks at is not in the answer")
            return Score(self.name, None, self.scale, OWN, missing=missing, passes_at=self.passes_at)
        value, evidence = measured
        given = verdict(value, self.scale, self.passes_at)
        return Score(self.name, value, self.scale, OWN, given, evidence, passes_at=self.passes_at)


def verdict(value: float, scale: Scale, passes_at: float | None) -> Verdict | None:
    """Pass at the threshold or on its good side."""
    if passes_at is None:
        return None
    good = value <= passes_at if scale.lower_is_better else value >= passes_at
    return Verdict.PASS if good else Verdict.FAIL


def scored(case: Case, metrics: tuple[Metric, ...]) -> list[Score]:
    """Each metric of an answer."""
    return [metric.score(case) for metric in metrics]


def _missing(case: Case, metric: Metric) -> Missing | None:
    answer = case.answer
    if answer.outcome is not Outcome.COMPLETED:
        return Missing(Reason.NOT_COMPLETED, f"the answer ended {answer.outcome.value}")
    if not answer.readable:
        return Missing(Reason.NO_CONTENT, "the events of this tenant carry no text")
    if case.refuses and not metric.of_refusals:
        return Missing(Reason.ABSTAINED, "it says that it has no answer")
    return None

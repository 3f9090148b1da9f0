"""Queues, their rules, labels, and judges held against them."""

import re
from dataclasses import dataclass
from enum import StrEnum

from loopline_evaluation.model import Evaluator, Kept, Score, Thumb, Verdict
from loopline_runtime.errors import Invalid

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_LABELS, MOST_ANNOTATORS, MOST_LABEL = 9, 9, 64


class Asked(StrEnum):
    """Why people are asked about an answer."""

    RANDOM = "RANDOM"
    DISAGREEMENT = "DISAGREEMENT"
    UNSURE = "UNSURE"
    THUMBS_DOWN = "THUMBS_DOWN"


@dataclass(frozen=True, slots=True)
class Rules:
    """Which answers go to people; any rule suffices."""

    random_share: float = 0.0
    disagreeing: tuple[str, ...] = ()
    unsure_within: float = 0.0
    thumbs_down: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """A question to people. `labels` from worst to best; from the place `good_from` (counted from 1) on an answer is good."""

    name: str
    question: str
    labels: tuple[str, ...]
    good_from: int = 0
    metric: str = ""
    annotators: int = 1
    rules: Rules = Rules()

    def verdict(self, label: str) -> Verdict:
        """What a label says of the answer."""
        good_from = self.good_from or len(self.labels) // 2 + 1
        return Verdict.PASS if self.labels.index(label) + 1 >= good_from else Verdict.FAIL

    def why(self, kept: Kept, place: float) -> Asked | None:
        """Why an answer goes to this queue, if it does. `place` of the answer in this queue, 0 to 1."""
        rules, scores = self.rules, {score.metric: score for score in kept.scores}
        verdicts = {scores[name].verdict for name in rules.disagreeing if name in scores} - {None}
        if len(verdicts) > 1:
            return Asked.DISAGREEMENT
        if self.metric in scores and _unsure(scores[self.metric], rules.unsure_within):
            return Asked.UNSURE
        if rules.thumbs_down and any(given.feedback.thumb is Thumb.DOWN for given in kept.feedback):
            return Asked.THUMBS_DOWN
        return Asked.RANDOM if place < rules.random_share else None


def _unsure(score: Score, within: float) -> bool:
    return bool(
        within
        and score.value is not None
        and score.passes_at is not None
        and abs(score.value - score.passes_at) < within
    )


@dataclass(frozen=True, slots=True)
class State:
    """How far a queue is."""

    queue: Queue
    items: int
    done: int
    labels: int


@dataclass(frozen=True, slots=True)
class Item:
    """An answer somebody holds. `lease_until` in seconds since 1970."""

    answer_id: str
    why: Asked
    lease_until: float


@dataclass(frozen=True, slots=True)
class Label:
    """What a person says of an answer."""

    answer_id: str
    annotator: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two annotators, the answers both labelled, Cohen's kappa where it is defined."""

    first: str
    second: str
    items: int
    kappa: Figure | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of a queue: each pair, and Krippendorff's alpha over all."""

    pairs: tuple[Pair, ...]
    alpha: Figure | None
    items: int


@dataclass(frozen=True, slots=True)
class Bias:
    """What a swap does: the mean change of the value, and the share of verdicts that flip."""

    change: Figure
    flips: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A judge held against people. `at` in seconds since 1970."""

    metric: str
    evaluator: Evaluator
    items: int
    agreement: Figure | None
    kappa: Figure | None
    position: Bias | None
    length: Bias | None
    at: float
    requests: int = 0
    tokens: int = 0


def checked(queue: Queue) -> Queue:
    """The queue, or Invalid naming the field."""
    if not _NAME.fullmatch(queue.name):
        raise Invalid("a queue's name has 1 to 64 letters, digits, - and _", field="queue.name")
    if not queue.question.strip():
        raise Invalid("say what annotators are asked", field="queue.question")
    if not 2 <= len(queue.labels) <= MOST_LABELS or len(set(queue.labels)) < len(queue.labels):
        raise Invalid(f"2 to {MOST_LABELS} different labels, from worst to best", field="queue.labels")
    if any(not label or len(label) > MOST_LABEL for label in queue.labels):
        raise Invalid(f"a label has 1 to {MOST_LABEL} characters", field="queue.labels")
    if queue.good_from > len(queue.labels):
        raise Invalid("good_from is the place of a label", field="queue.good_from")
    if not 1 <= queue.annotators <= MOST_ANNOTATORS:
        raise Invalid(f"1 to {MOST_ANNOTATORS} annotators", field="queue.annotators")
    if not 0 <= queue.rules.random_share <= 1:
        raise Invalid("a share is 0 to 1", field="queue.rules.random_share")
    if len(queue.rules.disagreeing) == 1:
        raise Invalid("name two metrics or more that may disagree", field="queue.rules.disagreeing")
    if not queue.rules.unsure_within >= 0 or (queue.rules.unsure_within and not queue.metric):
        raise Invalid("unsure_within is above 0, and needs the queue's metric", field="queue.rules.unsure_within")
    return queue

"""Judges held against people: agreement, and what sways a judge, measured by swaps that change nothing a reader would mind."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from loopline_evaluation.annotation.annotating import Annotating, figure
from loopline_evaluation.annotation.model import Bias, Calibration, Label, Queue
from loopline_evaluation.annotation.ports import Annotations
from loopline_evaluation.app import text
from loopline_evaluation.app.sampling import place_of
from loopline_evaluation.model import Answer, Evaluator, Purse, Score, Verdict
from loopline_evaluation.ports import Answers, Judges
from loopline_runtime.errors import Invalid
from loopline_statistics import cohen_kappa, mean_interval, rate_interval

PAGE = 100


@dataclass(frozen=True, slots=True)
class Trust:
    """From which agreement on a judge may gate: the lower end of kappa's interval. `required`: also one that was never calibrated may not."""

    kappa: float = 0.4
    required: bool = True

    def why_not(self, calibration: Calibration | None) -> str:
        """Why a judge may not gate; empty when it may."""
        if calibration is None:
            told = "it was never held against people: label answers, then `loopline queues calibrate`"
            return f"{told}; CALIBRATION__REQUIRED=false lets it gate as it is" * self.required
        if calibration.kappa is None:
            return f"its agreement with people is not defined: {calibration.items} answers have both verdicts"
        if calibration.kappa.low < self.kappa:
            found = calibration.kappa
            told = f"kappa {found.value:.2f} ({found.low:.2f} to {found.high:.2f}) over {calibration.items} answers"
            return f"it agrees too little with people: {told}; {self.kappa:g} is needed at the lower end"
        return ""


class Calibrating:
    """What is done with labels."""

    def __init__(
        self,
        annotating: Annotating,
        annotations: Annotations,
        answers: Answers,
        judges: Judges | None,
        trust: Trust,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._annotating = annotating
        self._annotations = annotations
        self._answers = answers
        self._judges = judges
        self.trust = trust
        self._now = now

    async def calibrate(self, tenant: str, name: str, swaps: int, most_tokens: int) -> Calibration:
        """Holds the queue's metric against its labels. Invalid when it has no metric, NotFound without the queue."""
        queue = await self._annotating.queue(tenant, name)
        if not queue.metric:
            raise Invalid(f"the queue {name} names no metric to hold its labels against", field="queue.metric")
        people = verdicts(queue, await self._annotations.labels(tenant, name))
        judged = await self._judged(tenant, queue.metric, list(people))
        evaluator = _latest(judged)
        judged = {kept: score for kept, score in judged.items() if score.evaluator == evaluator}
        both = [(people[kept], score.verdict) for kept, score in judged.items() if score.verdict]
        hits = sum(person == judge for person, judge in both)
        purse = Purse(f"calibration/{tenant}/{queue.metric}/{int(self._now())}", most_tokens)
        sample = [kept.answer for kept in await self._answers.get(tenant, list(judged)[:swaps])]
        as_it_is = await self._asked(queue.metric, sample, purse)
        reverse = await self._asked(queue.metric, [_reversed(answer) for answer in sample], purse)
        longer = await self._asked(queue.metric, [_longer(answer) for answer in sample], purse)
        asked = [*as_it_is, *reverse, *longer]
        calibration = Calibration(
            queue.metric,
            evaluator,
            len(both),
            figure(rate_interval(hits, len(both))) if both else None,
            figure(cohen_kappa([person for person, _ in both], [judge for _, judge in both])) if both else None,
            _bias(as_it_is, reverse),
            _bias(as_it_is, longer),
            self._now(),
            sum(score.cost.requests for score in asked),
            sum(score.cost.prompt_tokens + score.cost.completion_tokens for score in asked),
        )
        await self._annotations.put_calibration(tenant, calibration)
        return calibration

    async def distrusted(self, tenant: str, metrics: Sequence[str], model: str) -> Mapping[str, str]:
        """Which of a judge's metrics may not gate, and why."""
        known = {
            one.metric: one for one in await self._annotations.calibrations(tenant) if one.evaluator.model == model
        }
        found = {metric: self.trust.why_not(known.get(metric)) for metric in metrics}
        return {metric: why for metric, why in found.items() if why}

    async def _judged(self, tenant: str, metric: str, answer_ids: list[str]) -> dict[str, Score]:
        found: dict[str, Score] = {}
        for start in range(0, len(answer_ids), PAGE):
            for kept in await self._answers.get(tenant, answer_ids[start : start + PAGE]):
                for score in kept.scores:
                    if score.metric == metric and score.value is not None:
                        found[kept.answer.answer_id] = score
        # In an order that says nothing, so that the first are a fair sample.
        return {one: found[one] for one in sorted(found, key=place_of)}

    async def _asked(self, metric: str, answers: Sequence[Answer], purse: Purse) -> list[Score]:
        """The judge asked about each; nothing where no judge gives this metric."""
        judges = self._judges
        if judges is None or metric not in judges.names():
            return []
        return [(await judges.judge(answer, [metric], purse))[0] for answer in answers]


def verdicts(queue: Queue, labels: Sequence[Label]) -> dict[str, Verdict]:
    """What people say of each answer: the majority; an answer that splits them evenly says nothing."""
    votes: dict[str, Counter[Verdict]] = {}
    for one in labels:
        if one.label in queue.labels:
            votes.setdefault(one.answer_id, Counter())[queue.verdict(one.label)] += 1
    return {
        answer_id: Verdict.PASS if count[Verdict.PASS] > count[Verdict.FAIL] else Verdict.FAIL
        for answer_id, count in votes.items()
        if count[Verdict.PASS] != count[Verdict.FAIL]
    }


def _latest(judged: Mapping[str, Score]) -> Evaluator:
    """The evaluator most of the scores are by: versions do not mix."""
    counts = Counter(score.evaluator for score in judged.values())
    return counts.most_common(1)[0][0] if counts else Evaluator("", "")


def _bias(before: Sequence[Score], after: Sequence[Score]) -> Bias | None:
    changes: list[float] = []
    flips = 0
    for one, other in zip(before, after, strict=True):
        if one.value is not None and other.value is not None:
            changes.append(other.value - one.value)
            flips += one.verdict != other.verdict
    change = figure(mean_interval(changes)) if changes else None
    return Bias(change, flips / len(changes)) if change else None


def _reversed(answer: Answer) -> Answer:
    """The same passages, the last first. (The numbers it cites then name others: judges of the text do not look at them.)"""
    return replace(answer, passages=answer.passages[::-1])


def _longer(answer: Answer) -> Answer:
    """The same, with its first sentence said again at the end."""
    first = text.sentences(answer.text)[:1]
    return replace(answer, text=f"{answer.text} {first[0].text}") if first else answer

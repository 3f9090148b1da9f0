"""Which answers a judge is asked about: the flagged ones always, of the others a share, the same share of the same answers each time."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loopline_evaluation.model import Answer, Judging, Outcome, Score, Stage, Why


@dataclass(frozen=True, slots=True)
class Sampling:
    """`rates`: of a tenant (`acme`) or a collection (`acme/manuals`), in place of the base rate.

    The nearest counts; of several collections the highest.
    """

    judge: bool = False
    base_rate: float = 0.1
    rates: Mapping[str, float] = field(default_factory=dict)
    slow_ms: float = 20_000.0
    low_retrieval: float = 0.3

    def decide(self, answer: Answer, scores: Sequence[Score]) -> Judging:
        """What is done with an answer that just ended."""
        if answer.outcome is not Outcome.COMPLETED:
            return Judging(Stage.SKIPPED, Why.NOT_COMPLETED)
        if not answer.readable:
            return Judging(Stage.SKIPPED, Why.NO_CONTENT)
        if not self.judge:
            return Judging(Stage.SKIPPED, Why.NO_JUDGE)
        if flag := self._flag(answer, scores):
            return Judging(Stage.WAITING, flag)
        if place_of(answer.answer_id) < self._rate(answer):
            return Judging(Stage.WAITING, Why.BASE_RATE)
        return Judging(Stage.SKIPPED, Why.NOT_SAMPLED)

    def _flag(self, answer: Answer, scores: Sequence[Score]) -> Why | None:
        relevance = next((score.value for score in scores if score.metric == "context_relevance"), None)
        if answer.abstained:
            return Why.ABSTAINED
        if answer.total_ms > self.slow_ms:
            return Why.SLOW
        if relevance is not None and relevance < self.low_retrieval:
            return Why.LOW_RETRIEVAL
        return None

    def _rate(self, answer: Answer) -> float:
        of_tenant = self.rates.get(answer.tenant, self.base_rate)
        among = [self.rates.get(f"{answer.tenant}/{name}", of_tenant) for name in answer.collections]
        return max(among, default=of_tenant)


def place_of(answer_id: str) -> float:
    """Where an answer lies between 0 and 1, by its id alone."""
    return int.from_bytes(hashlib.sha256(answer_id.encode()).digest()[:8]) / 2**64

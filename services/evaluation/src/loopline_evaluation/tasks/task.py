"""What a task metric is."""

from collections.abc import Callable
from dataclasses import dataclass

from loopline_evaluation.app.metrics import Case
from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Evaluator, Missing, Outcome, Reason, Scale, Score

OWN = Evaluator("loopline", "1")
UNIT = Scale()


@dataclass(frozen=True, slots=True)
class Replied:
    """An answer to a row. `chosen`: the number of the choice that a model found likeliest, from 0."""

    row: Row
    case: Case
    chosen: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """`measure` gives None where the row or the answer has nothing to measure; `needs` says what that is."""

    name: str
    measure: Callable[[Replied], float | None]
    needs: str
    evaluator: Evaluator = OWN
    scale: Scale = UNIT

    def score(self, replied: Replied) -> Score:
        """The value, or why there is none."""
        outcome = replied.case.answer.outcome
        if outcome is not Outcome.COMPLETED:
            return self._missing(Reason.NOT_COMPLETED, f"the answer ended {outcome.value}")
        value = self.measure(replied)
        if value is None:
            return self._missing(Reason.NOTHING_TO_SCORE, f"needs {self.needs}")
        return Score(self.name, value, self.scale, self.evaluator)

    def _missing(self, reason: Reason, detail: str) -> Score:
        return Score(self.name, None, self.scale, self.evaluator, missing=Missing(reason, detail))

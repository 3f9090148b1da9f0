"""All metrics of a unit: by rule in a thread, by judge with what is left of the budget."""

import asyncio
from collections.abc import Sequence

from loopline_evaluation.app.metrics import MODEL_FREE, Case
from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Evaluator, Missing, Scale, Score
from loopline_evaluation.runs.model import Reply
from loopline_evaluation.runs.ports import Judges
from loopline_evaluation.tasks import TASKS
from loopline_evaluation.tasks.task import Replied
from loopline_runtime.errors import Invalid

BUDGET_SPENT = "BUDGET_SPENT"
_TASKS = {task.name: task for task in TASKS}
_RULES = {metric.name: metric for metric in MODEL_FREE}
DEFAULT = (
    "holds_reference",
    "token_f1",
    "over_refusal",
    "refuses_unanswerable",
    "recall_at_10",
    "support",
    "citation_precision",
)


class NoJudges:
    """The port `Judges` where no judge is configured."""

    def names(self) -> Sequence[str]:
        """None."""
        return ()

    def tokens_per_answer(self, metric: str) -> int:
        """Nothing."""
        return 0

    async def judge(self, answer: object, metrics: Sequence[str]) -> list[Score]:
        """Nothing."""
        return []


class Measuring:
    """Which metrics there are, and their scores."""

    def __init__(self, judges: Judges) -> None:
        self._judges = judges

    def names(self) -> list[str]:
        """All that a run may ask for."""
        return [*_TASKS, *_RULES, *self._judges.names()]

    def judged(self, metrics: Sequence[str]) -> list[str]:
        """Those of them that ask a model."""
        return [metric for metric in metrics if metric not in _TASKS and metric not in _RULES]

    def check(self, metrics: Sequence[str]) -> None:
        """Invalid names one that there is not."""
        known = self.names()
        for metric in metrics:
            if metric not in known:
                raise Invalid(
                    f"there is no metric {metric[:80]!r} here; there are: {', '.join(known)}"
                    + ("" if self._judges.names() else " (and those of a judge, once one is configured: JUDGE__URL)"),
                    reason="UNKNOWN_METRIC",
                    field="metrics",
                )

    def tokens(self, metrics: Sequence[str]) -> int:
        """About what judging one answer costs."""
        return sum(self._judges.tokens_per_answer(metric) for metric in self.judged(metrics))

    async def scores(self, row: Row, reply: Reply, metrics: Sequence[str], *, may_judge: bool) -> list[Score]:
        """One score for each metric. Without leave to judge, those of judges are missing for the budget."""
        found = {score.metric: score for score in await asyncio.to_thread(_ruled, row, reply, metrics)}
        judged = self.judged(metrics)
        if judged and may_judge:
            found |= {score.metric: score for score in await self._judges.judge(reply.answer, judged)}
        spent = Missing(BUDGET_SPENT, "the run's budget of tokens is spent")
        return [
            found.get(metric) or Score(metric, None, Scale(), Evaluator("judge", ""), missing=spent)
            for metric in metrics
        ]


def _ruled(row: Row, reply: Reply, metrics: Sequence[str]) -> list[Score]:
    case = Case(reply.answer)
    replied = Replied(row, case, reply.chosen)
    tasks = [_TASKS[metric].score(replied) for metric in metrics if metric in _TASKS]
    return tasks + [_RULES[metric].score(case) for metric in metrics if metric in _RULES]

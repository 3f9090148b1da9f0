"""All metrics of a unit: by rule in a thread, by judge with what is left of the budget."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from loopline_evaluation.app.metrics import EMBEDDED, MODEL_FREE, Case
from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Answer, Evaluator, Missing, Passage, Purse, Reason, Scale, Score
from loopline_evaluation.ports import Functions, Judges
from loopline_evaluation.runs.model import Reply
from loopline_evaluation.runs.ports import Rules
from loopline_evaluation.tasks import TASKS
from loopline_evaluation.tasks.task import Replied
from loopline_runtime.errors import Invalid

_TASKS = {task.name: task for task in TASKS}
_RULES = {metric.name: metric for metric in MODEL_FREE}
_EMBEDDED = {metric.name for metric in EMBEDDED}
DEFAULT = (
    "holds_reference",
    "token_f1",
    "over_refusal",
    "refuses_unanswerable",
    "recall_at_10",
    "support",
    "citation_precision",
)


class Measuring:
    """Which metrics there are, and their scores."""

    def __init__(self, rules: Rules, judges: Judges | None = None, own: Functions | None = None) -> None:
        self._rules = rules
        self._judges = judges
        self._own = own

    def names(self) -> list[str]:
        """All that a run may ask for."""
        return [
            *(*_TASKS, *_RULES, *sorted(_EMBEDDED)),
            *(self._own.names() if self._own else ()),
            *(self._judges.names() if self._judges else ()),
        ]

    def judged(self, metrics: Sequence[str]) -> list[str]:
        """Those of them that ask a model."""
        known = self._judges.names() if self._judges else ()
        return [metric for metric in metrics if metric in known]

    def check(self, metrics: Sequence[str]) -> None:
        """Invalid names one that there is not."""
        known = self.names()
        for metric in metrics:
            if metric not in known:
                raise Invalid(
                    f"there is no metric {metric[:80]!r} here; there are: {', '.join(known)}"
                    + (
                        ""
                        if self._judges
                        else " (and those of a judge, rubrics too, once one is configured: JUDGE__URL)"
                    ),
                    reason="UNKNOWN_METRIC",
                    field="metrics",
                )

    def tokens(self, row: Row, metrics: Sequence[str]) -> int:
        """About what judging an answer to this row may cost, at most: the answer and its passages of a usual length."""
        judged = self.judged(metrics)
        if not judged or not self._judges:
            return 0
        passages = tuple(Passage("", "", "x" * 800) for _ in range(5))
        usual = Answer("", "", row.question, "x" * 400, passages, reference=next(iter(row.references), ""))
        return self._judges.ceiling(usual, judged)

    async def scores(self, row: Row, reply: Reply, metrics: Sequence[str], purse: Purse) -> list[Score]:
        """One score for each metric; judges spend from the purse."""
        found = {score.metric: score for score in await asyncio.to_thread(_ruled, row, reply, metrics)}
        if _EMBEDDED & set(metrics):
            found |= {score.metric: score for score in await self._rules.ruled(reply.answer)}
        answer = replace(reply.answer, reference=next(iter(row.references), ""))
        if self._own and set(self._own.names()) & set(metrics):
            found |= {score.metric: score for score in await self._own.scores(answer, metrics)}
        judged = self.judged(metrics)
        if judged and self._judges:
            found |= {score.metric: score for score in await self._judges.judge(answer, judged, purse)}
        missing = Missing(Reason.NO_EVALUATOR, "its judge, or its file, is not there any more")
        return [
            found.get(metric) or Score(metric, None, Scale(), Evaluator("", ""), missing=missing) for metric in metrics
        ]


def _ruled(row: Row, reply: Reply, metrics: Sequence[str]) -> list[Score]:
    case = Case(reply.answer)
    replied = Replied(row, case, reply.chosen)
    tasks = [_TASKS[metric].score(replied) for metric in metrics if metric in _TASKS]
    return tasks + [_RULES[metric].score(case) for metric in metrics if metric in _RULES]

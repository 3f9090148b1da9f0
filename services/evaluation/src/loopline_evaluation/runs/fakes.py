"""Runs as tests want them, in memory."""

from collections.abc import Callable, Sequence
from typing import Any

from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Answer, Cost, Evaluator, Missing, Scale, Score
from loopline_evaluation.runs.model import Reply, Run, Spec, State, Unit
from loopline_evaluation.runs.results import Results, results

RULE, UNIT = Evaluator("loopline", "1"), Scale()


def rows_of(count: int, **more: Any) -> list[Row]:
    """Rows r0, r1, ..."""
    return [Row(f"r{number}", f"Question {number}?", **more) for number in range(count)]


def finished(
    name: str,
    rows: Sequence[Row],
    value: Callable[[int, int], float | None],
    *,
    trials: int = 1,
    metrics: Sequence[str] = ("f1",),
    evaluator: Evaluator = RULE,
    version: str = "v1",
    scale: Scale = UNIT,
    model: str = "m",
) -> Results:
    """`value` of row number and trial; None is missing."""
    spec = Spec("d", version, tuple(metrics), repeat=trials)
    run = Run(name, "t", spec, "me", 0.0, len(rows) * trials, State.FINISHED)
    units = []
    for number, row in enumerate(rows):
        for trial in range(trials):
            scores = []
            for metric in metrics:
                found = value(number, trial)
                missing = Missing("JUDGE_TIMED_OUT") if found is None else None
                scores.append(Score(metric, found, scale, evaluator, missing=missing))
            reply = Reply(
                Answer("a", "t", row.question, f"{name} {number}", total_ms=100.0), {"model": model}, Cost(1, 90, 10)
            )
            units.append(Unit(row.id, trial, reply, tuple(scores)))
    return results(run, rows, units)

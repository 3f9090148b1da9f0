"""Runs as JSON and back: the one place that knows how a spec, a reply and scores are kept."""

from dataclasses import asdict
from typing import Any

from loopline_evaluation import plain
from loopline_evaluation.model import Answer, Cost, Outcome, Passage, Score
from loopline_evaluation.runs.model import Overrides, Reply, Run, Spec, State, Target, TargetKind, Unit


def spec_json(spec: Spec) -> dict[str, Any]:
    """To keep."""
    return asdict(spec)


def spec_of(told: dict[str, Any]) -> Spec:
    """As it was kept."""
    target, overrides = told["target"], told["overrides"]
    lists = {name: tuple(told[name]) for name in ("metrics", "collections", "where")}
    return Spec(
        **{
            **told,
            **lists,
            "target": Target(**{**target, "kind": TargetKind(target["kind"])}),
            "overrides": Overrides(**{**overrides, "indexes": tuple(overrides["indexes"])}),
        }
    )


def run_of(row: Any) -> Run:
    """From a row of the table."""
    state = State(row.state)
    times = (row.started_at, row.finished_at)
    return Run(row.run_id, row.tenant, spec_of(row.spec), row.by, row.created_at, row.units, state, *times, row.error)


def reply_json(reply: Reply) -> dict[str, Any]:
    """To keep."""
    return asdict(reply)


def reply_of(told: dict[str, Any]) -> Reply:
    """As it was kept."""
    answer = told["answer"]
    lists = {name: tuple(answer[name]) for name in ("collections", "versions")}
    passages = tuple(Passage(**passage) for passage in answer["passages"])
    made = Answer(**{**answer, **lists, "passages": passages, "outcome": Outcome(answer["outcome"])})
    return Reply(**{**told, "answer": made, "cost": Cost(**told["cost"])})


def unit_of(row: Any) -> Unit:
    """From a row of the table."""
    scores: tuple[Score, ...] = tuple(plain.from_json(score) for score in row.scores or ())
    return Unit(row.row_id, row.trial, reply_of(row.reply), scores)

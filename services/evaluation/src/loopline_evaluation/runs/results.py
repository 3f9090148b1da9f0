"""A run's results, as comparing and gating see them: per metric, per row, one value a trial."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Evaluator, Missing, Scale
from loopline_evaluation.runs.model import Overrides, Run, Unit, spent, tokens
from loopline_runtime.errors import Invalid


@dataclass(frozen=True)
class Measured:
    """One metric of a run. `values`: by row, a value for each trial, NaN where it is missing; `missing`: how often, by reason."""

    name: str
    evaluator: Evaluator
    scale: Scale
    values: Mapping[str, tuple[float, ...]]
    missing: Mapping[str, int] = field(default_factory=dict)

    @property
    def lower_is_better(self) -> bool:
        """Which way is up."""
        return self.scale.lower_is_better

    def mean(self, row_id: str) -> float:
        """Over the trials of a row that have a value; NaN when none has."""
        known = [value for value in self.values.get(row_id, ()) if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    def spread(self, row_id: str) -> float:
        """Highest minus lowest over the trials of a row, as a share of the scale; 0 where the scale has no bounds."""
        known = [value for value in self.values.get(row_id, ()) if not math.isnan(value)]
        width = self.scale.highest - self.scale.lowest
        return (max(known) - min(known)) / width if known and width > 0 else 0.0

    def means(self, row_ids: Sequence[str]) -> list[float]:
        """One value a row."""
        return [self.mean(row_id) for row_id in row_ids]


@dataclass(frozen=True)
class Results:
    """All of a finished run. `made`: what made its answers, by kind, each with how many answers it made."""

    run: Run
    rows: Mapping[str, Row]
    measured: Mapping[str, Measured]
    made: Mapping[str, Mapping[str, int]]
    texts: Mapping[str, tuple[str, ...]]
    errors: Mapping[str, int]
    tokens: int
    money: float | None
    seconds: tuple[float, ...]

    @property
    def failed(self) -> int:
        """Units whose answer failed."""
        return sum(self.errors.values())


def results(run: Run, rows: Sequence[Row], units: Sequence[Unit]) -> Results:
    """Put together. Rows that were erased since are left out, with their results."""
    by_id = {row.id: row for row in rows}
    units = [unit for unit in units if unit.row_id in by_id and unit.reply]
    made: dict[str, Counter[str]] = {}
    for unit in units:
        for kind, value in unit.reply.made.items() if unit.reply else ():
            made.setdefault(kind, Counter())[value] += 1
    overrides = run.spec.overrides
    for kind in ("k", "temperature", "max_tokens", "grounding"):
        value = getattr(overrides, kind)
        if value is not None and value != getattr(Overrides(), kind):
            made[kind] = Counter({str(value): len(units)})
    costs = [spent(unit) for unit in units]
    money = [cost.money for cost in costs if cost.money is not None]
    return Results(
        run,
        {unit.row_id: by_id[unit.row_id] for unit in units},
        {metric: found for metric in run.spec.metrics if (found := _measured(metric, units))},
        {kind: dict(counts) for kind, counts in made.items()},
        _texts(units),
        Counter(unit.reply.error[:300] for unit in units if unit.reply and unit.reply.error),
        sum(map(tokens, costs)),
        sum(money) if money else None,
        tuple(unit.reply.answer.total_ms / 1000 for unit in units if unit.reply and not unit.reply.error),
    )


def _measured(metric: str, units: Sequence[Unit]) -> Measured | None:
    values: dict[str, list[float]] = {}
    missing: Counter[str] = Counter()
    evaluators: Counter[Evaluator] = Counter()
    scale = Scale()
    for unit in units:
        score = next((score for score in unit.scores if score.metric == metric), None)
        if score is None:
            continue
        value = math.nan if score.value is None else score.value
        values.setdefault(unit.row_id, []).append(value)
        if score.value is None:
            missing[(score.missing or Missing("UNKNOWN")).reason] += 1
        else:
            evaluators[score.evaluator] += 1
            scale = score.scale
    if not values:
        return None
    if len(evaluators) > 1:
        told = ", ".join(sorted(" ".join(filter(None, (one.name, one.version, one.model))) for one in evaluators))
        raise Invalid(f"{metric} was judged by several: {told}; run it again", reason="MIXED_JUDGES")
    evaluator = next(iter(evaluators), Evaluator("", ""))
    return Measured(metric, evaluator, scale, {row: tuple(trials) for row, trials in values.items()}, dict(missing))


def _texts(units: Sequence[Unit]) -> dict[str, tuple[str, ...]]:
    texts: dict[str, list[str]] = {}
    for unit in units:
        texts.setdefault(unit.row_id, []).append(unit.reply.answer.text if unit.reply else "")
    return {row: tuple(said) for row, said in texts.items()}


def demand_comparable(before: Results, after: Results) -> None:
    """Invalid unless both ran over the same rows and were judged by the same judges."""
    one, other = before.run.spec, after.run.spec
    if (one.dataset, one.version) != (other.dataset, other.version):
        raise Invalid(
            f"the runs are over different datasets: {one.dataset}@{one.version[:12]} and {other.dataset}@{other.version[:12]}",
            reason="DIFFERENT_DATASETS",
        )
    for metric in sorted(before.measured.keys() & after.measured.keys()):
        judges = before.measured[metric].evaluator, after.measured[metric].evaluator
        if judges[0] != judges[1] and all(judge.name for judge in judges):
            named = [" ".join(filter(None, (judge.name, judge.version, judge.model))) for judge in judges]
            raise Invalid(f"{metric} was judged by {named[0]} and by {named[1]}", reason="DIFFERENT_JUDGES")

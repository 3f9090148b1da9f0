"""A run in a few figures: what GetRun shows and what is announced when it is over."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loopline_evaluation.model import Cost, Evaluator
from loopline_evaluation.runs.model import Unit, spent, total
from loopline_evaluation.runs.results import Measured, Results
from loopline_statistics import mean_interval


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """`mean` over the rows that have a value, with its interval of 95 %; None when none has."""

    metric: str
    mean: float | None
    low: float
    high: float
    rows: int
    missing: Mapping[str, int]
    evaluator: Evaluator
    lower_is_better: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """`made`: what made how many answers, by kind. `failed`: units whose answer failed; `errors`: why, the most frequent five."""

    metrics: tuple[MetricSummary, ...]
    made: Mapping[str, Mapping[str, int]]
    failed: int
    errors: Mapping[str, int]
    rows: int
    cost: Cost


def summary(results: Results, units: Sequence[Unit]) -> Summary:
    """Of what a run has so far."""
    metrics = tuple(_metric(measured, list(results.rows)) for measured in results.measured.values())
    cost = total([spent(unit) for unit in units])
    most = dict(sorted(results.errors.items(), key=lambda one: -one[1])[:5])
    return Summary(metrics, results.made, results.failed, most, len(results.rows), cost)


def _metric(measured: Measured, ids: Sequence[str]) -> MetricSummary:
    means = measured.means(ids)
    if all(math.isnan(mean) for mean in means):
        figures: tuple[float | None, float, float, int] = (None, 0.0, 0.0, 0)
    else:
        # A thousand resamples are plenty for a figure that is only shown.
        found = mean_interval(means, resamples=1_000)
        figures = (found.value, found.low, found.high, found.count)
    return MetricSummary(measured.name, *figures, measured.missing, measured.evaluator, measured.lower_is_better)

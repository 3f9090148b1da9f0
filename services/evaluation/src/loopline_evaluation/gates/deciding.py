"""Whether a run passes a policy: yes, no, or the data do not tell.

A bound holds when the whole interval of the metric (at `level`) is on its good side, and is broken when the whole interval is on its bad side; there,
the interval is widened for the number of bounds (Bonferroni), for one broken bound fails the gate. In between there is not enough evidence, and the
decision says how many rows might tell.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from loopline_evaluation.datasets.choosing import slices
from loopline_evaluation.gates.policy import Bound, Policy
from loopline_evaluation.runs.results import Measured, Results, demand_comparable
from loopline_runtime.errors import Invalid
from loopline_statistics import mean_interval, paired_bootstrap

_UNSTABLE = 0.5


class Verdict(StrEnum):
    """Of a check, and of the whole."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    DOUBT = "not enough evidence"


@dataclass(frozen=True, slots=True)
class Check:
    """One bound. `value` with its interval is the metric, or the difference to the baseline; `limit` is what it is held against."""

    name: str
    verdict: Verdict
    told: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    limit: float = math.nan
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Unstable:
    """A row whose trials differ much; listed, never blocking."""

    row_id: str
    question: str
    metric: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """`verdict` FAIL when a check failed, DOUBT when one is in doubt, else PASS."""

    verdict: Verdict
    checks: tuple[Check, ...]
    unstable: tuple[Unstable, ...]
    run_id: str
    baseline_id: str = ""

    @property
    def exit_status(self) -> int:
        """For shells: 0 pass, 1 fail, 2 not enough evidence."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.DOUBT: 2}[self.verdict]


def decide(
    policy: Policy, run: Results, baseline: Results | None = None, *, distrusted: Mapping[str, str] | None = None
) -> Decision:
    """`distrusted`: metrics whose judge may not gate, with the reason; their bounds are in doubt.

    Invalid: a baseline is needed, or is over other rows or by other judges.
    """
    if policy.needs_baseline and baseline is None:
        raise Invalid("the policy says no_worse_by: a baseline run is needed", reason="NO_BASELINE", field="baseline")
    if baseline:
        demand_comparable(baseline, run)
    for name in policy.metrics:
        if name not in run.run.spec.metrics:
            raise Invalid(f"the policy asks for {name}, which the run did not measure", field="policy")
    deciding = _Deciding(policy, run, baseline, distrusted or {})
    checks = (*deciding.bounds(), *deciding.budget())
    verdicts = {check.verdict for check in checks}
    verdict = next((one for one in (Verdict.FAIL, Verdict.DOUBT) if one in verdicts), Verdict.PASS)
    return Decision(verdict, checks, _unstable(run), run.run.run_id, baseline.run.run_id if baseline else "")


class _Deciding:
    def __init__(self, policy: Policy, run: Results, baseline: Results | None, distrusted: Mapping[str, str]) -> None:
        self._policy = policy
        self._run = run
        self._baseline = baseline
        self._distrusted = distrusted
        bounds = [bound for metric in policy.metrics.values() for bound in (metric, *metric.slices.values())]
        asked = sum((b.floor is not None) + (b.ceiling is not None) + (b.no_worse_by is not None) for b in bounds)
        # The level at which a bound counts as broken.
        self._strict = 1 - (1 - policy.level) / max(1, asked)

    def bounds(self) -> list[Check]:
        found: list[Check] = []
        rows = list(self._run.rows.values())
        for name, metric in self._policy.metrics.items():
            found += self._checks(name, name, metric, [row.id for row in rows])
            for part, bound in metric.slices.items():
                ids = slices(rows, [part.partition("=")[0]]).get(part, frozenset())
                found += self._checks(f"{name}[{part}]", name, bound, [row.id for row in rows if row.id in ids])
        return found

    def _checks(self, label: str, name: str, bound: Bound, ids: Sequence[str]) -> list[Check]:
        measured = self._run.measured.get(name)
        told = [
            (bound.floor, f"{label} >= {bound.floor}"),
            (bound.ceiling, f"{label} <= {bound.ceiling}"),
            (bound.no_worse_by, f"{label} no worse than the baseline by {bound.no_worse_by}"),
        ]
        asked = [text for value, text in told if value is not None]
        if asked and name in self._distrusted:
            why = f"its judge may not gate: {self._distrusted[name]}"
            return [Check(text, Verdict.DOUBT, why, rows=len(ids)) for text in asked]
        if asked and (doubt := self._too_little(measured, ids)):
            return [Check(text, Verdict.DOUBT, doubt, rows=len(ids)) for text in asked]
        found: list[Check] = []
        if measured and bound.floor is not None:
            found.append(self._absolute(told[0][1], measured.means(ids), bound.floor, above=True))
        if measured and bound.ceiling is not None:
            found.append(self._absolute(told[1][1], measured.means(ids), bound.ceiling, above=False))
        if measured and bound.no_worse_by is not None:
            found.append(self._relative(told[2][1], measured, ids, bound.no_worse_by))
        return found

    def _too_little(self, measured: Measured | None, ids: Sequence[str]) -> str:
        """Why nothing can be said, or nothing. A value that does not apply to a row (NOTHING_TO_SCORE) is not lost."""
        if measured is None:
            return "no row has a value"
        applies = [row_id for row_id in ids if not math.isnan(measured.mean(row_id))]
        if len(applies) < self._policy.rows:
            return f"{len(applies)} rows have a value, {self._policy.rows} are needed"
        lost = {reason: count for reason, count in measured.missing.items() if reason != "NOTHING_TO_SCORE"}
        values = sum(len(trials) for trials in measured.values.values())
        if sum(lost.values()) > self._policy.missing_share * values:
            why = ", ".join(f"{count} {reason}" for reason, count in sorted(lost.items()))
            return (
                f"{sum(lost.values())} of {values} values are missing ({why}); {self._policy.missing_share:.0%} may be"
            )
        return ""

    def _absolute(self, text: str, means: Sequence[float], limit: float, *, above: bool) -> Check:
        at = mean_interval(means, level=self._policy.level)
        strict = mean_interval(means, level=self._strict)
        holds, broken = (at.low >= limit, strict.high < limit) if above else (at.high <= limit, strict.low > limit)
        return _check(text, (at.value, at.low, at.high), limit, at.count, holds=holds, broken=broken)

    def _relative(self, text: str, measured: Measured, ids: Sequence[str], tolerance: float) -> Check:
        former = self._baseline.measured.get(measured.name) if self._baseline else None
        if former is None:
            return Check(text, Verdict.DOUBT, "the baseline did not measure it")
        sign = -1 if measured.lower_is_better else 1
        before = [sign * value for value in former.means(ids)]
        after = [sign * value for value in measured.means(ids)]
        if all(math.isnan(one - other) for one, other in zip(before, after, strict=True)):
            return Check(text, Verdict.DOUBT, "no row has a value in both runs")
        at = paired_bootstrap(before, after, level=self._policy.level)
        strict = paired_bootstrap(before, after, level=self._strict)
        figures = (at.effect, at.low, at.high)
        return _check(text, figures, -tolerance, at.count, holds=at.low >= -tolerance, broken=strict.high < -tolerance)

    def budget(self) -> list[Check]:
        budget, run = self._policy.budget, self._run
        seconds = sorted(run.seconds)
        p95 = seconds[min(len(seconds) - 1, math.ceil(0.95 * len(seconds)) - 1)] if seconds else math.nan
        units = max(1, sum(len(trials) for trials in run.texts.values()))
        told = [
            ("tokens", budget.tokens, float(run.tokens)),
            ("money", budget.money, math.nan if run.money is None else run.money),
            ("95 % of answers, seconds", budget.p95_s, p95),
            ("share of failed answers", budget.failed_share, run.failed / units),
        ]
        return [_spent(name, limit, value) for name, limit, value in told if limit is not None]


def _check(
    text: str, figures: tuple[float, float, float], limit: float, rows: int, *, holds: bool, broken: bool
) -> Check:
    value, low, high = figures
    shown = f"{value:.3f} ({low:.3f} to {high:.3f}) over {rows} rows"
    if holds:
        return Check(text, Verdict.PASS, shown, *figures, limit, rows)
    if broken:
        return Check(text, Verdict.FAIL, shown, *figures, limit, rows)
    gap, half = abs(value - limit), (high - low) / 2
    wanted = math.ceil(rows * (half / gap) ** 2 * 1.2) if gap > 0 and math.isfinite(half) else 0
    more = f"; about {wanted} rows would tell" if rows < wanted < 100_000 else "; it lies too near the bound to tell"
    return Check(text, Verdict.DOUBT, shown + more, *figures, limit, rows)


def _spent(name: str, limit: float, value: float) -> Check:
    if math.isnan(value):
        return Check(f"{name} <= {limit:g}", Verdict.DOUBT, "not known", limit=limit)
    verdict = Verdict.PASS if value <= limit else Verdict.FAIL
    return Check(f"{name} <= {limit:g}", verdict, f"{value:g}", value, value, value, limit)


def _unstable(run: Results) -> tuple[Unstable, ...]:
    return tuple(
        Unstable(row_id, run.rows[row_id].question, name, measured.values[row_id])
        for name, measured in run.measured.items()
        for row_id in measured.values
        if row_id in run.rows and measured.spread(row_id) >= _UNSTABLE
    )

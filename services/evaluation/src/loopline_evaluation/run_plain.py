"""Datasets and runs as messages: the one place that knows both shapes."""

import math
from collections.abc import Sequence
from typing import Any

from loopline.evaluation.v1 import dataset_service_pb2 as datasets
from loopline.evaluation.v1 import events_pb2 as events
from loopline.evaluation.v1 import run_service_pb2 as runs
from loopline_evaluation import plain
from loopline_evaluation.datasets.reading import Problem
from loopline_evaluation.datasets.rows import Row, Version
from loopline_evaluation.gates.deciding import Check, Decision, Verdict
from loopline_evaluation.model import Cost, Evaluator
from loopline_evaluation.runs.comparing import Comparison
from loopline_evaluation.runs.model import Decided, Overrides, Progress, Spec, State, Target, TargetKind
from loopline_evaluation.runs.summary import MetricSummary, Summary
from loopline_runtime.errors import Invalid

STATES = {state: runs.RunState.Value(f"RUN_STATE_{state.name}") for state in State}
VERDICTS = {
    Verdict.PASS: events.GATE_VERDICT_PASS,
    Verdict.FAIL: events.GATE_VERDICT_FAIL,
    Verdict.DOUBT: events.GATE_VERDICT_NOT_ENOUGH_EVIDENCE,
}
GROUNDINGS = ("", "off", "mark", "strict")


def version(found: Version) -> datasets.DatasetVersion:
    """A version."""
    return datasets.DatasetVersion(
        name=found.name,
        number=found.number,
        hash=found.hash,
        rows=found.rows,
        created_at=plain.time(found.created_at),
        note=found.note,
        erased=found.erased,
    )


def row(found: Row) -> datasets.DatasetRow:
    """A row."""
    return datasets.DatasetRow(
        id=found.id,
        question=found.question,
        references=found.references,
        passages=[
            datasets.ReferencePassage(
                document_id=one.document, source=one.source, chunk_id=one.chunk, text=one.text, revision=one.revision
            )
            for one in found.passages
        ],
        choices=found.choices,
        answerable=found.answerable,
        tags=found.tags,
        metadata=found.metadata,
        origin=datasets.RowOrigin(kind=found.origin.kind, detail=found.origin.detail, synthetic=found.origin.synthetic),
    )


def problems(found: Sequence[Problem]) -> list[datasets.LineProblem]:
    """What is wrong with lines."""
    return [datasets.LineProblem(line=one.line, message=one.message) for one in found]


def spec_of(asked: runs.RunSpec) -> Spec:
    """What is asked for; the version is resolved later."""
    over, kind = asked.overrides, asked.target.WhichOneof("kind")
    kinds = {"url": TargetKind.ENDPOINT, "answers": TargetKind.GIVEN, None: TargetKind.LIVE}
    if over.grounding not in GROUNDINGS or over.engine not in ("", "chat", "quote"):
        raise Invalid("grounding is off, mark or strict; engine is chat or quote", field="spec.overrides")
    return Spec(
        dataset=asked.dataset,
        version="",
        metrics=tuple(asked.metrics),
        target=Target(kinds[kind], asked.target.url, asked.target.answers),
        collections=tuple(asked.collections) or ("default",),
        where=tuple(asked.where),
        repeat=asked.repeat or 1,
        seed=asked.seed,
        at_once=asked.at_once or 4,
        most_tokens=asked.most_tokens,
        overrides=Overrides(
            over.prompt,
            over.model,
            over.k,
            tuple(over.indexes),
            over.temperature if over.HasField("temperature") else None,
            over.max_tokens,
            over.engine,
            over.grounding,
        ),
    )


def spec(kept: Spec) -> runs.RunSpec:
    """As it was asked for, with the dataset's hash."""
    over, target = kept.overrides, kept.target
    return runs.RunSpec(
        dataset=f"{kept.dataset}@{kept.version}",
        where=kept.where,
        metrics=kept.metrics,
        target=runs.RunTarget(
            **({"url": target.url} if target.url else {}), **({"answers": target.answers} if target.answers else {})
        ),
        collections=kept.collections,
        repeat=kept.repeat,
        seed=kept.seed,
        at_once=kept.at_once,
        most_tokens=kept.most_tokens,
        overrides=runs.RunOverrides(
            prompt=over.prompt,
            model=over.model,
            k=over.k,
            indexes=over.indexes,
            temperature=over.temperature,
            max_tokens=over.max_tokens,
            engine=over.engine,
            grounding=over.grounding,
        ),
    )


def run(progress: Progress) -> runs.Run:
    """A run and how far it is."""
    kept = progress.run
    over = kept.state.over
    return runs.Run(
        run_id=kept.run_id,
        spec=spec(kept.spec),
        state=STATES[kept.state],
        by=kept.by,
        created_at=plain.time(kept.created_at),
        started_at=plain.time(kept.started_at) if kept.started_at else None,
        finished_at=plain.time(kept.finished_at) if kept.finished_at else None,
        units=kept.units,
        done=progress.done,
        spent=cost(progress.spent),
        seconds_left=None if over else progress.left_s,
        tokens_left=None if over else progress.tokens_left,
        error=kept.error,
    )


def cost(spent: Cost) -> events.Cost:
    """What it cost."""
    return events.Cost(
        requests=spent.requests,
        prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens,
        money=spent.money,
    )


def metrics(found: Sequence[MetricSummary]) -> list[events.RunMetric]:
    """Means with their intervals."""
    return [
        events.RunMetric(
            metric=one.metric,
            mean=one.mean,
            low=one.low,
            high=one.high,
            rows=one.rows,
            missing=one.missing,
            evaluator=events.Evaluator(
                name=one.evaluator.name, version=one.evaluator.version, model=one.evaluator.model
            ),
            lower_is_better=one.lower_is_better,
        )
        for one in found
    ]


def made_by(found: Summary) -> list[events.MadeBy]:
    """What made how many answers."""
    return [
        events.MadeBy(kind=kind, name=name, answers=count)
        for kind, counts in found.made.items()
        for name, count in counts.items()
    ]


def compared(found: Comparison, report: str) -> runs.CompareRunsResponse:
    """What two runs differ in."""
    return runs.CompareRunsResponse(
        compared=[
            runs.ComparedMetric(
                metric=one.metric,
                slice=one.slice,
                before=one.difference.before,
                after=one.difference.after,
                effect=one.difference.effect,
                low=one.difference.low,
                high=one.difference.high,
                p=one.difference.p,
                p_corrected=one.p,
                rows=one.difference.count,
                unpaired=one.difference.unpaired,
                lower_is_better=one.lower_is_better,
                seen=one.seen,
                detectable=one.detectable,
            )
            for one in found.compared
        ],
        moved=[
            runs.MovedRow(
                row_id=one.row.id,
                question=one.row.question,
                metric=one.metric,
                before=one.before,
                after=one.after,
                text_before=one.text_before[:2000],
                text_after=one.text_after[:2000],
            )
            for one in found.moved
        ],
        changed=[
            runs.ChangedMaker(kind=kind, before=before, after=after) for kind, (before, after) in found.changed.items()
        ],
        level=found.level,
        report=report,
    )


def decided(kept: Decided) -> events.GateDecided:
    """A decision as it is announced."""
    return events.GateDecided(
        gate_id=kept.gate_id,
        run_id=kept.run_id,
        baseline_id=kept.baseline_id,
        verdict=VERDICTS[Verdict(kept.verdict)],
        policy_hash=kept.policy_hash,
        open=kept.open,
        by=kept.by,
        decided_at=plain.time(kept.at),
    )


def gated(decision: Decision, kept: Decided) -> runs.GateResponse:
    """A decision with its grounds."""
    return runs.GateResponse(
        decision=decided(kept),
        checks=[_check(one) for one in decision.checks],
        unstable=[
            runs.UnstableRow(row_id=one.row_id, question=one.question, metric=one.metric, values=one.values)
            for one in decision.unstable[:100]
        ],
    )


def _check(one: Check) -> runs.GateCheck:
    figures = {name: getattr(one, name) for name in ("value", "low", "high", "limit")}
    known = {name: value for name, value in figures.items() if not math.isnan(value)}
    return runs.GateCheck(name=one.name, verdict=VERDICTS[one.verdict], told=one.told, rows=one.rows, **known)


def finished(told: dict[str, Any], spec_kept: Spec) -> events.EvaluationFinished:
    """A finished run as it is announced, from what the store keeps to be said."""
    kept = told["summary"]
    found = [MetricSummary(**{**one, "evaluator": Evaluator(**one["evaluator"])}) for one in kept["metrics"]]
    of = Summary(tuple(found), kept["made"], kept["failed"], kept["errors"], kept["rows"], Cost(**kept["cost"]))
    return events.EvaluationFinished(
        run_id=told["run"]["run_id"],
        dataset=spec_kept.dataset,
        dataset_hash=spec_kept.version,
        target=str(spec_kept.target),
        rows=of.rows,
        trials=spec_kept.repeat,
        failed=of.failed,
        metrics=metrics(found),
        made_by=made_by(of),
        cost=cost(of.cost),
        seed=spec_kept.seed,
        finished_at=plain.time(told["at"]),
    )

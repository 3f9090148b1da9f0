"""What is told of index versions: plain frozen objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from loopline.ingestion.v1 import ingestion_service_pb2 as ingestion
from loopline.retrieval.v1 import events_pb2 as events
from loopline.retrieval.v1 import retrieval_service_pb2 as retrieval


@dataclass(frozen=True, slots=True)
class IndexVersion:
    """An index version. `state`: BUILDING, BUILT, STALLED, RETIRED; `role`: serving, previous, kept, or dropped."""

    collection: str
    version: str
    role: str
    state: str
    model: str
    max_tokens: int
    overlap_tokens: int
    documents: int
    complete: int
    chunks: int
    failed: int
    failures: tuple[str, ...]
    added_at: datetime
    built_at: datetime | None
    # Since it was added, or of late while a build is watched; 0 when nothing is known.
    documents_per_s: float = 0.0
    left_s: float | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected to happen by itself."""
        return self.state != "BUILDING"


@dataclass(frozen=True, slots=True)
class Metric:
    """Of both versions, the mean over questions; and the paired 95 % bootstrap interval of the difference."""

    name: str
    baseline: float
    candidate: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions, asked the same questions. Latencies in milliseconds, of the baseline and the candidate."""

    collection: str
    baseline: str
    candidate: str
    questions: int
    probe: str
    k: int
    metrics: tuple[Metric, ...]
    overlap: float
    p50_ms: tuple[float, float]
    p95_ms: tuple[float, float]
    tolerance: float
    worse: bool
    verdict: str
    # Documents that the baseline answers, and those of them that are not whole in the candidate.
    documents: int
    behind: int


@dataclass(frozen=True, slots=True)
class Switched:
    """Another version serves."""

    collection: str
    serving: str
    previous: str
    comparison: Comparison | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Where ledger and store differ. `kind`: missing, stray, stale."""

    kind: str
    collection: str
    version: str
    document_id: str
    source: str
    told: str
    # What to clear, and whether the document is to be made again.
    up_to: int
    remake: bool


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what answers it: documents by source or id, or words that stand in a passage."""

    text: str
    sources: tuple[str, ...] = ()
    document_ids: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()


def version(plan: ingestion.IndexPlan, index: retrieval.Index) -> IndexVersion:
    """From the plan of ingestion and what retrieval holds."""
    name = plan.index_version
    kept = {one.index_version for one in index.versions}
    role = "serving" if name == index.serving else "previous" if name == index.previous else "kept"
    added = plan.added_at.ToDatetime(UTC)
    took = (datetime.now(UTC) - added).total_seconds()
    state = ingestion.PlanState.Name(plan.state).removeprefix("PLAN_STATE_")
    rate = plan.complete / took if state == "BUILDING" and took > 0 else 0.0
    return IndexVersion(
        plan.collection,
        name,
        role if name in kept else "dropped" if state == "RETIRED" else "kept",
        state,
        f"{plan.plan.model.name}@{plan.plan.model.revision}",
        plan.plan.cutting.max_tokens,
        plan.plan.cutting.overlap_tokens,
        plan.documents,
        plan.complete,
        plan.chunks,
        plan.failed,
        tuple(f"{reason.code}: {reason.text}" for reason in plan.failures),
        added,
        plan.built_at.ToDatetime(UTC) if plan.HasField("built_at") else None,
        rate,
        (plan.documents - plan.complete) / rate if rate else None,
    )


def comparison(found: events.Comparison, completeness: events.Completeness) -> Comparison:
    """From its message."""
    before, after = found.baseline_latency, found.candidate_latency
    return Comparison(
        found.collection,
        found.baseline,
        found.candidate,
        found.questions,
        found.probe,
        found.k,
        tuple(Metric(m.name, m.baseline, m.candidate, m.difference, m.low, m.high) for m in found.metrics),
        found.overlap,
        (before.p50_ms, after.p50_ms),
        (before.p95_ms, after.p95_ms),
        found.tolerance,
        found.worse,
        found.verdict,
        completeness.documents,
        completeness.behind,
    )


def probes(questions: Sequence[Question]) -> list[retrieval.Probe]:
    """As messages."""
    return [
        retrieval.Probe(
            question=one.text,
            relevant=[
                *(retrieval.Relevant(document_id=name) for name in one.document_ids),
                *(retrieval.Relevant(source=name) for name in one.sources),
                *(retrieval.Relevant(text=words) for words in one.passages),
            ],
        )
        for one in questions
    ]

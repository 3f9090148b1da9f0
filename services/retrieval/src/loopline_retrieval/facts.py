"""Index versions as messages, and messages as index versions."""

from loopline.ingestion.v1.events_pb2 import EmbeddingModel
from loopline.retrieval.v1 import events_pb2 as events
from loopline.retrieval.v1 import retrieval_service_pb2 as messages
from loopline_retrieval.model import Model
from loopline_retrieval.versions import (
    DEFAULT_COUNT,
    DEFAULT_K,
    DEFAULT_TOLERANCE,
    SWITCH,
    Change,
    Comparison,
    Completeness,
    Held,
    Index,
    Latency,
    Probe,
    Relevant,
    Trial,
)


def model(found: Model) -> EmbeddingModel:
    """A model as a message."""
    return EmbeddingModel(name=found.name, revision=found.revision, dimension=found.dimension)


def index(collection: str, found: Index) -> messages.Index:
    """A collection's versions as a message."""
    made = messages.Index(
        collection=collection,
        serving=found.serving,
        previous=found.previous,
        versions=[
            messages.HeldVersion(index_version=name, model=model(one)) for name, one in sorted(found.versions.items())
        ],
    )
    for change in found.changes:
        said = made.changes.add(switched=switched(collection, change))
        said.at.FromMilliseconds(int(change.at * 1000))
    return made


def switched(collection: str, change: Change) -> events.IndexSwitched:
    """The fact that another version serves."""
    kind = events.SwitchKind.SWITCH_KIND_SWITCH if change.kind == SWITCH else events.SwitchKind.SWITCH_KIND_ROLLBACK
    return events.IndexSwitched(
        collection=collection,
        from_version=change.from_version,
        to_version=change.to_version,
        kind=kind,
        by=change.by,
        reason=change.reason,
        forced=change.forced,
        comparison=comparison(change.comparison) if change.comparison else None,
        completeness=completeness(change.completeness) if change.completeness else None,
    )


def comparison(found: Comparison) -> events.Comparison:
    """Figures as a message."""
    return events.Comparison(
        collection=found.collection,
        baseline=found.baseline,
        candidate=found.candidate,
        questions=found.questions,
        probe=found.probe,
        k=found.k,
        metrics=[
            events.Metric(
                name=one.name,
                baseline=one.baseline,
                candidate=one.candidate,
                difference=one.difference,
                low=one.low,
                high=one.high,
            )
            for one in found.metrics
        ],
        overlap=found.overlap,
        baseline_latency=_latency(found.baseline_latency),
        candidate_latency=_latency(found.candidate_latency),
        tolerance=found.tolerance,
        worse=found.worse,
        verdict=found.verdict,
    )


def completeness(found: Completeness) -> events.Completeness:
    """What is missing, as a message."""
    return events.Completeness(documents=found.documents, behind=found.behind, examples=found.examples)


def held(found: Held) -> messages.ListHeldResponse:
    """What lies there, as a message."""
    return messages.ListHeldResponse(
        document_id=found.document,
        source=found.source,
        revision=found.revision,
        chunk_count=found.chunks,
        chunks_sha256=found.chunks_sha256,
        answers=found.answers,
    )


def trial_of(message: messages.Trial) -> Trial:
    """By which questions; what is left out takes its default."""
    return Trial(
        probes=tuple(
            Probe(probe.question, tuple(Relevant(one.document_id, one.source, one.text) for one in probe.relevant))
            for probe in message.probes
        ),
        count=message.count or DEFAULT_COUNT,
        seed=message.seed,
        k=message.k or DEFAULT_K,
        tolerance=message.tolerance if message.HasField("tolerance") else DEFAULT_TOLERANCE,
        principals=frozenset(message.principals),
    )


def _latency(found: Latency) -> events.Latency:
    return events.Latency(p50_ms=found.p50_ms, p95_ms=found.p95_ms)

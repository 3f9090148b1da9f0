"""What the library gives back: plain frozen objects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from loopline.generation.v1 import events_pb2 as generation
from loopline.generation.v1 import generation_service_pb2 as answers
from loopline.ingestion.v1 import events_pb2 as ingestion
from loopline.ingestion.v1 import ingestion_service_pb2 as documents
from loopline.retrieval.v1 import retrieval_service_pb2 as retrieval

SETTLED = ("INDEXED", "REJECTED", "FAILED", "DELETED")


@dataclass(frozen=True, slots=True)
class Document:
    """A document and what became of it. `state`: ACCEPTED, INDEXING, INDEXED, REJECTED, FAILED, DELETED."""

    document_id: str
    collection: str
    source: str
    state: str
    revision: int
    version: str
    reasons: tuple[str, ...]
    chunks: int
    batches_indexed: int
    batch_count: int
    size_bytes: int
    content_type: str
    metadata: Mapping[str, str]
    readers: tuple[str, ...]
    accepted_at: datetime
    changed_at: datetime

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected to happen by itself."""
        return self.state in SETTLED


@dataclass(frozen=True, slots=True)
class Submitted:
    """What an upload came to; `unchanged`: this very version was there."""

    document_id: str
    revision: int
    state: str
    unchanged: bool


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents that are searched together."""

    name: str
    index_version: str
    model: str
    max_tokens: int
    overlap_tokens: int
    documents: int
    expectations_json: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage with its place and its scores."""

    chunk_id: str
    document_id: str
    collection: str
    source: str
    title: str
    text: str
    page: int
    sheet: str
    headings: tuple[str, ...]
    start: int
    end: int
    score: float
    cosine: float
    keyword: float
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """For people: page, sheet or headings."""
        if self.page:
            return f"page {self.page}"
        if self.sheet:
            return f"sheet {self.sheet}"
        return " > ".join(self.headings)


@dataclass(frozen=True, slots=True)
class Citation:
    """One [n] of an answer and the words it stands on."""

    number: int
    document_id: str
    quote: str


@dataclass(frozen=True, slots=True)
class Started:
    """The answer has begun."""

    answer_id: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The passages it may cite; the first is [1]."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """Some text, in order."""

    text: str
    unsupported: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """How an answer ended: COMPLETED, CANCELLED, FAILED. Times in milliseconds."""

    outcome: str
    text: str
    citations: tuple[Citation, ...]
    abstained: bool
    sentences: int
    supported: int
    answerability: float
    prompt_tokens: int
    completion_tokens: int
    first_token_ms: float
    total_ms: float
    model: str
    prompt: str
    error: str = ""


Step = Started | Sources | Token | Finished


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer as it is kept. `outcome` empty while it is being given."""

    answer_id: str
    question: str
    outcome: str
    text: str
    passages: tuple[Passage, ...]
    citations: tuple[Citation, ...]
    model: str
    prompt: str
    indexes: tuple[str, ...]
    trace_id: str
    abstained: bool
    total_ms: float
    error: str


def document(found: documents.Document) -> Document:
    """From its message."""
    return Document(
        found.document_id,
        found.collection,
        found.source,
        documents.DocumentState.Name(found.state).removeprefix("DOCUMENT_STATE_"),
        found.revision,
        found.version,
        tuple(f"{reason.code}: {reason.text}" for reason in found.reasons),
        found.chunk_count,
        found.batches_indexed,
        found.batch_count,
        found.size_bytes,
        found.content_type,
        dict(found.metadata),
        tuple(found.readers),
        found.accepted_at.ToDatetime(),
        found.changed_at.ToDatetime(),
    )


def submitted(said: documents.SubmitDocumentResponse) -> Submitted:
    """From its message."""
    state = documents.DocumentState.Name(said.state).removeprefix("DOCUMENT_STATE_")
    return Submitted(said.document_id, said.revision, state, said.unchanged)


def collection(found: documents.Collection) -> Collection:
    """From its message."""
    cutting = found.plan.cutting
    return Collection(
        found.name,
        found.index_version,
        f"{found.plan.model.name}@{found.plan.model.revision}",
        cutting.max_tokens,
        cutting.overlap_tokens,
        found.document_count,
        found.settings.expectations_json,
    )


def plan(max_tokens: int, overlap_tokens: int) -> ingestion.Plan:
    """A plan with this cutting and the default model."""
    return ingestion.Plan(cutting=ingestion.Cutting(max_tokens=max_tokens, overlap_tokens=overlap_tokens))


def passage(found: retrieval.Passage) -> Passage:
    """From its message."""
    place, scores = found.place, found.scores
    return Passage(
        found.chunk_id,
        found.document_id,
        found.collection,
        found.source,
        found.title,
        found.text,
        place.page,
        place.sheet,
        tuple(place.headings),
        place.start,
        place.end,
        scores.fused,
        scores.cosine,
        scores.keyword,
        dict(found.metadata),
    )


def citation(made: generation.Citation) -> Citation:
    """From its message."""
    return Citation(made.number, made.document_id, made.quote)


def finished(step: answers.Finished) -> Finished:
    """From its message."""
    return Finished(
        generation.Outcome.Name(step.outcome).removeprefix("OUTCOME_"),
        step.text,
        tuple(citation(made) for made in step.citations),
        step.verdicts.abstained,
        step.verdicts.sentences,
        step.verdicts.supported,
        step.verdicts.answerability,
        step.usage.prompt_tokens,
        step.usage.completion_tokens,
        step.timings.first_token_ms,
        step.timings.total_ms,
        step.versions.model,
        f"{step.versions.prompt}.{step.versions.prompt_version}",
        step.error,
    )


def answer(kept: answers.GetAnswerResponse) -> Answer:
    """From its message."""
    outcome = generation.Outcome.Name(kept.outcome).removeprefix("OUTCOME_")
    return Answer(
        kept.answer_id,
        kept.question,
        "" if outcome == "UNSPECIFIED" else outcome,
        kept.text,
        tuple(passage(found) for found in kept.passages),
        tuple(citation(made) for made in kept.citations),
        kept.versions.model,
        f"{kept.versions.prompt}.{kept.versions.prompt_version}",
        tuple(kept.versions.indexes),
        kept.trace_id,
        kept.verdicts.abstained,
        kept.timings.total_ms,
        kept.error,
    )

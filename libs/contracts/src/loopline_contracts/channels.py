"""THE EVENT MAP: every fact that leaves a service, the subject that carries it, and who hears it.

A channel has one owner, the service that publishes it. A durable is one hearer's place in one stream: one per purpose, so
that work and read model never share one. A reader is one process that reads a stream in its order and keeps its place itself,
with its state. Subjects end in the tenant, those of document facts in tenant and document.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from loopline.embedding.v1 import events_pb2 as embedding
from loopline.evaluation.v1 import events_pb2 as evaluation
from loopline.generation.v1 import events_pb2 as generation
from loopline.ingestion.v1 import events_pb2 as ingestion
from loopline.monitoring.v1 import events_pb2 as monitoring
from loopline.retrieval.v1 import events_pb2 as retrieval

E_co = TypeVar("E_co", bound=Message, covariant=True)

# Where messages are kept that a durable could not finish, as they came.
DEAD_LETTER = "loopline.dead_letter"
DEAD_LETTER_STREAM = "DEAD_LETTER"


@dataclass(frozen=True, slots=True)
class Channel(Generic[E_co]):
    """One kind of fact: its message, its stream, its subject without the tenant."""

    event: type[E_co]
    stream: str
    subject: str
    by_document: bool = False
    # Several services say a fact of this name, each its own.
    shared: bool = False

    @property
    def owner(self) -> str:
        """The service that says it: the second token of the subject."""
        return self.subject.split(".")[1]

    @property
    def name(self) -> str:
        """The fact in snake case: the last token of the subject."""
        return self.subject.rsplit(".", 1)[-1]

    @property
    def label(self) -> str:
        """What tells it from all others: its name, after its owner where the name is shared."""
        return f"{self.owner}_{self.name}" if self.shared else self.name

    @property
    def filter(self) -> str:
        """What a consumer of all tenants listens to."""
        return self.of("*", "*")

    def of(self, tenant: str, document: str = "*") -> str:
        """The subject of one tenant (and one document, where facts carry it)."""
        return f"{self.subject}.{tenant}.{document}" if self.by_document else f"{self.subject}.{tenant}"


@dataclass(frozen=True, slots=True)
class Durable:
    """A hearer's place in a stream.

    `at_once` bounds the handlers running in one process; `ack_wait_s` is how long the server waits for a sign of life.
    """

    name: str
    hears: tuple[Channel[Message], ...]
    at_once: int = 4
    ack_wait_s: float = 30.0
    # Hears what others buried, instead of facts; its handler gets no body, only headers.
    dead_letters: bool = False

    @property
    def hearer(self) -> str:
        """The service that listens."""
        return self.name.split("-", 1)[0]

    @property
    def stream(self) -> str:
        """The one stream it reads."""
        return DEAD_LETTER_STREAM if self.dead_letters else self.hears[0].stream

    @property
    def replay_subject(self) -> str:
        """Where messages for this durable alone are said again: no other hearer sees them."""
        return f"loopline.replay.{self.name}"

    @property
    def filters(self) -> tuple[str, ...]:
        """All that the consumer listens to."""
        if self.dead_letters:
            return (f"{DEAD_LETTER}.>",)
        return (*(channel.filter for channel in self.hears), f"{self.replay_subject}.>")


@dataclass(frozen=True, slots=True)
class Reader:
    """One process that reads a stream in its order, from the sequence it wrote with its state; no place of it is kept on the bus."""

    name: str
    hears: tuple[Channel[Message], ...]

    @property
    def hearer(self) -> str:
        """The service that reads."""
        return self.name.split("-", 1)[0]

    @property
    def stream(self) -> str:
        """The one stream it reads."""
        return self.hears[0].stream

    @property
    def filters(self) -> tuple[str, ...]:
        """All that it listens to."""
        return tuple(channel.filter for channel in self.hears)


_INGESTION, _BATCHES = "INGESTION", "INGESTION_BATCHES"
# What every owner of document data says of an erasure: the one stream that several services write to.
ERASURES = "ERASURES"

DOCUMENT_ACCEPTED = Channel(ingestion.DocumentAccepted, _INGESTION, "loopline.ingestion.v1.document_accepted", True)
DOCUMENT_READERS_CHANGED = Channel(
    ingestion.DocumentReadersChanged, _INGESTION, "loopline.ingestion.v1.document_readers_changed", True
)
DOCUMENT_REJECTED = Channel(ingestion.DocumentRejected, _INGESTION, "loopline.ingestion.v1.document_rejected", True)
DOCUMENT_DELETED = Channel(ingestion.DocumentDeleted, _INGESTION, "loopline.ingestion.v1.document_deleted", True)
DOCUMENT_ERASURE_ORDERED = Channel(
    ingestion.DocumentErasureOrdered, _INGESTION, "loopline.ingestion.v1.document_erasure_ordered", True
)
PLAN_ADDED = Channel(ingestion.PlanAdded, _INGESTION, "loopline.ingestion.v1.plan_added")
PLAN_RETIRED = Channel(ingestion.PlanRetired, _INGESTION, "loopline.ingestion.v1.plan_retired")
DOCUMENT_CHUNKED = Channel(ingestion.DocumentChunked, _BATCHES, "loopline.ingestion.v1.document_chunked", True)
CHUNKS_EMBEDDED = Channel(embedding.ChunksEmbedded, "EMBEDDING_BATCHES", "loopline.embedding.v1.chunks_embedded", True)
CHUNKS_INDEXED = Channel(retrieval.ChunksIndexed, "RETRIEVAL", "loopline.retrieval.v1.chunks_indexed", True)
INDEX_SWITCHED = Channel(retrieval.IndexSwitched, "RETRIEVAL", "loopline.retrieval.v1.index_switched")
QUERY_SERVED = Channel(retrieval.QueryServed, "RETRIEVAL_QUERIES", "loopline.retrieval.v1.query_served")
ANSWER_STARTED = Channel(generation.AnswerStarted, "GENERATION", "loopline.generation.v1.answer_started")
ANSWER_FINISHED = Channel(generation.AnswerFinished, "GENERATION", "loopline.generation.v1.answer_finished")
ANSWER_EVALUATED = Channel(evaluation.AnswerEvaluated, "EVALUATION", "loopline.evaluation.v1.answer_evaluated")
EVALUATION_FINISHED = Channel(evaluation.EvaluationFinished, "EVALUATION", "loopline.evaluation.v1.evaluation_finished")
GATE_DECIDED = Channel(evaluation.GateDecided, "EVALUATION", "loopline.evaluation.v1.gate_decided")
FEEDBACK_GIVEN = Channel(evaluation.FeedbackGiven, "EVALUATION", "loopline.evaluation.v1.feedback_given")
PREDICTION_SERVED = Channel(monitoring.PredictionServed, "MONITORING", "loopline.monitoring.v1.prediction_served")
CANARY_ANSWERED = Channel(monitoring.CanaryAnswered, "MONITORING", "loopline.monitoring.v1.canary_answered")
DRIFT_DETECTED = Channel(monitoring.DriftDetected, "MONITORING", "loopline.monitoring.v1.drift_detected")
DRIFT_CLEARED = Channel(monitoring.DriftCleared, "MONITORING", "loopline.monitoring.v1.drift_cleared")
INGESTION_DOCUMENT_ERASED = Channel(
    ingestion.DocumentErased, ERASURES, "loopline.ingestion.v1.document_erased", True, shared=True
)
RETRIEVAL_DOCUMENT_ERASED = Channel(
    retrieval.DocumentErased, ERASURES, "loopline.retrieval.v1.document_erased", True, shared=True
)
GENERATION_DOCUMENT_ERASED = Channel(
    generation.DocumentErased, ERASURES, "loopline.generation.v1.document_erased", True, shared=True
)
EVALUATION_DOCUMENT_ERASED = Channel(
    evaluation.DocumentErased, ERASURES, "loopline.evaluation.v1.document_erased", True, shared=True
)

CHANNELS: tuple[Channel[Message], ...] = (
    DOCUMENT_ACCEPTED,
    DOCUMENT_READERS_CHANGED,
    DOCUMENT_REJECTED,
    DOCUMENT_DELETED,
    DOCUMENT_ERASURE_ORDERED,
    PLAN_ADDED,
    PLAN_RETIRED,
    DOCUMENT_CHUNKED,
    CHUNKS_EMBEDDED,
    CHUNKS_INDEXED,
    INDEX_SWITCHED,
    QUERY_SERVED,
    ANSWER_STARTED,
    ANSWER_FINISHED,
    ANSWER_EVALUATED,
    FEEDBACK_GIVEN,
    EVALUATION_FINISHED,
    GATE_DECIDED,
    PREDICTION_SERVED,
    CANARY_ANSWERED,
    DRIFT_DETECTED,
    DRIFT_CLEARED,
    INGESTION_DOCUMENT_ERASED,
    RETRIEVAL_DOCUMENT_ERASED,
    GENERATION_DOCUMENT_ERASED,
    EVALUATION_DOCUMENT_ERASED,
)
CHANNEL_BY_LABEL = {channel.label: channel for channel in CHANNELS}
CHANNEL_BY_SUBJECT = {channel.subject: channel for channel in CHANNELS}
# Messages of a shared name have one layout, so that any of them reads a replay, whose subject does not say the owner.
CHANNEL_BY_NAME = {channel.name: channel for channel in CHANNELS}
ERASED = tuple(channel for channel in CHANNELS if channel.name == "document_erased")
# Who must answer an erasure.
OWNERS = tuple(channel.owner for channel in ERASED)

# Hands mostly wait, for extraction and for batches to arrive; the worker bounds what is extracted at a time.
INGESTION_EXTRACT = Durable("ingestion-extract", (DOCUMENT_ACCEPTED,), at_once=16, ack_wait_s=30)
INGESTION_LEDGER = Durable(
    "ingestion-ledger",
    (
        DOCUMENT_ACCEPTED,
        DOCUMENT_READERS_CHANGED,
        DOCUMENT_REJECTED,
        DOCUMENT_DELETED,
        DOCUMENT_ERASURE_ORDERED,
        PLAN_ADDED,
        PLAN_RETIRED,
    ),
    at_once=16,
)
# One message is one build, for as long as it takes; a process that died is relieved soon.
INGESTION_BUILD = Durable("ingestion-build", (PLAN_ADDED,), at_once=2, ack_wait_s=12)
INGESTION_PROGRESS = Durable("ingestion-progress", (CHUNKS_INDEXED,), at_once=16)
INGESTION_ERASE = Durable("ingestion-erase", (DOCUMENT_ERASURE_ORDERED,), at_once=2)
INGESTION_RECEIPTS = Durable("ingestion-receipts", ERASED, at_once=16)
INGESTION_FAILURES = Durable("ingestion-failures", (), dead_letters=True)
# More hands than a build has batches in flight, so that there is always one for what was just submitted.
EMBEDDING_EMBED = Durable("embedding-embed", (DOCUMENT_CHUNKED,), at_once=16, ack_wait_s=30)
RETRIEVAL_INDEX = Durable("retrieval-index", (CHUNKS_EMBEDDED,), at_once=8)
RETRIEVAL_DOCUMENTS = Durable(
    "retrieval-documents", (DOCUMENT_READERS_CHANGED, DOCUMENT_DELETED, PLAN_ADDED, PLAN_RETIRED), at_once=8
)
EVALUATION_SCORE = Durable("evaluation-score", (ANSWER_FINISHED,), at_once=4)
RETRIEVAL_ERASE = Durable("retrieval-erase", (DOCUMENT_ERASURE_ORDERED,), at_once=2)
GENERATION_ERASE = Durable("generation-erase", (DOCUMENT_ERASURE_ORDERED,), at_once=1)
EVALUATION_ERASE = Durable("evaluation-erase", (DOCUMENT_ERASURE_ORDERED,), at_once=1)

DURABLES: tuple[Durable, ...] = (
    INGESTION_EXTRACT,
    INGESTION_LEDGER,
    INGESTION_BUILD,
    INGESTION_PROGRESS,
    INGESTION_FAILURES,
    INGESTION_ERASE,
    INGESTION_RECEIPTS,
    EMBEDDING_EMBED,
    RETRIEVAL_INDEX,
    RETRIEVAL_DOCUMENTS,
    EVALUATION_SCORE,
    RETRIEVAL_ERASE,
    GENERATION_ERASE,
    EVALUATION_ERASE,
)

MONITORING_ANSWERS = Reader("monitoring-answers", (ANSWER_FINISHED,))
MONITORING_QUERIES = Reader("monitoring-queries", (QUERY_SERVED,))
MONITORING_DOCUMENTS = Reader("monitoring-documents", (DOCUMENT_ACCEPTED, DOCUMENT_REJECTED))
MONITORING_TEXTS = Reader("monitoring-texts", (DOCUMENT_CHUNKED,))
MONITORING_EVALUATIONS = Reader("monitoring-evaluations", (ANSWER_EVALUATED, FEEDBACK_GIVEN))
MONITORING_PREDICTIONS = Reader("monitoring-predictions", (PREDICTION_SERVED, CANARY_ANSWERED))

READERS: tuple[Reader, ...] = (
    MONITORING_ANSWERS,
    MONITORING_QUERIES,
    MONITORING_DOCUMENTS,
    MONITORING_TEXTS,
    MONITORING_EVALUATIONS,
    MONITORING_PREDICTIONS,
)


def dead_letter_subject(durable: str, event: str, tenant: str) -> str:
    """Where a message that `durable` could not finish is kept."""
    return f"{DEAD_LETTER}.{durable}.{event}.{tenant}"

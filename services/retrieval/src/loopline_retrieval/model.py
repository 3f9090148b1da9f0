"""What this service talks about: passages, where they stand, and what is known of their documents."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from loopline_runtime.errors import Invalid

MOST_K, DEFAULT_K = 100, 10
MOST_COLLECTIONS = 16
MOST_QUESTION = 8_192

# Little-endian float32, as many as the model's dimension, length 1.
Vector = bytes
# What names a chunk within its space, as its store likes it.
Row = int | str


@dataclass(frozen=True, slots=True)
class Model:
    """An embedding model, exactly."""

    name: str
    revision: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Space:
    """One index version of one collection of one tenant: what is searched together."""

    tenant: str
    collection: str
    version: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage stands in its document. Page from 1, 0: none; offsets in characters, end exclusive."""

    page: int = 0
    sheet: str = ""
    headings: tuple[str, ...] = ()
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage with its vector, as it comes in."""

    chunk_id: str
    ordinal: int
    text: str
    place: Place
    vector: Vector


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch of chunks belongs to."""

    space: Space
    document: str
    revision: int
    number: int
    count: int
    model: Model
    source: str = ""
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    readers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that one of the two queries found. `score` is cosine or BM25, higher is better; `vector` is there where the store tells it anyway."""

    row: Row
    score: float
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """How a passage came to its rank: what it is ranked by, cosine, BM25 over the question's highest, and a reranker's if one ran."""

    fused: float
    cosine: float
    keyword: float
    reranked: float | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that was found."""

    chunk_id: str
    document: str
    collection: str
    source: str
    title: str
    revision: int
    text: str
    place: Place
    metadata: Mapping[str, str]
    scores: Scores = Scores(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Progress:
    """Which batches of a revision are in, in one index version. `shown`: the last revision that was whole there; 0: none."""

    revision: int
    count: int
    seen: frozenset[int] = frozenset()
    shown: int = 0

    @property
    def complete(self) -> bool:
        """Whether the revision may answer."""
        return len(self.seen) == self.count


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a document, changed by compare-and-set only.

    `deleted`: the highest revision that was deleted. `readers` hold since the sequence `readers_since`, for revisions older than that.
    """

    deleted: int = 0
    readers_since: int = 0
    readers: frozenset[str] = frozenset()
    versions: Mapping[str, Progress] = field(default_factory=dict)

    def superseded(self, version: str, revision: int) -> bool:
        """Whether something newer than this revision is known, a deletion included."""
        progress = self.versions.get(version)
        return revision <= self.deleted or (progress is not None and revision < progress.revision)

    def readers_of(self, batch: Batch) -> frozenset[str]:
        """Who may read: what the batch says, unless that was changed since."""
        return self.readers if self.readers_since > batch.revision else batch.readers

    def with_batch(self, batch: Batch) -> "Known":
        """This batch is in."""
        before = self.versions.get(batch.space.version)
        seen = before.seen if before and before.revision == batch.revision else frozenset()
        progress = Progress(batch.revision, batch.count, seen | {batch.number}, before.shown if before else 0)
        if progress.complete:
            progress = replace(progress, shown=batch.revision)
        return replace(self, versions={**self.versions, batch.space.version: progress})

    def with_deletion(self, revision: int) -> "Known":
        """Nothing up to this revision answers any more."""
        return replace(self, deleted=max(self.deleted, revision))

    def with_erasure(self, revision: int) -> "Known":
        """Nothing up to this revision answers any more, and who might read it is forgotten."""
        erased = self.with_deletion(revision)
        return erased if self.readers_since > revision else replace(erased, readers=frozenset(), readers_since=revision)

    def with_readers(self, readers: frozenset[str], since: int) -> "Known":
        """Other readers, unless newer ones are known."""
        return self if since <= self.readers_since else replace(self, readers=readers, readers_since=since)


@dataclass(frozen=True, slots=True)
class Disk:
    """A store's bytes: how what was erased leaves its disk, and whether it has when `erase` returns."""

    how: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed of a document in one index version."""

    version: str
    chunks: int
    disk: Disk


def checked_k(k: int) -> int:
    """How many passages; 0 means the default."""
    if not 0 <= k <= MOST_K:
        raise Invalid(f"k is {k}; it may be 1 to {MOST_K}", field="k")
    return k or DEFAULT_K


def checked_question(question: str) -> str:
    """The question, or Invalid."""
    if not question.strip():
        raise Invalid("the question is blank", reason="BLANK", field="question")
    if len(question) > MOST_QUESTION:
        raise Invalid(f"the question has {len(question)} characters; at most {MOST_QUESTION}", field="question")
    return question


def checked_collections(collections: list[str]) -> list[str]:
    """The collections, each once."""
    if not 1 <= len(collections) <= MOST_COLLECTIONS:
        raise Invalid(f"name 1 to {MOST_COLLECTIONS} collections", field="collections")
    return list(dict.fromkeys(collections))


def checked_vectors(batch: Batch, chunks: list[Chunk]) -> list[Chunk]:
    """The chunks, or Invalid when a vector is not one of the batch's model."""
    for chunk in chunks:
        if len(chunk.vector) != 4 * batch.model.dimension:
            raise Invalid(
                f"chunk {chunk.chunk_id} has a vector of {len(chunk.vector)} bytes; "
                f"{batch.model.name} makes {4 * batch.model.dimension}",
                reason="WRONG_DIMENSION",
            )
    return chunks

"""What this service talks about: documents, their changes, their plans, and what became of them."""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from loopline_runtime.errors import Invalid

STRUCTURE = "structure.v1"
MOST_CHUNKS, MOST_BATCH_BYTES = 64, 600_000
# A build in which so many documents failed stops; index versions of a collection that are kept at once.
MOST_FAILED, MOST_PLANS = 20, 4
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_KEY = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class State(StrEnum):
    """Where a document stands."""

    ACCEPTED = "accepted"
    INDEXING = "indexing"
    INDEXED = "indexed"
    REJECTED = "rejected"
    FAILED = "failed"
    DELETED = "deleted"

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected to happen by itself."""
        return self not in (State.ACCEPTED, State.INDEXING)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a document was rejected: a stable word and a sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Header:
    """What a caller says of a document. `size_bytes` 0: unknown."""

    collection: str
    source: str
    content_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    readers: tuple[str, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Cutting:
    """A named way to cut text; tokens are the embedding model's."""

    name: str = STRUCTURE
    max_tokens: int = 200
    overlap_tokens: int = 40


@dataclass(frozen=True, slots=True)
class Model:
    """An embedding model, exactly."""

    name: str = "all-MiniLM-L6-v2"
    revision: str = "53aa51172d14"
    dimension: int = 384


@dataclass(frozen=True, slots=True)
class Plan:
    """How a collection's documents become vectors."""

    cutting: Cutting = Cutting()
    model: Model = Model()


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """An index version: how it is made, and whether all documents are in it. `build`: it stands beside an older one."""

    tenant: str
    collection: str
    version: str
    plan: Plan
    revision: int
    build: bool
    added_at: datetime
    built_at: datetime | None = None
    retired: bool = False

    @property
    def counts(self) -> bool:
        """Whether a document must be in it to be called indexed."""
        return not self.retired and (not self.build or self.built_at is not None)

    @property
    def building(self) -> bool:
        """Whether documents may be missing in it."""
        return not self.retired and self.build and self.built_at is None


@dataclass(frozen=True, slots=True)
class Come:
    """How far an index version has come. Documents that failed did so in this version alone; some of the reasons."""

    documents: int
    complete: int
    chunks: int
    failed: int = 0
    failures: tuple[Reason, ...] = ()

    @property
    def stalled(self) -> bool:
        """Whether nothing but failures is left, or so many that the plan itself must be wrong."""
        return self.failed > 0 and self.failed >= min(MOST_FAILED, self.documents - self.complete)


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents that are searched together, and its newest finished plan. `revision`: sequence of the fact that says so."""

    tenant: str
    name: str
    index_version: str = "v1"
    plan: Plan = Plan()
    expectations_json: str = ""
    revision: int = 0
    document_count: int = 0
    build: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the ledger knows it."""

    tenant: str
    document_id: str
    collection: str
    source: str
    version: str
    revision: int
    state: State
    accepted_at: datetime
    changed_at: datetime
    reasons: tuple[Reason, ...] = ()
    batches_indexed: int = 0
    batch_count: int = 0
    chunk_count: int = 0
    size_bytes: int = 0
    content_type: str = ""
    upload_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage stands. Page from 1, 0: none; offsets in characters of the extracted text, end exclusive."""

    page: int = 0
    sheet: str = ""
    headings: tuple[str, ...] = ()
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """One passage, small enough to embed."""

    ordinal: int
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Work:
    """A document to extract: its bytes lie in a file."""

    path: str
    source: str
    content_type: str
    metadata: Mapping[str, str]
    cutting: Cutting = Cutting()
    expectations_json: str = ""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a document says, cut."""

    title: str
    content_type: str
    cuts: tuple[Cut, ...]
    characters: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a document says nothing to us."""

    reasons: tuple[Reason, ...]


def document_id_of(tenant: str, collection: str, source: str) -> str:
    """32 hex digits, the same for the same place."""
    return hashlib.sha256("\0".join((tenant, collection, source)).encode()).hexdigest()[:32]


def version_of(sha256: str, content_type: str, metadata: Mapping[str, str]) -> str:
    """32 hex digits of what a document says; who may read it is not part of that."""
    said = json.dumps([sha256, content_type, sorted(metadata.items())], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def chunk_id_of(document_id: str, version: str, index_version: str, ordinal: int) -> str:
    """The same work gives the same chunk."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{document_id}/{version}/{index_version}/{ordinal}"))


def chunks_sha256_of(document_id: str, version: str, index_version: str, count: int) -> str:
    """What names all chunks of a document in an index version: SHA-256 over the sorted ids, each with a line feed."""
    ids = sorted(chunk_id_of(document_id, version, index_version, ordinal) for ordinal in range(count))
    return hashlib.sha256("".join(f"{one}\n" for one in ids).encode()).hexdigest()


def next_version(versions: Sequence[str]) -> str:
    """The name of the next index version: no name is used twice."""
    return f"v{max((int(name[1:]) for name in versions), default=0) + 1}"


def batches_of(cuts: Sequence[Cut]) -> list[list[Cut]]:
    """At most 64 chunks and 600 kB of text each, in order."""
    batches: list[list[Cut]] = []
    size = 0
    for cut in cuts:
        length = len(cut.text.encode())
        if not batches or len(batches[-1]) == MOST_CHUNKS or size + length > MOST_BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(cut)
        size += length
    return batches


def checked_collection(name: str) -> str:
    """The name, or Invalid."""
    if not _NAME.fullmatch(name):
        raise Invalid(f"a collection's name is 1 to 63 of a-z, 0-9 and -, not {name[:80]!r}", field="collection")
    return name


def checked(header: Header, most_bytes: int) -> Header:
    """The header, or Invalid naming the field. A source is only a name: whatever path it spells, no file is opened by it."""
    checked_collection(header.collection)
    if not 1 <= len(header.source) <= 1024 or _CONTROL.search(header.source) or not header.source.strip():
        raise Invalid("a source is 1 to 1,024 characters, none of them a control character", field="source")
    if header.size_bytes > most_bytes:
        raise Invalid(
            f"{header.size_bytes} bytes; at most {most_bytes} are taken", reason="TOO_LARGE", field="size_bytes"
        )
    if len(header.metadata) > 64 or any(not _KEY.fullmatch(key) for key in header.metadata):
        raise Invalid(
            "metadata has at most 64 keys of letters, digits, _ . -, beginning with a letter or _", field="metadata"
        )
    if any(len(value.encode()) > 4096 for value in header.metadata.values()):
        raise Invalid("a value of metadata has at most 4 KiB", field="metadata")
    if len(header.readers) > 256 or any(not reader.strip() or len(reader) > 256 for reader in header.readers):
        raise Invalid("at most 256 readers, none blank, none over 256 characters", field="readers")
    return header


def checked_plan(plan: Plan) -> Plan:
    """The plan, or Invalid naming the field."""
    cutting = plan.cutting
    if cutting.name != STRUCTURE:
        raise Invalid(f"no way of cutting is named {cutting.name}; there is {STRUCTURE}", field="plan.cutting.name")
    if not 16 <= cutting.max_tokens <= 256:
        raise Invalid("max_tokens is 16 to 256, which is all that the model reads", field="plan.cutting.max_tokens")
    if not 0 <= cutting.overlap_tokens <= cutting.max_tokens // 2:
        raise Invalid("overlap_tokens is at most half of max_tokens", field="plan.cutting.overlap_tokens")
    return plan

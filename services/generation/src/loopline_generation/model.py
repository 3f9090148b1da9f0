"""What this service talks about: questions, passages, and answers step by step."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

ERASED = "ERASED: a document that it quotes was erased"


class Grounding(StrEnum):
    """How strictly an answer is held to its sources."""

    OFF = "off"
    MARK = "mark"
    STRICT = "strict"


class Engine(StrEnum):
    """Who answers: a language model, or the passages themselves."""

    CHAT = "chat"
    QUOTE = "quote"


class Outcome(StrEnum):
    """How an answer ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: role system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model chooses its words; None leaves it to the service."""

    max_tokens: int = 0
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    # Binds the output: a JSON Schema, or a grammar in the server's language (TGI: a regular expression; llama.cpp: GBNF).
    json_schema: str = ""
    grammar: str = ""

    @property
    def bound(self) -> bool:
        """Whether the output must have a form."""
        return bool(self.json_schema or self.grammar)


@dataclass(frozen=True, slots=True)
class Ask:
    """A question and how to answer it. Empty fields take the service's settings."""

    tenant: str
    question: str
    messages: tuple[Message, ...] = ()
    collections: tuple[str, ...] = ()
    filter: str = ""
    principals: tuple[str, ...] = ()
    k: int = 0
    model: str = ""
    sampling: Sampling = Sampling()
    prompt: str = ""
    prompt_version: str = ""
    grounding: Grounding | None = None
    engine: Engine | None = None
    conversation_id: str = ""
    # Instead of what is installed and what serves: a prompt file's text, index versions as collection=version.
    prompt_text: str = ""
    indexes: tuple[str, ...] = ()
    # The evaluation run it is asked for.
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage stands in its document."""

    page: int = 0
    sheet: str = ""
    headings: tuple[str, ...] = ()
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage an answer may cite."""

    chunk_id: str
    document: str
    collection: str
    source: str
    title: str
    revision: int
    text: str
    place: Place = Place()
    metadata: Mapping[str, str] = field(default_factory=dict)
    score: float = 0.0
    cosine: float = 0.0
    keyword: float = 0.0


@dataclass(frozen=True, slots=True)
class Searched:
    """What retrieval found. `indexes`: collection=version, sorted."""

    passages: tuple[Passage, ...]
    indexes: tuple[str, ...]
    embedding_model: str
    embedding_revision: str


@dataclass(frozen=True, slots=True)
class Versions:
    """What made the answer."""

    prompt: str = ""
    prompt_version: str = ""
    prompt_hash: str = ""
    engine: str = ""
    model: str = ""
    model_revision: str = ""
    # What served it, with its limits, as it says itself.
    model_server: str = ""
    indexes: tuple[str, ...] = ()
    embedding_model: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What it cost; `cost` None without prices."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds, by a monotonic clock."""

    search_ms: float = 0.0
    first_token_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was found when the answer was checked."""

    abstained: bool = False
    grounding: Grounding = Grounding.OFF
    sentences: int = 0
    supported: int = 0
    invalid_citations: tuple[int, ...] = ()
    replaced: int = 0
    answerability: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    """One [n] of the answer, and the words it stands on."""

    number: int
    chunk_id: str
    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class Started:
    """The answer has begun."""

    answer_id: str
    trace_id: str
    versions: Versions
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The passages it may cite; the first is [1]."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """Some text, in order; `unsupported`: a mark, not a word of the model."""

    text: str
    unsupported: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Still working."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer has ended."""

    outcome: Outcome
    text: str
    usage: Usage
    timings: Timings
    verdicts: Verdicts
    citations: tuple[Citation, ...]
    versions: Versions
    error: str = ""


Step = Started | Sources | Token | Heartbeat | Finished


@dataclass(frozen=True, slots=True)
class Record:
    """An answer as it is kept. `outcome` None while it is being given. `started_at` in seconds since 1970."""

    answer_id: str
    tenant: str
    question: str
    collections: tuple[str, ...]
    conversation_id: str
    trace_id: str
    started_at: float
    versions: Versions
    outcome: Outcome | None = None
    text: str = ""
    passages: tuple[Passage, ...] = ()
    citations: tuple[Citation, ...] = ()
    usage: Usage = Usage()
    timings: Timings = Timings()
    verdicts: Verdicts = Verdicts()
    error: str = ""
    prompt: tuple[Message, ...] = ()
    run_id: str = ""

    @classmethod
    def begun(cls, ask: Ask, answer_id: str, trace_id: str, at: float, versions: Versions) -> Self:
        """Of a question that is about to be answered."""
        place = (ask.conversation_id, trace_id, at, versions)
        return cls(answer_id, ask.tenant, ask.question, ask.collections, *place, run_id=ask.run_id)


@dataclass(frozen=True, slots=True)
class Order:
    """A document must leave no trace, up to a revision."""

    tenant: str
    document: str
    collection: str
    revision: int


@dataclass(frozen=True, slots=True)
class Erased:
    """How many answers lost their words, and how many turns of conversations were removed."""

    answers: int
    turns: int


@dataclass(frozen=True, slots=True)
class Disk:
    """How bytes of what was erased leave the disk, and whether they have."""

    how: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing that was looked for, removed and looked for again."""

    what: str
    where: str
    count: int
    verified: str
    disk: Disk


def quotes(record: Record, document: str, revision: int) -> bool:
    """Whether an answer was given passages of a document up to a revision."""
    return any(passage.document == document and passage.revision <= revision for passage in record.passages)


def scrubbed(record: Record) -> Record:
    """An answer without its words: what it cost and when it was remains."""
    return replace(record, text="", passages=(), citations=(), prompt=(), error=ERASED)

"""What this service talks about: questions, passages, and answers step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from loopline_runtime.errors import Invalid

ERASED = "ERASED: a document that it quotes was erased"
MOST_K, MOST_TOKENS, MOST_MESSAGES, MOST_QUESTION, MOST_PROMPT = 50, 4096, 100, 8192, 32_768
_ROLES = ("system", "user", "assistant")


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


def checked(ask: Ask) -> Ask:
    """The question with its collections, or Invalid naming the field. Messages end in the question."""
    question = ask.messages[-1].content if ask.messages and not ask.question else ask.question
    if not question.strip():
        raise Invalid("the question is blank", reason="BLANK", field="question")
    if len(question) > MOST_QUESTION:
        raise Invalid(f"the question has {len(question)} characters; at most {MOST_QUESTION}", field="question")
    _check_messages(ask.messages)
    if not 0 <= ask.k <= MOST_K:
        raise Invalid(f"k is {ask.k}; it may be 1 to {MOST_K}", field="k")
    _check_sampling(ask.sampling)
    if len(ask.prompt_text) > MOST_PROMPT:
        raise Invalid(f"a prompt has at most {MOST_PROMPT} characters", field="overrides.prompt_text")
    if any("=" not in index for index in ask.indexes):
        raise Invalid("an index version is named as collection=version", field="overrides.indexes")
    if len(ask.run_id) > 64:
        raise Invalid("a run's id has at most 64 characters", field="run_id")
    if len(ask.conversation_id) > 128:
        raise Invalid("a conversation's id has at most 128 characters", field="conversation_id")
    return replace(ask, question=question, collections=tuple(ask.collections) or ("default",))


def _check_messages(messages: Sequence[Message]) -> None:
    if len(messages) > MOST_MESSAGES:
        raise Invalid(f"{len(messages)} messages; at most {MOST_MESSAGES}", field="messages")
    if any(message.role not in _ROLES for message in messages):
        raise Invalid(f"a role is one of {', '.join(_ROLES)}", field="messages")
    if messages and messages[-1].role != "user":
        raise Invalid("the last message is the user's question", field="messages")


def _check_sampling(sampling: Sampling) -> None:
    if not 0 <= sampling.max_tokens <= MOST_TOKENS:
        raise Invalid(f"max_tokens is 1 to {MOST_TOKENS}", field="sampling.max_tokens")
    if sampling.temperature is not None and not 0 <= sampling.temperature <= 2:
        raise Invalid("temperature is 0 to 2", field="sampling.temperature")
    if sampling.top_p is not None and not 0 < sampling.top_p <= 1:
        raise Invalid("top_p is above 0, up to 1", field="sampling.top_p")

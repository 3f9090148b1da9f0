"""What this service needs from the world."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from loopline_generation.model import Ask, Disk, Erased, Message, Order, Record, Sampling, Searched, Usage, Versions


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model a server serves, as it says itself; `server`: what serves it, with its limits."""

    name: str = ""
    revision: str = ""
    server: str = ""
    is_tgi: bool = False

    def noted_in(self, versions: Versions) -> Versions:
        """The versions of an answer it made."""
        model = versions.model or self.name
        return replace(versions, model=model, model_revision=self.revision, model_server=self.server)


@dataclass(frozen=True, slots=True)
class Delta:
    """Some of what a model says; usage and who serves come when they are known."""

    text: str = ""
    usage: Usage | None = None
    served: ModelInfo | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file. `hash`: SHA-256 hex. Templates hold {{passages}} and {{question}}."""

    name: str
    version: str
    hash: str
    system: str
    user: str


class Searcher(Protocol):
    """The retrieval service."""

    async def search(self, ask: Ask, question: str, k: int) -> Searched:
        """Passages, best first."""
        ...


class Embedder(Protocol):
    """The embedding service."""

    async def embed(self, texts: Sequence[str], model: str, revision: str) -> list[bytes]:
        """Vectors of length 1, little-endian float32, in order."""
        ...


class Chat(Protocol):
    """A language model."""

    def stream(self, messages: Sequence[Message], model: str, sampling: Sampling) -> AsyncIterator[Delta]:
        """Who says it, then what, bit by bit. Overloaded, Invalid, TimedOut or Unavailable, also in mid-stream. Closing it stops the model."""
        ...


class Prompts(Protocol):
    """The prompt files."""

    def get(self, name: str, version: str) -> Prompt:
        """One; the newest when no version is named. Invalid when there is none."""
        ...

    def read(self, text: str) -> Prompt:
        """One from a file's text, named `override`. Invalid when it is none."""
        ...


class Records(Protocol):
    """Answers and conversations."""

    async def put(self, record: Record) -> None:
        """Keeps an answer as far as it has come."""
        ...

    async def get(self, tenant: str, answer_id: str) -> Record | None:
        """One of a tenant's."""
        ...

    async def unfinished(self, before: float) -> list[Record]:
        """Answers that were begun before that time (seconds since 1970) and not ended."""
        ...

    async def forget(self, before: float) -> int:
        """Removes answers and turns older than a time (seconds since 1970)."""
        ...

    async def remember(self, tenant: str, document: str, revision: int) -> None:
        """From now on nothing that quotes the document up to this revision is kept with its words."""
        ...

    async def affected(self, tenant: str, document: str, revision: int) -> list[str]:
        """The ids of answers that hold words of it: they quote it, or follow on one that does."""
        ...

    async def erase(self, tenant: str, document: str, revision: int) -> Erased:
        """Takes the words out of those, and removes their conversations."""
        ...

    async def cleaned(self, record: Record) -> Record:
        """The record, without its words when it quotes what was erased."""
        ...

    async def settle(self) -> Disk:
        """Has the bytes of what was erased leave the disk, where that can be done."""
        ...

    async def turns(self, tenant: str, conversation_id: str) -> list[Message]:
        """A conversation, oldest first; empty when there is none."""
        ...

    async def add_turns(self, tenant: str, conversation_id: str, turns: Sequence[Message], at: float) -> None:
        """Adds to a conversation."""
        ...

    async def forget_conversation(self, tenant: str, conversation_id: str) -> None:
        """Removes it."""
        ...


class Facts(Protocol):
    """What was said of answers, as the bus holds it."""

    async def erase(self, order: Order, answers: Sequence[str]) -> list[tuple[str, str, int]]:
        """Removes what quotes the document, and all about these answers; says what, where and how many."""
        ...

    async def left(self, order: Order, answers: Sequence[str]) -> int:
        """How many there are."""
        ...


class Announcer(Protocol):
    """Who says answer_started and answer_finished, sooner or later; never waits for the bus."""

    async def started(self, record: Record) -> None:
        """An answer was begun."""
        ...

    async def finished(self, record: Record) -> None:
        """An answer ended."""
        ...

    async def erase(self, order: Order, answers: Sequence[str]) -> int:
        """What waits to be said loses its words where it quotes the document or is about one of these answers; says how many."""
        ...

"""In memory, for unit tests."""

import asyncio
import math
import struct
from collections.abc import AsyncGenerator, Sequence

from loopline_generation.model import Ask, Message, Passage, Record, Sampling, Searched, Usage
from loopline_generation.ports import Delta, ModelInfo


class FakeSearcher:
    """Gives the passages it was made with; remembers what was looked for; fails with `fails`."""

    def __init__(self, *texts: str) -> None:
        self.passages = tuple(
            Passage(f"c{n}", f"d{n}", "default", f"d{n}.md", f"Title {n}", n, text) for n, text in enumerate(texts, 1)
        )
        self.asked: list[str] = []
        self.fails: Exception | None = None

    async def search(self, ask: Ask, question: str, k: int) -> Searched:
        """See the port."""
        self.asked.append(question)
        if self.fails:
            raise self.fails
        return Searched(self.passages, ("default=v1",), "words", "r1")


class FakeEmbedder:
    """A text's vector counts its letters: alike texts are near."""

    async def embed(self, texts: Sequence[str], model: str, revision: str) -> list[bytes]:
        """See the port."""
        return [_letters(text) for text in texts]


def _letters(text: str) -> bytes:
    counts = [text.lower().count(letter) + 0.01 for letter in "abcdefghijklmnopqrstuvwxyz"]
    length = math.sqrt(sum(count * count for count in counts))
    return struct.pack("<26f", *(count / length for count in counts))


class FakeChat:
    """Says its words one by one, `pause_s` before each; `fails` behind the last one; notes whether it was closed early."""

    def __init__(self, text: str = "", *, pause_s: float = 0.0, fails: Exception | None = None) -> None:
        self.words = [word + " " for word in text.split(" ")] if text else []
        self.pause_s = pause_s
        self.fails = fails
        self.asked: list[Sequence[Message]] = []
        self.cut_short = False

    async def stream(self, messages: Sequence[Message], model: str, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        """See the port."""
        self.asked.append(messages)
        done = False
        try:
            yield Delta(served=ModelInfo("fake-model", "r7", "fake"))
            for word in self.words:
                await asyncio.sleep(self.pause_s)
                yield Delta(word)
            if self.fails:
                raise self.fails
            yield Delta(usage=Usage(10, len(self.words)))
            done = True
        finally:
            self.cut_short = not done


class FakeRecords:
    """The port `Records`."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.said: dict[tuple[str, str], list[Message]] = {}

    async def put(self, record: Record) -> None:
        """See the port."""
        self.records[record.answer_id] = record

    async def get(self, tenant: str, answer_id: str) -> Record | None:
        """See the port."""
        found = self.records.get(answer_id)
        return found if found and found.tenant == tenant else None

    async def unfinished(self, before: float) -> list[Record]:
        """See the port."""
        return [record for record in self.records.values() if record.outcome is None and record.started_at < before]

    async def forget(self, before: float) -> int:
        """See the port."""
        old = [key for key, record in self.records.items() if record.started_at < before]
        for key in old:
            del self.records[key]
        return len(old)

    async def cleaned(self, record: Record) -> Record:
        """See the port."""
        return record

    async def turns(self, tenant: str, conversation_id: str) -> list[Message]:
        """See the port."""
        return list(self.said.get((tenant, conversation_id), []))

    async def add_turns(self, tenant: str, conversation_id: str, turns: Sequence[Message], at: float) -> None:
        """See the port."""
        self.said.setdefault((tenant, conversation_id), []).extend(turns)

    async def forget_conversation(self, tenant: str, conversation_id: str) -> None:
        """See the port."""
        self.said.pop((tenant, conversation_id), None)


class FakeAnnouncer:
    """The port `Announcer`."""

    def __init__(self) -> None:
        self.begun: list[Record] = []
        self.ended: list[Record] = []

    async def started(self, record: Record) -> None:
        """See the port."""
        self.begun.append(record)

    async def finished(self, record: Record) -> None:
        """See the port."""
        self.ended.append(record)

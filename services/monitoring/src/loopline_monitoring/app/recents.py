"""The last facts: their ids, so that a repeat changes nothing, and their questions, to be shown as examples. Of fixed size."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgpack

CHUNK: Final = 512
CHUNKS: Final = 40
LONGEST_QUESTION: Final = 300


class Recents:
    """A ring of chunks; only the chunk that is being filled changes."""

    def __init__(self) -> None:
        self._chunks: list[list[tuple[str, str, str]]] = [[] for _ in range(CHUNKS)]
        self._at = 0
        self._ids: set[str] = set()
        self._questions: dict[tuple[str, str], str] = {}
        self._changed: set[int] = set()

    def add(self, event_id: str, tenant: str, about: str, question: str) -> bool:
        """Notes a fact; False when it was there already."""
        name = f"{tenant}/{event_id}"
        if not event_id or name in self._ids:
            return not event_id
        chunk = self._chunks[self._at]
        if len(chunk) >= CHUNK:
            self._at = (self._at + 1) % CHUNKS
            chunk = self._chunks[self._at]
            self._forget(chunk)
        place = f"{tenant}/{about}"
        chunk.append((name, place, question[:LONGEST_QUESTION]))
        self._ids.add(name)
        if question:
            self._questions[tenant, about] = question[:LONGEST_QUESTION]
        self._changed.add(self._at)
        return True

    def questions(self, tenant: str, abouts: Iterable[str]) -> tuple[str, ...]:
        """The questions of these answers or queries, as far as they are known still."""
        found = (self._questions.get((tenant, about), "") for about in abouts)
        return tuple(dict.fromkeys(question for question in found if question))

    def _forget(self, chunk: list[tuple[str, str, str]]) -> None:
        for name, place, _ in chunk:
            self._ids.discard(name)
            tenant, _, about = place.partition("/")
            self._questions.pop((tenant, about), None)
        chunk.clear()

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """The chunks that changed since this was asked last."""
        for number in sorted(self._changed):
            yield str(number), msgpack.packb([number == self._at, self._chunks[number]])
        self._changed.clear()

    def restore(self, number: str, data: bytes) -> None:
        """One chunk back."""
        filling, chunk = msgpack.unpackb(data)
        place = int(number)
        self._chunks[place] = [tuple(entry) for entry in chunk]
        if filling and len(chunk) < CHUNK:
            self._at = place
        for name, about, question in chunk:
            self._ids.add(name)
            if question:
                tenant, _, rest = about.partition("/")
                self._questions[tenant, rest] = question

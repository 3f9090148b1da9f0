"""Small shared state with compare-and-set, in a JetStream key-value bucket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nats.js.errors import KeyDeletedError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from loopline_contracts.streams import Bucket
from loopline_nats.foreign import translated
from loopline_runtime.errors import Aborted

if TYPE_CHECKING:
    from loopline_nats.line import Line


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and the revision to compare with when changing it."""

    value: bytes
    revision: int


class Entries:
    """One bucket. Keys are `[-/_=.a-zA-Z0-9]+`."""

    def __init__(self, line: "Line", bucket: Bucket) -> None:
        self._line = line
        self._bucket = bucket
        self._opened: KeyValue | None = None

    async def store(self) -> KeyValue:
        """The bucket of the nats client, opened once."""
        if self._opened is None:
            with translated(f"bucket {self._bucket}"):
                self._opened = await self._line.jetstream.key_value(self._bucket)
        return self._opened

    async def get(self, key: str) -> Entry | None:
        """The entry, or None when there is none (any more)."""
        store = await self.store()
        with translated(f"bucket {self._bucket}"):
            try:
                found = await store.get(key)
            except (KeyNotFoundError, KeyDeletedError):
                return None
        return Entry(found.value or b"", found.revision or 0)

    async def put(self, key: str, value: bytes) -> int:
        """Writes whatever was there; returns the new revision."""
        store = await self.store()
        with translated(f"bucket {self._bucket}"):
            return await store.put(key, value)

    async def put_if(self, key: str, value: bytes, revision: int) -> int:
        """Writes when the entry still has `revision` (0: there is none). Aborted when somebody else was faster."""
        store = await self.store()
        with translated(f"bucket {self._bucket}"):
            try:
                if revision == 0:
                    return await store.create(key, value)
                return await store.update(key, value, last=revision)
            except KeyWrongLastSequenceError as error:
                raise Aborted(f"{key} changed meanwhile") from error

    async def delete(self, key: str) -> None:
        """Removes the entry; its bytes stay on disk until the bucket's stream drops them."""
        store = await self.store()
        with translated(f"bucket {self._bucket}"):
            await store.delete(key)

    async def items(self, under: str = ">") -> AsyncIterator[tuple[str, Entry]]:
        """All entries, or those under a subject filter, with their keys."""
        store = await self.store()
        with translated(f"bucket {self._bucket}"):
            watcher: Any = await store.watch(under, ignore_deletes=True)
            try:
                async for entry in watcher:
                    if entry is None:  # all present entries were read
                        break
                    yield entry.key, Entry(entry.value or b"", entry.revision or 0)
            finally:
                await watcher.stop()

    async def keys(self, under: str = ">") -> list[str]:
        """All keys, or those under a subject filter (`acme.*`, `acme.>`)."""
        store = await self.store()
        found: list[str] = []
        with translated(f"bucket {self._bucket}"):
            watcher: Any = await store.watch(under, ignore_deletes=True, meta_only=True)
            async for entry in watcher:
                if entry is None:  # all present keys were read
                    break
                found.append(entry.key)
            await watcher.stop()
        return found

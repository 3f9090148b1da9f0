"""Raw bytes beside the bus: an object store that streams through a file and leaves nothing half-written."""

import asyncio
import base64
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from nats.js.errors import NotFoundError, ObjectDeletedError
from nats.js.object_store import ObjectStore

from loopline_contracts.streams import Bucket
from loopline_nats.erasing import erase
from loopline_nats.foreign import translated
from loopline_runtime.errors import NotFound

if TYPE_CHECKING:
    from loopline_nats.line import Line

PART_BYTES = 256 * 1024
# One object's way to or from the store; 100 MB take about a second.
TRANSFER_S = 120.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written. `sha256` in hex."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Named:
    """An object in the bucket. `age_s`: seconds since it was completed."""

    name: str
    size_bytes: int
    age_s: float


class Objects:
    """One bucket. An object appears whole or not at all; a name is written once."""

    def __init__(self, line: "Line", bucket: Bucket = Bucket.UPLOADS) -> None:
        self._line = line
        self._bucket = bucket

    async def _store(self) -> ObjectStore:
        with translated(f"object store {self._bucket}"):
            return await self._line.jetstream.object_store(self._bucket.value)

    async def put(
        self,
        name: str,
        parts: AsyncIterator[bytes],
        turn: AbstractAsyncContextManager[object] = nullcontext(),  # noqa: B008 - holds nothing
    ) -> Stored:
        """Writes an object from parts of any size; memory holds one part. Nothing is stored when the source fails.

        The bus is given it within `turn`, once all parts are here.
        """
        digest, size = hashlib.sha256(), 0
        with tempfile.TemporaryFile() as spool:
            async for part in parts:
                digest.update(part)
                size += len(part)
                await asyncio.to_thread(spool.write, part)
            spool.seek(0)
            store = await self._store()
            async with turn:
                with translated(f"storing {name}"):
                    # Shielded: a transfer that is cut leaves parts nobody can name; a whole object nobody names is swept.
                    await asyncio.shield(asyncio.wait_for(store.put(name, spool), TRANSFER_S))
        return Stored(size, digest.hexdigest())

    async def get(self, name: str) -> AsyncIterator[bytes]:
        """Yields the object's bytes in parts of 256 KiB, checked against their digest. NotFound when there is none."""
        with tempfile.TemporaryFile() as spool:
            await self.copy(name, spool)
            spool.seek(0)
            while part := await asyncio.to_thread(spool.read, PART_BYTES):
                yield part

    async def copy(self, name: str, into: IO[bytes]) -> None:
        """Writes the object's bytes into an open file. NotFound when there is none."""
        store = await self._store()
        with translated(f"reading {name}"):
            try:
                await asyncio.wait_for(store.get(name, writeinto=into), TRANSFER_S)  # type: ignore[arg-type]
            except (NotFoundError, ObjectDeletedError) as error:
                raise NotFound(f"no object {name}") from error

    async def delete(self, name: str) -> None:
        """Removes an object and overwrites its bytes on disk; removing one that is not there is fine."""
        store = await self._store()
        with translated(f"removing {name}"):
            try:
                info = await store.get_info(name, show_deleted=True)
            except NotFoundError:
                return
        stream, named = f"OBJ_{self._bucket}", base64.urlsafe_b64encode(name.encode()).decode()
        # Its parts first: as long as it has its name, a removal that was cut can be repeated.
        for subject in (f"$O.{self._bucket}.C.{info.nuid}", f"$O.{self._bucket}.M.{named}"):
            await erase(self._line, stream, [subject])

    async def has(self, name: str) -> bool:
        """Whether there is such an object, whole or in removal."""
        store = await self._store()
        with translated(f"looking for {name}"):
            try:
                await store.get_info(name, show_deleted=True)
            except NotFoundError:
                return False
        return True

    async def names(self) -> list[Named]:
        """All objects."""
        store = await self._store()
        with translated(f"listing {self._bucket}"):
            try:
                infos = await store.list()
            except NotFoundError:
                return []
        now = datetime.now(UTC)
        return [
            Named(
                info.name,
                info.size or 0,
                (now - datetime.fromisoformat(info.mtime)).total_seconds() if info.mtime else 0,
            )
            for info in infos
            if not info.deleted
        ]

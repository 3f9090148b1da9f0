"""The embedded store: a folder of SQLite files, one per space, owned by one process."""

import asyncio
import fcntl
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from loopline_retrieval.adapters.sqlite_space import SqliteSpace
from loopline_retrieval.filters import Filter
from loopline_retrieval.model import Batch, Chunk, Disk, Hit, Passage, Row, Space, Vector
from loopline_retrieval.versions import Held
from loopline_runtime.errors import Rejected, Unavailable

T = TypeVar("T")
THREADS = 6
OVERWRITTEN = Disk("overwritten (secure_delete, the index of words written anew, its log emptied)", gone=True)


class SqliteStore:
    """The port `Store`; SQLite runs in threads of its own."""

    def __init__(self, folder: Path, threads: ThreadPoolExecutor) -> None:
        self._folder = folder
        self._threads = threads
        self._open: dict[Space, SqliteSpace] = {}
        self._opening = threading.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path) -> AsyncIterator["SqliteStore"]:
        """Locks the folder. Rejected when another process holds it."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock, ThreadPoolExecutor(THREADS, "index") as threads:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Rejected(
                    f"another process holds the index {folder}; the embedded store has one process only"
                ) from error
            store = cls(folder, threads)
            try:
                yield store
            finally:
                for space in store._open.values():
                    space.close()

    async def put(self, batch: Batch, chunks: Sequence[Chunk], readers: frozenset[str]) -> None:
        """See the port."""
        await self._run(lambda: self._made(batch.space, batch.model.dimension).put(batch, chunks, readers))

    async def show(self, space: Space, document: str, revision: int) -> None:
        """See the port."""
        await self._in(space, lambda found: found.show(document, revision), None)

    async def remove(self, space: Space, document: str, up_to: int) -> None:
        """See the port."""
        await self._in(space, lambda found: found.remove(document, up_to), None)

    async def drop(self, space: Space, document: str, revision: int) -> None:
        """See the port."""
        await self._in(space, lambda found: found.drop(document, revision), None)

    async def highest(self) -> int:
        """See the port."""
        names = [path.relative_to(self._folder).with_suffix("").parts for path in self._folder.glob("*/*/*.db")]
        return max([await self._in(Space(*name), lambda found: found.highest(), 0) for name in names], default=0)

    async def left(self, space: Space, document: str, up_to: int) -> int:
        """See the port."""
        return await self._in(space, lambda found: found.left(document, up_to), 0)

    async def erase(self, space: Space, document: str, up_to: int) -> Disk:
        """See the port."""
        await self._in(space, lambda found: found.erase(document, up_to), None)
        return OVERWRITTEN

    async def set_readers(self, space: Space, document: str, readers: frozenset[str], before: int) -> None:
        """See the port."""
        await self._in(space, lambda found: found.set_readers(document, readers, before), None)

    async def discard(self, space: Space) -> None:
        """See the port."""
        await self._run(lambda: self._discarded(space))

    async def nearest(
        self, space: Space, vector: Vector, limit: int, where: Filter | None, principals: frozenset[str]
    ) -> list[Hit]:
        """See the port."""
        return await self._in(space, lambda found: found.nearest(vector, limit, where, principals), [])

    async def keyword(
        self, space: Space, question: str, limit: int, where: Filter | None, principals: frozenset[str]
    ) -> list[Hit]:
        """See the port."""
        return await self._in(space, lambda found: found.keyword(question, limit, where, principals), [])

    async def cosines(self, space: Space, vector: Vector, hits: Sequence[Hit]) -> dict[Row, float]:
        """See the port."""
        return await self._in(space, lambda found: found.cosines(vector, [hit.row for hit in hits]), {})

    async def passages(self, space: Space, rows: Sequence[Row]) -> dict[Row, Passage]:
        """See the port."""
        return await self._in(space, lambda found: found.passages(rows), {})

    async def sample(self, space: Space, count: int, seed: int, principals: frozenset[str]) -> list[Passage]:
        """See the port."""
        return await self._in(space, lambda found: found.sample(count, seed, principals), [])

    async def held(self, space: Space) -> AsyncIterator[Held]:
        """See the port."""
        nothing: list[Held] = []
        for held in await self._in(space, lambda found: found.held(), nothing):
            yield held

    async def ready(self) -> None:
        """See the port."""
        if not self._folder.is_dir():
            raise Unavailable(f"the index folder {self._folder} is gone")

    async def _in(self, space: Space, act: Callable[[SqliteSpace], T], absent: T) -> T:
        def acted() -> T:
            found = self._found(space)
            return absent if found is None else act(found)

        return await self._run(acted)

    async def _run(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    def _path(self, space: Space) -> Path:
        return self._folder / space.tenant / space.collection / f"{space.version}.db"

    def _found(self, space: Space) -> SqliteSpace | None:
        with self._opening:
            if space not in self._open and self._path(space).exists():
                opened = SqliteSpace(space, self._path(space))
                if not opened.made():  # a crash came between the file and its tables
                    opened.close()
                    return None
                self._open[space] = opened
            return self._open.get(space)

    def _discarded(self, space: Space) -> None:
        with self._opening:
            if found := self._open.pop(space, None):
                found.close()
            for ending in ("", "-wal", "-shm"):
                path = self._path(space)
                path.with_name(path.name + ending).unlink(missing_ok=True)

    def _made(self, space: Space, dimension: int) -> SqliteSpace:
        found = self._found(space)
        if found is None:
            with self._opening:
                if space not in self._open:
                    self._open[space] = SqliteSpace(space, self._path(space), dimension)
                found = self._open[space]
        return found

"""One turn after the other: facts and commands change what is watched, and what they changed is written in one transaction."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from loopline_monitoring.app.watching import Watching
from loopline_monitoring.model import Observed
from loopline_monitoring.ports import Kept, State
from loopline_runtime.errors import Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")
# After so many facts what changed is written, however quickly they came.
MOST_UNWRITTEN = 2000
AGAIN_S = (0.5, 1.0, 2.0, 5.0)


class Monitor:
    """Owns the watching; whoever changes it waits for its turn."""

    def __init__(self, watching: Watching, state: State, every_s: float) -> None:
        self.watching = watching
        self._state = state
        self._every_s = every_s
        self._turn = asyncio.Lock()
        self._places: dict[str, int] = {}
        self._unwritten = 0
        self._written_at = time.monotonic()

    async def begin(self) -> Mapping[str, int]:
        """Takes up what was kept; how far each reader had come."""
        kept = await self._state.load()
        self.watching.restore(kept.records)
        self._places = dict(kept.places)
        return kept.places

    async def hear(self, reader: str, last: int, observed: Sequence[Observed]) -> None:
        """Facts of a reader, in order, up to and with the sequence `last`."""
        async with self._turn:
            for one in observed:
                self.watching.observe(one)
            self._places[reader] = last
            self._unwritten += len(observed)
            if self._unwritten >= MOST_UNWRITTEN or time.monotonic() - self._written_at > self._every_s:
                await self._write()

    async def do(self, act: Callable[[Watching], T]) -> T:
        """A person's command; returns when its effects are written."""
        async with self._turn:
            result = act(self.watching)
            await self._write()
            return result

    async def keep(self) -> None:
        """Writes now and then, without end, so that silence is not left unwritten."""
        while True:
            await asyncio.sleep(self._every_s)
            async with self._turn:
                await self._write()

    async def _write(self) -> None:
        """All that changed, in one transaction; while the database is away nothing more is read."""
        kept, tries = Kept(self.watching.changes(), dict(self._places)), 0
        while self._unwritten or kept.records:
            try:
                await self._state.keep(kept)
                break
            except Unavailable as error:
                log.warning("the state is not written now: %s", error)
                await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
                tries += 1
        self._unwritten, self._written_at = 0, time.monotonic()

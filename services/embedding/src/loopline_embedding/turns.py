"""Whose turn it is at the model: questions go before batches, batches before those of a build, tenants in turns, all in small slices.

So a live question waits for at most one slice (about 1,200 characters: some 60 ms on one core), however much is queued.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from loopline_embedding.model import Vector

SLICE_CHARACTERS = 1200
QUESTION, BATCH, BUILD = 0, 1, 2


@dataclass(order=True)
class _Turn:
    urgency: int
    # Of its tenant; who has had fewer goes first.
    round: int
    number: int
    texts: Sequence[str] = field(compare=False)
    result: "asyncio.Future[list[Vector]]" = field(compare=False)


class Turns:
    """A queue before the model, with as many workers as threads."""

    def __init__(self, embed: Callable[[Sequence[str]], list[Vector]]) -> None:
        self._embed = embed
        self._queue: asyncio.PriorityQueue[_Turn] = asyncio.PriorityQueue()
        self._numbers = itertools.count()
        self._round = 0
        self._rounds: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def taken(cls, embed: Callable[[Sequence[str]], list[Vector]], threads: int) -> AsyncIterator["Turns"]:
        """Runs the workers until the block ends."""
        turns = cls(embed)
        with ThreadPoolExecutor(threads, thread_name_prefix="model") as pool:
            workers = [asyncio.create_task(turns._work(pool)) for _ in range(threads)]
            try:
                yield turns
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    async def question(self, text: str) -> Vector:
        """One vector, before all batches."""
        (vector,) = await self._turn(QUESTION, [text])
        return vector

    async def batch(self, texts: Sequence[str], *, tenant: str = "", build: bool = False) -> list[Vector]:
        """One vector per text, in order; sliced, texts of like length together so that little is padded."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        slices = _slices(order, texts)
        results = await asyncio.gather(
            *(self._turn(BUILD if build else BATCH, [texts[place] for place in slice_], tenant) for slice_ in slices)
        )
        vectors: list[Vector] = [b""] * len(texts)
        for slice_, result in zip(slices, results, strict=True):
            for place, vector in zip(slice_, result, strict=True):
                vectors[place] = vector
        return vectors

    async def _turn(self, urgency: int, texts: Sequence[str], tenant: str = "") -> list[Vector]:
        result: asyncio.Future[list[Vector]] = asyncio.get_running_loop().create_future()
        if self._queue.empty():
            self._rounds.clear()
        mine = self._rounds[tenant] = max(self._rounds.get(tenant, 0), self._round) + 1
        self._queue.put_nowait(_Turn(urgency, mine, next(self._numbers), texts, result))
        return await result

    async def _work(self, pool: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            turn = await self._queue.get()
            self._round = max(self._round, turn.round)
            if turn.result.done():  # whoever asked has left
                continue
            done = loop.run_in_executor(pool, self._embed, turn.texts)
            await asyncio.wait({done})
            if turn.result.done():
                continue
            if error := done.exception():
                turn.result.set_exception(error)
            else:
                turn.result.set_result(done.result())


def _slices(order: Sequence[int], texts: Sequence[str]) -> list[list[int]]:
    found: list[list[int]] = []
    size = 0
    for place in order:
        length = len(texts[place])
        if not found or size + length > SLICE_CHARACTERS:
            found.append([])
            size = 0
        found[-1].append(place)
        size += length
    return found

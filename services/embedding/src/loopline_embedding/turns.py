"""Whose turn it is at the model: questions go before batches, batches before those of a build, tenants in turns, all in small slices.

So a live question waits for at most one slice (about 1,200 characters: some 60 ms on one core), however much is queued.
"""

import asyncio
import itertools
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from loopline_embedding.model import Vector

SLICE_CHARACTERS = 1200
QUESTION, BATCH, BUILD = 0, 1, 2
# Of the thread for what nobody waits for, where threads have one of their own (Linux).
NICENESS = 5


@dataclass(order=True)
class _Turn:
    urgency: int
    # Of its tenant; who has had fewer goes first.
    round: int
    number: int
    texts: Sequence[str] = field(compare=False)
    # Made where a loop runs.
    result: "asyncio.Future[list[Vector]]" = field(
        compare=False, default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Turns:
    """A queue before the model, with as many workers as threads."""

    def __init__(self, embed: Callable[[Sequence[str]], list[Vector]]) -> None:
        self._embed = embed
        self._queue: asyncio.PriorityQueue[_Turn] = asyncio.PriorityQueue()
        self._aside: asyncio.PriorityQueue[_Turn] = asyncio.PriorityQueue()
        self._numbers = itertools.count()
        self._round = 0
        self._rounds: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def taken(cls, embed: Callable[[Sequence[str]], list[Vector]], threads: int) -> AsyncIterator["Turns"]:
        """Runs the workers until the block ends."""
        turns = cls(embed)
        with (
            ThreadPoolExecutor(threads, thread_name_prefix="model") as pool,
            ThreadPoolExecutor(1, thread_name_prefix="aside", initializer=_give_way) as aside,
        ):
            workers = [asyncio.create_task(turns._work(turns._queue, pool)) for _ in range(threads)]
            workers.append(asyncio.create_task(turns._work(turns._aside, aside)))
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

    async def aside(self, texts: Sequence[str]) -> list[Vector]:
        """One vector per text, in order, one after the other beside all turns: nobody waits for it, and it holds nobody up."""
        return [(await self._queued(self._aside, _Turn(BATCH, 0, next(self._numbers), [text])))[0] for text in texts]

    async def _turn(self, urgency: int, texts: Sequence[str], tenant: str = "") -> list[Vector]:
        if self._queue.empty():
            self._rounds.clear()
        mine = self._rounds[tenant] = max(self._rounds.get(tenant, 0), self._round) + 1
        return await self._queued(self._queue, _Turn(urgency, mine, next(self._numbers), texts))

    async def _queued(self, queue: asyncio.PriorityQueue[_Turn], turn: _Turn) -> list[Vector]:
        queue.put_nowait(turn)
        return await turn.result

    async def _work(self, queue: asyncio.PriorityQueue[_Turn], pool: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            turn = await queue.get()
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


def _give_way() -> None:
    if sys.platform == "linux":
        here = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, here, os.getpriority(os.PRIO_PROCESS, here) + NICENESS)


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

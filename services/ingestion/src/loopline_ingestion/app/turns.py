"""Tenants take turns: each has a bounded number of documents under way, and of each document one batch.

What is over the bound is put off: its message is acknowledged unworked, and it is said again, to extraction alone, when its tenant has room.
So the line behind holds little of anybody, in whatever order documents came, and nobody waits long behind another's thousands.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from loopline_ingestion.app.working import Batched
from loopline_ingestion.model import Cut, Document
from loopline_ingestion.ports import History, Plans, Waiting
from loopline_runtime.errors import LooplineError

LOOK_S, GIVE_S = 0.03, 0.2


class Turns:
    """Who may go on, in this process and in all replicas: what is under way stands in the ledger."""

    def __init__(self, waiting: Waiting, plans: Plans, history: History, *, at_once: int, lost_after_s: float) -> None:
        self._waiting = waiting
        self._plans = plans
        self._history = history
        self._at_once = at_once
        self._lost_after_s = lost_after_s
        self._moved = asyncio.Event()

    async def begins(self, document: Document, *, again: bool) -> bool:
        """Whether it is worked on now; else it waits for its turn. What is said `again` always is."""
        return again or await self._waiting.begin(document, self._at_once)

    async def paced(self, document: Document, result: Batched) -> AsyncIterator[tuple[int, Sequence[Cut]]]:
        """Its batches, each when those before it have arrived; all at once when they do not arrive for long."""
        lost = False
        for number, cuts in enumerate(result.batches):
            lost = lost or not await self._arrived(document, result, number)
            yield number, cuts

    async def _arrived(self, document: Document, result: Batched, before: int) -> bool:
        began = time.monotonic()
        while before:
            found = await self._plans.arrived(result.plan, [document.document_id])
            revision, arrived = found.get(document.document_id, (0, 0))
            if revision != document.revision or arrived >= before:
                break
            if time.monotonic() - began > self._lost_after_s:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    def moved(self) -> None:
        """Something has arrived or failed: there may be room."""
        self._moved.set()

    async def give(self) -> int:
        """The next of each tenant with room goes on."""
        documents = await self._waiting.give(self._at_once)
        for place, document in enumerate(documents):
            try:
                await self._history.work_again(document, "turn")
            except LooplineError:
                await self._waiting.take_back(documents[place:])
                raise
        return len(documents)

    async def wait(self) -> None:
        """Until there may be room."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), GIVE_S)
        self._moved.clear()

"""A new index version is filled from what is stored, a few batches at a time, until every document is in it.

What is said and what has arrived is looked up in the ledger, so a build that died goes on where it was, in whichever replica. Documents
that come or change meanwhile are made for both versions by whoever works on them; only what they left out is made here.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from loopline_ingestion.app.working import Batched, Working
from loopline_ingestion.model import Cut, Document, IndexPlan, Refused, State
from loopline_ingestion.ports import History, Plans

PAGE = 100
LOOK_S, PAUSE_S, PLAN_LOOK_S = 0.05, 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Made:
    """One batch of a document for the new version; `suffix` sets a repeat apart from the first saying."""

    document: Document
    plan: IndexPlan
    title: str
    number: int
    count: int
    cuts: list[Cut]
    suffix: str


@dataclass(frozen=True, slots=True)
class _Said:
    revision: int
    at: float
    times: int


class Building:
    """Fills index versions."""

    def __init__(
        self, plans: Plans, history: History, working: Working, *, in_flight: int, lost_after_s: float
    ) -> None:
        self._plans = plans
        self._history = history
        self._working = working
        self._in_flight = in_flight
        self._lost_after_s = lost_after_s

    async def build(self, tenant: str, collection: str, version: str, suffix: str = "") -> AsyncIterator[Made]:
        """The batches that are missing, each when there is room for it. Ends when the version is whole, retired, or stalled."""
        said: dict[str, _Said] = {}
        flight = _Flight(self._plans, self._history, self._in_flight, self._lost_after_s)
        while plan := await self._unfinished(tenant, collection, version):
            after, looked = "", 0.0
            while page := await self._plans.missing(plan, after, PAGE):
                after = page[-1].document_id
                for document in page:
                    if not await self._due(plan, document, said):
                        continue
                    before = said.get(document.document_id)
                    times = before.times + 1 if before and before.revision == document.revision else 0
                    said[document.document_id] = _Said(document.revision, time.monotonic(), times)
                    async for made in self._batches(plan, document, suffix + (f"/again-{times}" if times else "")):
                        if not await flight.room(plan):
                            return
                        yield made
                        flight.left(made)
                    if time.monotonic() - looked > PLAN_LOOK_S:
                        looked = time.monotonic()
                        if await self._unfinished(tenant, collection, version) is None:
                            return
            await asyncio.sleep(PAUSE_S)

    async def settle(self) -> None:
        """Notes which versions are whole by now, whoever made them so."""
        for plan in await self._plans.unbuilt():
            come = await self._plans.come(plan)
            if come.complete == come.documents:
                await self._plans.built(plan, datetime.now(UTC))

    async def _unfinished(self, tenant: str, collection: str, version: str) -> IndexPlan | None:
        plan = next((one for one in await self._plans.plans(tenant, collection) if one.version == version), None)
        if plan is None or not plan.building:
            return None
        come = await self._plans.come(plan)
        if come.complete == come.documents:
            await self._plans.built(plan, datetime.now(UTC))
            return None
        return None if come.stalled else plan

    async def _due(self, plan: IndexPlan, document: Document, said: dict[str, _Said]) -> bool:
        """Whether it must be made here and now."""
        before = said.get(document.document_id)
        if before and before.revision == document.revision:
            lost = time.monotonic() - before.at > self._lost_after_s
            return lost and not await self._history.under_way(document)
        if document.revision < plan.revision:
            return document.state is State.INDEXED or not await self._history.under_way(document)
        # It came after the plan, so whoever worked on it made it for this version too, unless they had not heard of it yet.
        idle_s = (datetime.now(UTC) - document.changed_at).total_seconds()
        return idle_s > self._lost_after_s and not await self._history.under_way(document)

    async def _batches(self, plan: IndexPlan, document: Document, suffix: str) -> AsyncIterator[Made]:
        result = await self._working.cut(document, plan)
        if isinstance(result, Refused):
            await self._plans.set_back(plan, document.document_id, document.revision, result.reasons)
        elif isinstance(result, Batched):
            for number, cuts in enumerate(result.batches):
                yield Made(document, plan, result.title, number, len(result.batches), cuts, suffix)


class _Flight:
    """Batches that were said and have not arrived: few, so that what was just submitted never waits behind them."""

    def __init__(self, plans: Plans, history: History, most: int, lost_after_s: float) -> None:
        self._plans = plans
        self._history = history
        self._most = most
        self._lost_after_s = lost_after_s
        # Per document: it, batches said, batches arrived.
        self._said: dict[str, tuple[Document, int, int]] = {}

    def left(self, made: Made) -> None:
        """A batch is on its way."""
        name = made.document.document_id
        arrived = self._said[name][2] if name in self._said else made.number
        self._said[name] = (made.document, made.number + 1, arrived)

    @property
    def _missing(self) -> int:
        return sum(said - arrived for _, said, arrived in self._said.values())

    async def room(self, plan: IndexPlan) -> bool:
        """Waits until one more may leave; False when the plan was retired meanwhile."""
        moved = looked = time.monotonic()
        while self._missing >= self._most:
            before = self._missing
            await self._look(plan)
            now = time.monotonic()
            if self._missing < before:
                moved = now
                continue
            if now - moved > self._lost_after_s:
                documents = [document for document, _, _ in self._said.values()]
                if not any([await self._history.under_way(document) for document in documents]):
                    self._said.clear()  # lost; they are missing still and will be made again
                moved = now
            if now - looked > PLAN_LOOK_S:
                looked = now
                found = await self._plans.plans(plan.tenant, plan.collection)
                if not any(one.version == plan.version and one.building for one in found):
                    return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _look(self, plan: IndexPlan) -> None:
        arrived = await self._plans.arrived(plan, list(self._said))
        for name, (document, said, _) in list(self._said.items()):
            revision, seen = arrived.get(name, (0, 0))
            if revision != document.revision or seen >= said:  # superseded, failed, or all here
                del self._said[name]
            else:
                self._said[name] = (document, said, seen)

"""The story of a run: claimed by one process, its rows answered and scored, said, settled.

Whoever claims a run asks first what is kept of it. A process that dies loses what was in flight, at most one call of each of its workers; the run
is claimed again when the lease is over.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog

from loopline_evaluation.datasets.choosing import chosen
from loopline_evaluation.runs.measuring import Measuring
from loopline_evaluation.runs.model import Run, State
from loopline_evaluation.runs.ports import Datasets, Runs, Target
from loopline_evaluation.runs.results import results
from loopline_evaluation.runs.summary import summary
from loopline_evaluation.runs.working import Working
from loopline_runtime.errors import LooplineError, Unavailable

LEASE_S, RENEWALS, LOOK_S = 10.0, 3, 0.5
log = structlog.get_logger(__name__)


class Running:
    """Works on runs, some side by side, as long as the process lives; the others wait their turn."""

    def __init__(
        self,
        owner: str,
        runs: Runs,
        datasets: Datasets,
        target_of: Callable[[Run], AbstractAsyncContextManager[Target]],
        measuring: Measuring,
        *,
        at_once: int = 1,
        lease_s: float = LEASE_S,
    ) -> None:
        self._owner = owner
        self._runs = runs
        self._datasets = datasets
        self._target_of = target_of
        self._measuring = measuring
        self._at_once = at_once
        self._lease_s = lease_s
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def work(self) -> None:
        """Without end: what waits, and what others left behind."""
        try:
            while True:
                try:
                    await self._fill()
                except LooplineError as error:
                    log.warning("runs cannot go on now", error=str(error))
                if self._under_way:
                    await asyncio.wait(self._under_way.values(), timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(LOOK_S)
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _fill(self) -> None:
        """Begins as many as there is room for."""
        for run_id in [run_id for run_id, task in self._under_way.items() if task.done()]:
            if error := self._under_way.pop(run_id).exception():
                log.error("a run could not be settled; it is claimed again", run=run_id, exc_info=error)
        while len(self._under_way) < self._at_once:
            run = await self._runs.claim(self._owner, time.time() + self._lease_s, time.time())
            # One of our own whose lease ran out while we worked on: it is held again.
            if run is None or run.run_id in self._under_way:
                return
            self._under_way[run.run_id] = asyncio.create_task(self._held(run))

    async def _held(self, run: Run) -> None:
        """Works while the lease is held; a run that was cancelled, or is somebody else's by now, is left alone."""
        working = asyncio.create_task(self.run(run))
        holding = asyncio.create_task(self._hold(run))
        try:
            await asyncio.wait({working, holding}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost = not working.done()
            working.cancel()
            holding.cancel()
            await asyncio.wait({working, holding})
        error = None if lost or working.cancelled() else working.exception()
        if error:
            # One run that cannot go on, for whatever reason, must not hold up the others.
            told = f"{error.reason}: {error}" if isinstance(error, LooplineError) else f"INTERNAL: {error!r}"
            log.error("a run was interrupted", run=run.run_id, error=told, exc_info=error)
            await self._runs.settle(run.run_id, State.INTERRUPTED, time.time(), told)

    async def _hold(self, run: Run) -> None:
        """Ends when the run is not ours any more."""
        while True:
            await asyncio.sleep(self._lease_s / RENEWALS)
            try:
                if not await self._runs.renew(run.run_id, self._owner, time.time() + self._lease_s):
                    return
            except Unavailable as error:
                log.warning("the lease of a run is not renewed now", run=run.run_id, error=str(error))

    async def run(self, run: Run) -> None:
        """All that is left of one run; then it is settled, and will be said."""
        rows = chosen(await self._datasets.rows(run.tenant, run.spec.dataset, run.spec.version), run.spec.where)
        async with self._target_of(run) as target:
            await Working(run, self._runs, target, self._measuring).off(rows)
        units = await self._runs.units(run.run_id)
        told = await asyncio.to_thread(lambda: summary(results(run, rows, units), units))
        await self._runs.finish(run, time.time(), told)

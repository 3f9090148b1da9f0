"""What is left of a run, worked off by some workers at once; an answer is kept before it is scored, so that it is paid for once."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Answer, Outcome, Purse
from loopline_evaluation.runs.measuring import Measuring
from loopline_evaluation.runs.model import Reply, Run, Unit, tokens
from loopline_evaluation.runs.ports import Runs, Target
from loopline_runtime.errors import TimedOut, Unavailable

PAUSES_S = (0.5, 2.0, 8.0)
NO_LIMIT = 1 << 62
BUDGET_SPENT = "BUDGET_SPENT"


class Working:
    """One run in one process. `pauses_s`: how long to wait before each further try of a target that is away."""

    def __init__(
        self,
        run: Run,
        runs: Runs,
        target: Target,
        measuring: Measuring,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._run = run
        self._runs = runs
        self._target = target
        self._measuring = measuring
        self._pauses_s = pauses_s
        self._left: deque[tuple[Row, int, Unit]] = deque()
        self._used = 0

    async def off(self, rows: Sequence[Row]) -> None:
        """Answers and scores what is not done yet. An error is raised once those in flight have ended."""
        kept = {(unit.row_id, unit.trial): unit for unit in await self._runs.units(self._run.run_id)}
        self._used = sum(tokens(unit.reply.cost) for unit in kept.values() if unit.reply)
        for trial in range(self._run.spec.repeat):
            for row in rows:
                unit = kept.get((row.id, trial), Unit(row.id, trial))
                if not unit.done:
                    self._left.append((row, trial, unit))
        workers = [self._worker() for _ in range(self._run.spec.at_once)]
        ended = await asyncio.gather(*workers, return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _worker(self) -> None:
        try:
            while self._left:
                await self._unit(*self._left.popleft())
        finally:
            # Nothing is begun any more when one worker has failed.
            self._left.clear()

    async def _unit(self, row: Row, trial: int, unit: Unit) -> None:
        run = self._run
        reply = unit.reply
        if reply is None:
            reply = await self._reply(row, trial)
            await self._runs.put_reply(run.run_id, row.id, trial, reply)
            self._used += tokens(reply.cost)
        scores = await self._measuring.scores(row, reply, run.spec.metrics, self._purse)
        await self._runs.put_scores(run.run_id, row.id, trial, scores)

    @property
    def _purse(self) -> Purse:
        """What judges may spend: the budget without what answers took. It is kept by the judges' own books, kills included."""
        most = self._run.spec.most_tokens
        return Purse(f"run/{self._run.run_id}", max(0, most - self._used) if most else NO_LIMIT)

    async def _reply(self, row: Row, trial: int) -> Reply:
        """What the target says; asked again while it is away, and given up as failed only when this very row takes too long."""
        if self._run.spec.most_tokens and self._used >= self._run.spec.most_tokens:
            return failed(self._run, row, f"{BUDGET_SPENT}: the run's budget of tokens is spent")
        for pause in (*self._pauses_s, None):
            try:
                return await self._target.reply(self._run, row, trial)
            except TimedOut as error:
                if pause is None:
                    return failed(self._run, row, f"{error.reason}: {error}")
            except Unavailable:
                if pause is None:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("the last pause is None")


def failed(run: Run, row: Row, error: str) -> Reply:
    """A reply that is none."""
    answer = Answer("", run.tenant, row.question, "", outcome=Outcome.FAILED, started_at=time.time())
    return Reply(answer, error=error)

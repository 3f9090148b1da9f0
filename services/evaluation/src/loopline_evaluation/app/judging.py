"""Answers that wait are judged: so many at once that the judge is never idle, each paid for from the day's purse."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from loopline_evaluation.model import Judging, Kept, Purse, Reason, Score, Stage, Why
from loopline_evaluation.ports import Attention, Budget, Judges, Queue
from loopline_runtime.errors import LooplineError

log = logging.getLogger(__name__)
LOOK_S, LEASE_S = 0.5, 60.0


@dataclass(frozen=True, slots=True)
class JudgingPolicy:
    """Which metrics, how many answers at once, how many tokens a day (UTC)."""

    metrics: tuple[str, ...]
    at_once: int
    tokens_per_day: int


class LiveJudging:
    """Works off what waits."""

    def __init__(
        self,
        queue: Queue,
        judges: Judges,
        budget: Budget,
        policy: JudgingPolicy,
        attention: Attention | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._queue = queue
        self._judges = judges
        self._budget = budget
        self._policy = policy
        self._attention = attention
        self._now = now
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def purse(self) -> Purse:
        """Today's."""
        day = datetime.fromtimestamp(self._now(), UTC).date().isoformat()
        return Purse(f"live/{day}", self._policy.tokens_per_day)

    async def work(self) -> None:
        """Without end; what was under way when it is cancelled is left to the next."""
        try:
            await self._work()
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _work(self) -> None:
        renewed = self._now()
        while True:
            try:
                free = self._policy.at_once - len(self._under_way)
                claimed = await self._queue.claim(free, LEASE_S) if free else []
                if self._now() - renewed > LEASE_S / 3:
                    await self._queue.renew(list(self._under_way), LEASE_S)
                    renewed = self._now()
            except LooplineError as error:
                log.warning("answers wait for the judge: %s", error)
                claimed = []
            for kept in claimed:
                self._begin(kept)
            if self._under_way:
                await asyncio.wait(self._under_way.values(), timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(LOOK_S)

    def _begin(self, kept: Kept) -> None:
        answer_id = kept.answer.answer_id
        task = asyncio.create_task(self._one(kept))
        self._under_way[answer_id] = task
        task.add_done_callback(lambda _: self._under_way.pop(answer_id, None))

    async def _one(self, kept: Kept) -> None:
        # When the store is away the lease runs out, and the answer comes again.
        with suppress(LooplineError):
            await self.judge(kept)

    async def judge(self, kept: Kept) -> list[Score]:
        """Judges one answer by every metric that it has no judgement of yet."""
        answer, purse = kept.answer, self.purse()
        noted = {score.metric: score for score in kept.scores if score.metric in self._policy.metrics}
        wanted = [name for name in self._policy.metrics if name not in noted]
        spent = await self._budget.spent(purse.name)
        if spent.tokens + self._judges.ceiling(answer, wanted) > purse.most_tokens:
            await self._queue.finish(kept, list(noted.values()), Judging(Stage.SKIPPED, Why.BUDGET_SPENT))
            return []

        async def one(name: str) -> Score:
            score = (await self._judges.judge(answer, [name], purse))[0]
            # The only one is kept when it is finished.
            if len(wanted) > 1:
                await self._queue.note(answer.answer_id, score)
            return score

        scores = [*noted.values(), *await asyncio.gather(*(one(name) for name in wanted))]
        judging = _judging(kept, scores)
        await self._queue.finish(kept, scores, judging)
        if self._attention:
            by_rule = [score for score in kept.scores if score.metric not in self._policy.metrics]
            await self._attention.consider(replace(kept, scores=(*by_rule, *scores), judging=judging))
        return scores


def _judging(kept: Kept, scores: list[Score]) -> Judging:
    """Judged when there is any judgement; else why there is none."""
    reasons = {score.missing.reason for score in scores if score.missing} - {Reason.ABSTAINED, Reason.NOTHING_TO_SCORE}
    if any(score.value is not None for score in scores) or not reasons:
        return Judging(Stage.JUDGED, kept.judging.why)
    return Judging(Stage.SKIPPED, Why.BUDGET_SPENT if reasons == {Reason.BUDGET_SPENT} else Why.FAILED)

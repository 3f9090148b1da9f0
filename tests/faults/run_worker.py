"""A process that works on runs, to be killed: `python run_worker.py DATABASE_URL JUDGE_URL`."""

import asyncio
import sys
from collections.abc import Sequence

from loopline_evaluation.adapters.datasets_sql import DatasetsSql
from loopline_evaluation.adapters.endpoint import Endpoint
from loopline_evaluation.adapters.runs_sql import RunsSql
from loopline_evaluation.adapters.runs_tables import MIGRATIONS
from loopline_evaluation.adapters.target_endpoint import EndpointTarget
from loopline_evaluation.model import Answer, Evaluator, Purse, Scale, Score
from loopline_evaluation.runs.measuring import Measuring
from loopline_evaluation.runs.running import Running
from loopline_sql.database import Database

LEASE_S = 1.0


class OneCall:
    """Judges by one request an answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def names(self) -> Sequence[str]:
        return ["judged"]

    def ceiling(self, answer: Answer, metrics: Sequence[str]) -> int:
        return 100

    async def judge(self, answer: Answer, metrics: Sequence[str], purse: Purse) -> list[Score]:
        said = await self._endpoint.chat([{"role": "user", "content": f"judge {answer.question}"}])
        return [Score("judged", float(said.text), Scale(), Evaluator("judge", "1"), cost=said.cost)]


class NoRules:
    async def ruled(self, answer: Answer) -> list[Score]:
        return []


async def work(url: str, judge_url: str) -> None:
    async with Database.opened(url, MIGRATIONS) as database, Endpoint.opened(judge_url) as judge:
        measuring = Measuring(NoRules(), OneCall(judge))
        targets = lambda run: EndpointTarget.opened(run, {}, 10.0)  # noqa: E731
        running = Running(
            f"worker/{id(database)}",
            RunsSql(database),
            DatasetsSql(database),
            targets,
            measuring,
            lease_s=LEASE_S,
        )
        await running.work()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))

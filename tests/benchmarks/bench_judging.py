"""1,000 answers judged for faithfulness by a judge of fixed latency, through the store, the purse and ragas: our throughput / the judge's own."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import httpx2
from interleaved import report, spread

from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_evaluation import plain
from loopline_evaluation.adapters.answers_sql import AnswersSql
from loopline_evaluation.adapters.budget_sql import BudgetSql
from loopline_evaluation.adapters.fakes import FakeEmbedder
from loopline_evaluation.adapters.judge_openai import JudgeModel, OpenAiJudge
from loopline_evaluation.adapters.judges_ragas import RagasJudges
from loopline_evaluation.adapters.outbox_sql import OutboxSql
from loopline_evaluation.adapters.queue_sql import QueueSql
from loopline_evaluation.adapters.rubrics import rubrics_in
from loopline_evaluation.adapters.tables import MIGRATIONS
from loopline_evaluation.app import JudgingPolicy, LiveJudging
from loopline_evaluation.model import Judging, Kept, Purse, Stage, Why
from loopline_evaluation.settings import keep_ragas_quiet
from loopline_sql.database import Database
from loopline_testing.judge_server import JudgeServer, judge_server

ROUNDS = 4


async def waiting(answers: AnswersSql, numbers: range) -> None:
    for number in numbers:
        fact = AnswerFinished(
            answer_id=f"{number:032x}", question="Who built it?", text="Ada built it. It is high.", outcome=1
        )
        fact.passages.add(
            chunk_id="c", document_id="d", text="The tower was built by Ada Moreland. It is forty metres high."
        )
        judging = Judging(Stage.WAITING, Why.BASE_RATE)
        await answers.put(Kept(plain.answer(fact, "acme"), fact.SerializeToString(), (), judging))


async def ours(server: JudgeServer, database: Database, judges: RagasJudges, count: int, at_once: int) -> float:
    """Requests a second that the judge saw while it worked off `count` answers."""
    policy = JudgingPolicy(("faithfulness",), at_once, 10**12)
    live = LiveJudging(QueueSql(database), judges, BudgetSql(database), policy)
    before, began = server.requests, time.perf_counter()
    working = asyncio.create_task(live.work())
    outbox = OutboxSql(database)
    done = 0
    while done < count:
        said = await outbox.waiting()
        for one in said:
            await outbox.said(one.number)
        done += len(said)
        await asyncio.sleep(0.05)
    taken = time.perf_counter() - began
    working.cancel()
    return (server.requests - before) / taken


async def theirs(server: JudgeServer, prompts: list[str], at_once: int) -> float:
    """Requests a second of a bare client with the same prompts at the same concurrency."""
    permits = asyncio.Semaphore(at_once)
    async with httpx2.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as client:

        async def one(prompt: str) -> None:
            async with permits:
                body = {"model": "judge", "messages": [{"role": "user", "content": prompt}], "max_tokens": 1024}
                (await client.post("/v1/chat/completions", json=body)).raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(one(prompt) for prompt in prompts))
        return len(prompts) / (time.perf_counter() - began)


async def measure(count: int, concurrency: int, latency_s: float, folder: Path) -> None:
    keep_ragas_quiet()
    async with (
        judge_server() as server,
        Database.opened(f"sqlite:///{folder}/scores.db", MIGRATIONS) as database,
        OpenAiJudge.opened(JudgeModel(server.url, "judge", concurrency=concurrency), BudgetSql(database)) as judge,
    ):
        judges = RagasJudges(judge, FakeEmbedder(), rubrics_in(None))
        answers = AnswersSql(database)
        await waiting(answers, range(1))
        (kept,) = await answers.get("acme", [f"{0:032x}"])
        await judges.judge(kept.answer, ["faithfulness"], Purse("warm", 10**9))
        prompts = server.prompts[:2]
        server.latency_s = latency_s
        each = count // ROUNDS
        ratios, rates = [], []
        for turn in range(ROUNDS):
            await waiting(answers, range(1 + turn * each, 1 + (turn + 1) * each))
            bare = await theirs(server, prompts * (each // 2), concurrency)
            found = await ours(server, database, judges, each + (turn == 0), 2 * concurrency)
            ratios.append(found / bare)
            rates.append(found)
        report(
            f"{each * ROUNDS:,} answers judged by a judge of {latency_s:g} s, {concurrency} requests at once / the judge's own throughput",
            ">= 0.8",
            ratio=spread(ratios),
            requests_per_second=spread(rates, 1),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--latency-s", type=float, default=0.5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(options.count, options.concurrency, options.latency_s, Path(folder)))


if __name__ == "__main__":
    main()

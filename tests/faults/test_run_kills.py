"""kill -9 in the middle of a run: every row once, and nothing is paid for twice but what was in flight."""

import asyncio
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from loopline_evaluation.adapters.datasets_sql import DatasetsSql
from loopline_evaluation.adapters.runs_sql import FINISHED_KIND, RunsSql
from loopline_evaluation.adapters.runs_tables import MIGRATIONS
from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.runs.model import Run, Spec, State, Target, TargetKind
from loopline_sql.database import Database
from loopline_testing.judge_server import judge_server

ROWS, KILLS, AT_ONCE = 500, 3, 8
WORKER = Path(__file__).with_name("run_worker.py")


async def started(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, str(WORKER), *words)


async def done(database: Database, run: Run) -> int:
    return (await RunsSql(database).progress(run, time.time())).done


@pytest.mark.timeout(240)
async def test_a_run_that_is_killed_three_times_has_every_row_once(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/runs.db"
    rows = [Row(f"r{number}", f"Question number {number}?", ("0.5",)) for number in range(ROWS)]
    # Both the target and the judge: it answers everything with 0.5.
    async with judge_server(lambda prompt: "0.5") as server, Database.opened(url, MIGRATIONS) as database:
        server.latency_s = 0.01
        runs, datasets = RunsSql(database), DatasetsSql(database)
        version, _ = await datasets.add("t", "d", rows, "", 0.0)
        spec = Spec(
            "d", version.hash, ("exact_match", "judged"), Target(TargetKind.ENDPOINT, server.url), at_once=AT_ONCE
        )
        run = await runs.create(Run("killed", "t", spec, "me", 0.0, ROWS))
        for kill in range(KILLS):
            worker = await started(url, server.url)
            while await done(database, run) < (kill + 1) * ROWS / (KILLS + 2):
                await asyncio.sleep(0.1)
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
            assert await done(database, run) < ROWS
        worker = await started(url, server.url)
        while (await runs.get("t", "killed")).state is not State.FINISHED:
            await asyncio.sleep(0.2)
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
        units = await runs.units("killed")
        waiting = await runs.waiting()
    assert Counter((unit.row_id, unit.trial) for unit in units) == {(row.id, 0): 1 for row in rows}
    assert all(
        {score.metric: score.value for score in unit.scores} == {"exact_match": 1.0, "judged": 0.5} for unit in units
    )
    asked = Counter(server.prompts)
    judged = {question: count for question, count in asked.items() if question.startswith("judge ")}
    answered = {question: count for question, count in asked.items() if not question.startswith("judge ")}
    for calls in (judged, answered):
        assert len(calls) == ROWS
        assert max(calls.values()) <= 1 + KILLS
        assert sum(calls.values()) <= ROWS + KILLS * AT_ONCE
    assert [one.kind for one in waiting] == [FINISHED_KIND]

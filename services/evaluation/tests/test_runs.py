"""Datasets and runs are kept, worked off once, and go on after whatever happened."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from dataclasses import replace

import pytest

from loopline_evaluation.adapters.datasets_sql import DatasetsSql
from loopline_evaluation.adapters.runs_sql import RunsSql
from loopline_evaluation.adapters.runs_tables import METADATA, MIGRATIONS
from loopline_evaluation.datasets.rows import Origin, Reference, Row, version_hash
from loopline_evaluation.model import Answer, Cost, Evaluator, Missing, Passage, Purse, Scale, Score
from loopline_evaluation.runs.exporting import exported, table
from loopline_evaluation.runs.measuring import Measuring
from loopline_evaluation.runs.model import Decided, GivenAnswer, Overrides, Reply, Run, Spec, State
from loopline_evaluation.runs.results import results
from loopline_evaluation.runs.running import Running
from loopline_evaluation.runs.summary import summary
from loopline_evaluation.runs.working import Working
from loopline_runtime.errors import NotFound, Rejected, TimedOut, Unavailable
from loopline_sql.database import Database
from loopline_testing.postgres import differences

ROWS = [
    Row(
        f"r{n}",
        f"Question {n}?",
        ("yes",),
        (Reference("d1", text="x", revision=n),) if n < 2 else (),
        origin=Origin("imported", f"f:{n}"),
    )
    for n in range(6)
]


class Target:
    """Says yes; raises what it is told to, row by row."""

    def __init__(self, **faults: list[Exception]) -> None:
        self.faults = faults
        self.asked: list[tuple[str, int]] = []

    async def reply(self, run: Run, row: Row, trial: int) -> Reply:
        self.asked.append((row.id, trial))
        if left := self.faults.get(row.id):
            raise left.pop(0)
        await asyncio.sleep(0)
        passages = (Passage("c", "d1" if row.id == "r0" else "d9", "secret words", revision=7),)
        return Reply(Answer("a", "t", row.question, "Yes.", passages, total_ms=5.0), {"model": "m"}, Cost(1, 9, 1))


class Judges:
    """Costs 50 tokens an answer."""

    def names(self) -> Sequence[str]:
        return ["judged"]

    def ceiling(self, answer: Answer, metrics: Sequence[str]) -> int:
        return 60

    async def judge(self, answer: Answer, metrics: Sequence[str], purse: Purse) -> list[Score]:
        if purse.most_tokens < 60:
            return [Score("judged", None, Scale(), Evaluator("judge", "1"), missing=Missing("BUDGET_SPENT"))]
        return [Score("judged", 0.9, Scale(), Evaluator("judge", "1"), cost=Cost(1, 40, 10))]


class NoRules:
    async def ruled(self, answer: Answer) -> list[Score]:
        return []


MEASURING = Measuring(NoRules(), Judges())


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.opened(database_url, MIGRATIONS) as opened:
        yield opened


@pytest.fixture
async def run(database: Database) -> Run:
    version, _ = await DatasetsSql(database).add("t", "d", ROWS, "", 0.0)
    spec = Spec("d", version.hash, ("exact_match", "judged"), repeat=2, overrides=Overrides(indexes=("a=1",)))
    return await RunsSql(database).create(Run("one", "t", spec, "me", 1.0, 12))


async def worked(database: Database, run: Run, target: Target) -> None:
    await Working(run, RunsSql(database), target, MEASURING, pauses_s=(0.0, 0.0)).off(ROWS)


async def test_the_tables_are_those_of_the_revisions(database: Database):
    assert await differences(database, METADATA) == []


async def test_a_version_is_kept_once_and_read_back(database: Database):
    store = DatasetsSql(database)
    one, new = await store.add("t", "d", ROWS, "first", 1.0)
    again, newer = await store.add("t", "d", list(reversed(ROWS)), "again", 2.0)
    two, _ = await store.add("t", "d", ROWS[:3], "less", 3.0)
    assert (new, newer, one.number, again.number, two.number) == (True, False, 1, 1, 2)
    assert await store.rows("t", "d", one.hash) == ROWS
    assert (await store.rows("t", "d", one.hash))[0].origin == Origin("imported", "f:0")
    assert [version.number for version in await store.versions("t", "d")] == [2, 1]
    assert [version.number for version in await store.versions("t")] == [2]
    assert await store.versions("other") == []
    with pytest.raises(NotFound):
        await store.rows("other", "d", one.hash)


async def test_rows_of_an_erased_document_are_gone_from_every_version(database: Database):
    store = DatasetsSql(database)
    one, _ = await store.add("t", "d", ROWS, "", 1.0)
    await store.add("t", "d", ROWS[1:], "", 2.0)
    assert await store.erase("other", "d1", 9) == 0
    assert await store.erase("t", "d1", 0) == 1
    assert [row.id for row in await store.rows("t", "d", one.hash)] == ["r1", "r2", "r3", "r4", "r5"]
    assert await store.erase("t", "d1", 9) == 1
    assert [version.erased for version in await store.versions("t", "d")] == [1, 2]
    back, new = await store.add("t", "d", ROWS[1:], "imported again", 3.0)
    assert not new
    assert version_hash(await store.rows("t", "d", back.hash)) == back.hash


async def test_every_unit_is_answered_and_scored_once(database: Database, run: Run):
    target = Target()
    await worked(database, run, target)
    await worked(database, run, target)
    assert sorted(target.asked) == sorted((row.id, trial) for row in ROWS for trial in range(2))
    units = await RunsSql(database).units("one")
    assert all(unit.done for unit in units)
    progress = await RunsSql(database).progress(run, 10.0)
    assert (progress.done, progress.spent.requests, progress.spent.prompt_tokens) == (12, 24, 12 * 49)


async def test_what_was_answered_is_not_asked_again_after_a_failure(database: Database, run: Run):
    target = Target(r3=[Unavailable("away")] * 3)
    with pytest.raises(Unavailable):
        await worked(database, run, target)
    before = len(target.asked)
    await worked(database, run, target)
    counts = {unit: target.asked.count(unit) for unit in target.asked}
    assert len(counts) == 12
    assert {unit: count for unit, count in counts.items() if count > 1} == {("r3", 0): 4}
    assert before < len(target.asked)


async def test_a_row_that_takes_too_long_fails_alone(database: Database, run: Run):
    await worked(database, run, Target(r3=[TimedOut("slow")] * 6))
    units = {(unit.row_id, unit.trial): unit for unit in await RunsSql(database).units("one")}
    assert units["r3", 0].reply.error.startswith("TIMED_OUT")
    assert [score.missing.reason for score in units["r3", 0].scores if score.missing] == ["NOT_COMPLETED"]
    assert units["r4", 0].scores[0].value == 1.0


async def test_a_budget_is_not_passed(database: Database, run: Run):
    small = replace(run, spec=replace(run.spec, most_tokens=125, at_once=1))
    await worked(database, small, Target())
    units = await RunsSql(database).units("one")
    missing = [score.missing.reason for unit in units for score in unit.scores if score.missing]
    assert "BUDGET_SPENT" in missing
    assert (await RunsSql(database).progress(small, 2.0)).spent.prompt_tokens < 12 * 49


async def test_a_run_is_claimed_by_one_and_again_when_its_lease_is_over(database: Database, run: Run):
    runs = RunsSql(database)
    claimed = await runs.claim("a", 20.0, 10.0)
    assert (claimed.run_id, claimed.state) == ("one", State.RUNNING)
    assert claimed.spec == run.spec
    assert await runs.claim("b", 25.0, 15.0) is None
    assert await runs.renew("one", "a", 30.0)
    assert await runs.claim("b", 40.0, 25.0) is None
    assert (await runs.claim("b", 50.0, 31.0)).run_id == "one"
    assert not await runs.renew("one", "a", 60.0)
    await runs.settle("one", State.CANCELLED, 32.0)
    assert not await runs.renew("one", "b", 60.0)
    await runs.settle("one", State.WAITING, 33.0)
    assert (await runs.get("t", "one")).state is State.CANCELLED
    assert await runs.get("other", "one") is None


async def test_a_run_that_cannot_go_on_is_interrupted_and_the_next_one_runs(database: Database, run: Run):
    runs = RunsSql(database)
    other = await runs.create(replace(run, run_id="two", created_at=2.0))
    bad, good = Target(r3=[ValueError("a bug")]), Target()
    targets = {"one": bad, "two": good}
    running = Running("me", runs, DatasetsSql(database), lambda one: nullcontext(targets[one.run_id]), MEASURING)
    working = asyncio.create_task(running.work())
    deadline = time.monotonic() + 20
    while not (await runs.get("t", "two")).state.over and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    working.cancel()
    await asyncio.wait({working})
    first, second = await runs.get("t", "one"), await runs.get("t", other.run_id)
    assert (first.state, second.state) == (State.INTERRUPTED, State.FINISHED)
    assert "a bug" in first.error
    (said,) = await runs.waiting()
    assert (said.id, said.kind) == ("two/finished", "evaluation_finished")
    assert json.loads(said.body)["summary"]["metrics"][0]["mean"] == 1.0


async def test_runs_go_on_side_by_side_and_the_others_wait_their_turn(database: Database, run: Run):
    runs, left = RunsSql(database), asyncio.Event()
    under_way: set[str] = set()

    class Slow(Target):
        async def reply(self, run: Run, row: Row, trial: int) -> Reply:
            under_way.add(run.run_id)
            await left.wait()
            return await super().reply(run, row, trial)

    for number, tenant in enumerate(("t", "t", "u"), 2):
        await DatasetsSql(database).add(tenant, "d", ROWS, "", 0.0)
        await runs.create(replace(run, run_id=f"run {number}", tenant=tenant, created_at=float(number)))
    running = Running("me", runs, DatasetsSql(database), lambda one: nullcontext(Slow()), MEASURING, at_once=2)
    working = asyncio.create_task(running.work())
    async with asyncio.timeout(20):
        while len(under_way) < 2:
            await asyncio.sleep(0.02)
        # The other tenant's one goes before the second of the first.
        assert under_way == {"one", "run 4"}
        assert (await runs.get("t", "run 2")).state is State.WAITING
        left.set()
        while (await runs.get("t", "run 3")).state is not State.FINISHED:
            await asyncio.sleep(0.02)
    working.cancel()
    await asyncio.wait({working})
    assert under_way == {"one", "run 2", "run 3", "run 4"}


async def test_results_are_exported_with_what_made_them(database: Database, run: Run):
    await worked(database, run, Target())
    units = await RunsSql(database).units("one")
    found = results(run, ROWS, units)
    lines = table(found, units)
    assert len(lines) == 12
    assert {line["made_by_model"] for line in lines} == {"m"}
    assert all(line["seed"] == 0 and line["dataset_hash"] == run.spec.version for line in lines)
    import io

    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(exported(found, units, "parquet")))
    assert list(frame["exact_match"]) == [1.0] * 12
    assert len(exported(found, units, "jsonl").splitlines()) == 12
    assert len(exported(found, units, "csv").splitlines()) == 13
    told = summary(found, units)
    assert [(one.metric, one.mean, one.rows) for one in told.metrics] == [("exact_match", 1.0, 6), ("judged", 0.9, 6)]


async def test_an_erased_document_leaves_no_text_in_runs(database: Database, run: Run):
    runs = RunsSql(database)
    await worked(database, run, Target())
    assert await runs.erase("other", "d1") == 0
    assert await runs.erase("t", "d1", 6) == 0
    assert await runs.erase("t", "d1", 7) == 2
    texts = {(unit.row_id, unit.reply.answer.text, len(unit.reply.answer.passages)) for unit in await runs.units("one")}
    assert ("r0", "", 0) in texts
    assert ("r1", "Yes.", 1) in texts
    assert all(unit.done for unit in await runs.units("one"))


async def test_given_answers_and_decisions_are_kept_once(database: Database):
    runs = RunsSql(database)
    await runs.put_answers("t", "n", {"r1": [GivenAnswer("yes", ("p",))]})
    await runs.put_answers("t", "n", {"r1": [GivenAnswer("yes", ("p",))]})
    assert await runs.answers("t", "n") == {"r1": [GivenAnswer("yes", ("p",))]}
    with pytest.raises(Rejected):
        await runs.answers("other", "n")
    decided = Decided("g", "one", "", "pass", "h", (), "me", 1.0)
    await runs.decided("t", decided)
    await runs.decided("t", decided)
    assert [one.id for one in await runs.waiting()] == ["g"]

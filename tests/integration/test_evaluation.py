"""Datasets, runs and gates through their doors: imported, scored, compared, decided, said; over a real bus."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from loopline_client.datasets import Datasets
from loopline_client.run_results import RunSpec, RunTarget
from loopline_client.runs import Runs
from loopline_contracts.channels import EVALUATION_FINISHED, GATE_DECIDED
from loopline_evaluation.model import Answer, Feedback, Given, Kept, Score, Thumb
from loopline_evaluation.run_parts import run_parts
from loopline_evaluation.settings import Settings
from loopline_grpc.client import connect
from loopline_grpc.server import serving
from loopline_nats.line import Heard, Line, open_line
from loopline_runtime.errors import Invalid, NotFound
from loopline_runtime.settings import Grpc
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer

ROWS = 40
POLICY = "metrics: {exact_match: {floor: 0.5, no_worse_by: 0.1}}"


class Disliked:
    """One answer that somebody corrected."""

    async def listed(self, wanted: object) -> list[Kept]:
        answer = Answer("a1", "local", "How deep is the well?", "9 m")
        return [Kept(answer, b"", feedback=(Given(Feedback("ann", Thumb.DOWN, correction="12 m"), 1.0, 1),))]


class NoRules:
    async def ruled(self, answer: Answer) -> list[Score]:
        return []


async def nobody(tenant: str, metrics: Sequence[str], model: str) -> dict[str, str]:
    return {}


@pytest.fixture
async def doors(provisioned: NatsServer, tmp_path: Path) -> AsyncIterator[tuple[Datasets, Runs]]:
    urls = {name: {"url": f"sqlite:///{tmp_path}/{name}.db"} for name in ("scores", "runs")}
    answers: Any = Disliked()
    async with (
        open_line(bus_settings(provisioned), "evaluation") as own,
        run_parts(Settings(**urls), own, answers, NoRules(), None, nobody) as parts,
        serving(Grpc(port=0), keys=None, doors=parts.doors, ready=parts.ready) as server,
        connect(f"127.0.0.1:{server.port}") as channel,
    ):
        yield Datasets(lambda _: channel), Runs(lambda _: channel)


def rows(count: int = ROWS) -> bytes:
    lines = [
        {"id": f"r{n}", "question": f"What is {n} and {n}?", "answer": str(n), "tags": ["even"] if n % 2 == 0 else []}
        for n in range(count)
    ]
    return "\n".join(map(json.dumps, lines)).encode()


def given(right: int) -> bytes:
    lines = [{"id": f"r{n}", "answer": str(n) if n < right else "wrong"} for n in range(ROWS)]
    return "\n".join(map(json.dumps, lines)).encode()


async def finished(runs: Runs, answers: bytes) -> str:
    put = await runs.put_answers(answers)
    run = await runs.begin(RunSpec(dataset="sums", metrics=("exact_match",), target=RunTarget(answers=put.answers)))
    states = [now.state async for now in runs.watch(run.run_id)]
    assert states[-1] == "FINISHED"
    return run.run_id


async def said(line: Line, channel: Any) -> Heard:
    async with asyncio.timeout(10):
        while not (heard := await line.last_on(channel, "local")):
            await asyncio.sleep(0.05)
    return heard


async def test_from_a_file_to_a_decision(doors: tuple[Datasets, Runs], line: Line):
    datasets, runs = doors
    done = await datasets.bring("sums", rows() + b"\n{half", "jsonl", file_name="sums.jsonl")
    assert (done.version.number, done.version.rows) == (1, ROWS)
    assert [(problem.line, problem.message[:8]) for problem in done.problems] == [(ROWS + 1, "not JSON")]
    assert (await datasets.bring("sums", rows(), "jsonl")).unchanged
    good, bad = await finished(runs, given(38)), await finished(runs, given(9))
    shown = await runs.get(good)
    assert [(metric.metric, metric.mean) for metric in shown.metrics] == [("exact_match", 0.95)]
    compared = await runs.compare(good, bad, slice_by=["tag"], with_report=True)
    assert {(one.slice, one.seen) for one in compared.compared} == {("", "worse"), ("tag=even", "worse")}
    assert "<svg" in compared.report
    assert "src=" not in compared.report
    passes = await runs.gate(good, POLICY, good)
    fails = await runs.gate(bad, POLICY, good)
    assert (passes.decision.verdict, fails.decision.verdict) == ("PASS", "FAIL")
    assert (await said(line, GATE_DECIDED)).event.run_id in (good, bad)
    announced = (await said(line, EVALUATION_FINISHED)).event
    assert (announced.dataset, announced.rows, announced.metrics[0].metric) == ("sums", ROWS, "exact_match")
    frame = await runs.frame(good)
    assert frame["exact_match"].sum() == 38
    with pytest.raises(NotFound):
        await runs.get("nothing")


async def test_what_great_expectations_finds_is_refused(doors: tuple[Datasets, Runs]):
    datasets, _ = doors
    wanted = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "reference", "value_set": ["1", "2"]}}
    with pytest.raises(Invalid, match=r"reference.*be in set.*38 of 40") as refused:
        await datasets.bring("sums", rows(), "jsonl", expectations_json=json.dumps({"expectations": [wanted]}))
    assert refused.value.reason == "EXPECTATION"
    with pytest.raises(Invalid, match="no row"):
        await datasets.bring("sums", b"\n", "jsonl")
    assert await datasets.listed() == []


async def test_answers_people_did_not_like_become_rows(doors: tuple[Datasets, Runs]):
    datasets, _ = doors
    added = await datasets.add_from_answers("disliked", thumb="down", tags=["live"])
    assert (added.added, added.skipped) == (1, 0)
    (row,) = [row async for row in datasets.rows("disliked")]
    assert (row.question, list(row.references), row.origin.kind, row.origin.detail) == (
        "How deep is the well?",
        ["12 m"],
        "answer",
        "a1",
    )
    assert (await datasets.add_from_answers("disliked", thumb="down")).added == 0

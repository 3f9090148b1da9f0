"""A policy tried on what was: the same alarms each time, and after a kill midway."""

import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from loopline.monitoring.v1.events_pb2 import PredictionServed, Value
from loopline_contracts.channels import PREDICTION_SERVED
from loopline_monitoring.app import monitor as turns
from loopline_monitoring.backtest import Heard, backtest, on_the_line, state_of
from loopline_monitoring.messages import when
from loopline_monitoring.model import Observed, Policy
from loopline_nats.line import Fact, open_line
from loopline_nats.provision import apply
from loopline_testing.fixtures import SCALE, bus_settings
from loopline_testing.nats import nats_server

UNTIL = datetime(2026, 11, 2, tzinfo=UTC)
BEGAN = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
READERS = ("monitoring-answers", "monitoring-queries")


class Killed(Exception):
    """As by kill -9: nothing after it happens."""


def past() -> dict[str, list[Heard]]:
    """Two streams; the answers become longer after 600 of 1,000, and are usual again after 850."""
    rng = np.random.default_rng(1)
    streams: dict[str, list[Heard]] = {}
    for name, signal in zip(READERS, ("answer.length", "retrieval.top_score"), strict=True):
        streams[name] = []
        for number, value in enumerate(rng.normal(50, 10, 1000).tolist()):
            moved = signal == "answer.length" and 600 <= number < 850
            at = BEGAN + 30.0 * number + (7.0 if signal == "answer.length" else 0.0)
            told = Observed(
                id=f"{name}-{number}",
                tenant="local",
                collection="manuals",
                at=at,
                told_at=at + 1,
                about=f"{name}-{number}",
                values={signal: value + 15 * moved},
                versions={"prompt": "long@2" if moved else "short@1"},
            )
            streams[name].append(Heard(name, number + 1, at + 1, [told]))
    return streams


class Line:
    """What is kept of the past; kills whoever reads more than `most` facts."""

    def __init__(self, most: int = 10**9) -> None:
        self.streams, self.most, self.begun = past(), most, dict[str, int]()

    async def __call__(self, reader: str, after: int) -> AsyncGenerator[Heard, None]:
        self.begun[reader] = after
        for heard in self.streams[reader][after:]:
            self.most -= 1
            if self.most < 0:
                raise Killed
            yield heard


async def tried(line: Line, folder: Path, policy: Policy) -> list[tuple[str, str, float, str]]:
    file = state_of(policy, "", UNTIL, UNTIL, folder)
    changes = await backtest(line, READERS, policy, file, UNTIL)
    return [(c.saying.value, c.alarm.signal, c.alarm.opened_at, c.alarm.told) for c in changes]


async def test_it_says_the_alarms_with_their_end_and_leaves_nothing_behind(tmp_path: Path):
    said = await tried(Line(), tmp_path, Policy())
    assert said[0][:2] == ("detected", "answer.length")
    assert said[-1][0] == "cleared"
    assert {signal for _, signal, *_ in said} == {"answer.length"}
    assert list(tmp_path.iterdir()) == []


async def test_the_same_past_gives_the_same_alarms(tmp_path: Path):
    assert await tried(Line(), tmp_path, Policy()) == await tried(Line(), tmp_path, Policy())


@pytest.mark.parametrize("most", [1300])
async def test_killed_midway_it_goes_on_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int):
    monkeypatch.setattr(turns, "MOST_UNWRITTEN", 100)
    whole = await tried(Line(), tmp_path, Policy())
    with pytest.raises(Killed):
        await tried(Line(most), tmp_path, Policy())
    again = Line()
    assert await tried(again, tmp_path, Policy()) == whole
    assert min(again.begun.values()) >= most / 2 - 101


async def test_another_policy_raises_other_alarms(tmp_path: Path):
    ignoring = Policy(ignored=("answer.length",))
    assert await tried(Line(), tmp_path, ignoring) == []


async def test_on_a_real_line_it_reads_what_the_streams_still_hold(tmp_path: Path):
    chance, began = np.random.default_rng(2), time.time() - 7200
    with nats_server() as bus:
        async with open_line(bus_settings(bus), "monitoring") as line:
            await apply(line, scale=SCALE)
            for number, age in enumerate([*chance.normal(40, 5, 260).tolist(), *chance.normal(60, 5, 80).tolist()]):
                body = PredictionServed(
                    prediction_id=f"p{number}",
                    model="churn",
                    features={"age": Value(number=age)},
                    at=when(began + number * 10),
                )
                await line.say(Fact(PREDICTION_SERVED, body, f"p{number}", "local"))
            since, until = (datetime.fromtimestamp(time.time() + away, UTC) for away in (-3600, 3600))
            file = state_of(Policy(), "", since, until, tmp_path)
            heard: list[int] = []
            said = [await on_the_line(line, Policy(), since, until, file, heard.append) for _ in range(2)]
    assert said[0] == said[1]
    assert (said[0][0].saying.value, said[0][0].alarm.signal) == ("detected", "feature.age")
    assert heard.count(340) == 2

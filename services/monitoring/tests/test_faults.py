"""Killed in mid-window, without its bus, without its database: the alarms are the same as without, and each is said once."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loopline.monitoring.v1.events_pb2 import PredictionServed, Value
from loopline_contracts.channels import MONITORING_PREDICTIONS, PREDICTION_SERVED
from loopline_monitoring import events
from loopline_monitoring.adapters.state_sql import StateSql
from loopline_monitoring.app import Monitor, Watching
from loopline_monitoring.messages import when
from loopline_monitoring.model import Key, Observed, Policy
from loopline_nats.line import Fact, Line, open_line
from loopline_nats.provision import apply
from loopline_nats.reading import reads
from loopline_testing.fixtures import SCALE, bus_settings
from loopline_testing.nats import NatsServer, nats_server
from loopline_testing.postgres import PostgresServer

POLICY = """
[windows]
size = 40
[baseline]
learn = 120
"""
BEGAN = time.time() - 10_000


@contextmanager
def process(bus: NatsServer, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service as it is run."""
    (folder / "policy.toml").write_text(POLICY)
    settings = {
        "NATS__URL": bus.url,
        "NATS__FETCH_S": "1",
        "GRPC__PORT": "0",
        "ACCESS__MODE": "open",
        "STATE__URL": f"sqlite:///{folder}/state.db",
        "STATE__EVERY_S": "0.2",
        "WATCH__POLICY": str(folder / "policy.toml"),
    }
    words = ["/usr/bin/env", *(f"{name}={value}" for name, value in settings.items())]
    with (folder / "log").open("ab") as log:
        started = subprocess.Popen([*words, sys.executable, "-m", "loopline_monitoring.main"], stdout=log, stderr=log)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()


async def predict(line: Line, first: int, count: int, age: float) -> None:
    chance = random.Random(first)
    for number in range(first, first + count):
        body = PredictionServed(
            prediction_id=f"p{number}",
            model="churn",
            features={"age": Value(number=chance.gauss(age, 5))},
            prediction=Value(number=1.0),
            at=when(BEGAN + number * 5),
        )
        await line.say(Fact(PREDICTION_SERVED, body, f"p{number}", "local"))


async def said(line: Line) -> list[tuple[str, str, int]]:
    """Alarms as they lie in the stream: event, id, update."""
    info = await line.jetstream.stream_info("MONITORING")
    found = []
    for sequence in range(1, info.state.last_seq + 1):
        heard = await line.at("MONITORING", sequence)
        if heard and heard.delivery.event.startswith("drift_"):
            alarm = heard.event.alarm  # type: ignore[attr-defined]
            found.append((heard.delivery.event, alarm.alarm_id, alarm.update))
    return found


async def expected(line: Line) -> list[tuple[str, str, int]]:
    """The alarms of the same facts, read once, without any accident."""
    watching, found = Watching(Policy(window_size=40, learn=120)), []
    async for batch in reads(MONITORING_PREDICTIONS, line, 0):
        for observed in events.observations(batch):
            for change in watching.observe(observed):
                found.append((f"drift_{change.saying}", change.alarm.alarm_id, change.alarm.update))
        if batch.caught_up:
            return found
    raise AssertionError("the stream has no end")


async def settled(line: Line, count: int) -> list[tuple[str, str, int]]:
    async with asyncio.timeout(30):
        while len(await said(line)) < count:
            await asyncio.sleep(0.2)
    await asyncio.sleep(0.5)
    return await said(line)


async def test_kills_and_a_bus_that_was_away_change_no_alarm(tmp_path: Path):
    with nats_server(sync_always=True) as bus:
        async with open_line(bus_settings(bus), "monitoring") as line:
            await apply(line, scale=SCALE)
            with process(bus, tmp_path) as monitor:
                await predict(line, 0, 290, 40)
                monitor.kill()
            with process(bus, tmp_path) as monitor:
                await predict(line, 290, 60, 55)
                await settled(line, 1)
                monitor.kill()
            with process(bus, tmp_path):
                await asyncio.sleep(2)
                bus.kill()
                await asyncio.sleep(1)
                bus.start()
                async with open_line(bus_settings(bus), "monitoring") as again:
                    await predict(again, 350, 330, 40)
                    wanted = await expected(again)
                    found = await settled(again, len(wanted))
    assert found == wanted
    assert [event for event, _, _ in found][-1] == "drift_cleared"
    assert len({alarm_id for _, alarm_id, _ in found}) == 1


async def test_while_the_database_is_away_nothing_more_is_read_and_nothing_is_lost(postgres: PostgresServer):
    url = postgres.new_database()
    observed = [
        Observed(f"e{n}", "acme", "m", 1e9 + n, 1e9 + n, f"a{n}", {"answer.length": 1.0 * n}) for n in range(60)
    ]
    async with StateSql.opened(url) as state:
        monitor = Monitor(Watching(), state, 0.0)
        await monitor.hear("monitoring-answers", 20, observed[:20])
        postgres.kill()
        try:
            waiting = asyncio.create_task(monitor.hear("monitoring-answers", 40, observed[20:40]))
            behind = asyncio.create_task(monitor.hear("monitoring-answers", 60, observed[40:]))
            await asyncio.sleep(1)
            assert not waiting.done()
            assert not behind.done()
        finally:
            postgres.start()
        async with asyncio.timeout(20):
            await asyncio.gather(waiting, behind)
        kept = await state.load()
    assert kept.places == {"monitoring-answers": 60}
    again = Watching()
    again.restore(kept.records)
    assert again.signals[Key("acme", "m", "", "answer.length")].seen == 60

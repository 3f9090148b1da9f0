"""The monitor at scale: memory of 1,000 slices of 40 signals, facts through one process, and whether a fact costs more as the history grows.

A fact tells 40 signals: 30 numbers (5 of them rates), 9 names, 1 embedding. Windows close every 250 values and are compared with their baselines; for
the memory every 50, as the default policy has it.
Interleaved: the young and the old history take turns. The whole pipeline adds what it takes to write the state to a database on disk every second.
"""

import argparse
import asyncio
import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import numpy as np
from interleaved import report, spread

from loopline_monitoring.adapters.state_sql import StateSql
from loopline_monitoring.app import Monitor, Watching
from loopline_monitoring.detection import Value
from loopline_monitoring.model import Key, Observed, Policy

NUMBERS, NAMES, WIDTH, SIGNALS = 30, 9, 384, 40
POLICY = Policy(window_size=250, learn=1000, slices=("*",))
USUAL = Policy(slices=("*",))
# What an answer tells, some 15 of them: numbers, rates, two names.
ANSWER = slice(17, 32)
BATCH = 200
BEGAN = 1_700_000_000.0


def told(seed: int, length: int, signals: slice = slice(None)) -> list[Mapping[str, Value]]:
    """[length]: what so many facts tell."""
    rng = np.random.default_rng(seed)
    columns: list[list[Value]] = [rng.normal(size=length).tolist() for _ in range(NUMBERS - 10)]
    columns += [rng.lognormal(size=length).tolist() for _ in range(5)]
    columns += [(rng.random(length) < 0.1).astype(float).tolist() for _ in range(5)]
    columns += [rng.choice(["en", "de", "fr", "it"], length).tolist() for _ in range(NAMES)]
    centres = np.random.default_rng(0).normal(size=(8, WIDTH))
    vectors = centres[rng.integers(0, 8, length)] + rng.normal(size=(length, WIDTH))
    columns.append(list(vectors.astype(np.float32)))
    names = [f"feature.{number}" for number in range(SIGNALS)]
    return [dict(list(zip(names, fact, strict=True))[signals]) for fact in zip(*columns, strict=True)]


class Fed:
    """A monitor's core, and facts without drift for it, one a second."""

    def __init__(self, seed: int, signals: slice = slice(None), policy: Policy = POLICY) -> None:
        self.watching = Watching(policy)
        self._told = told(seed, 2000, signals)
        self._numbers = count()

    def facts(self, length: int, slices: tuple[str, ...] = ()) -> list[Observed]:
        """The next ones."""
        return [
            Observed(
                f"e{number}",
                "local",
                "model",
                BEGAN + number,
                BEGAN + number,
                f"prediction-{number}-0123456789abcdef",
                self._told[number % len(self._told)],
                slices=slices,
                versions={"model_version": "7"},
            )
            for number in (next(self._numbers) for _ in range(length))
        ]

    def seconds(self, length: int) -> float:
        """CPU time of so many facts."""
        facts = self.facts(length)
        began = time.process_time()
        for fact in facts:
            for _ in self.watching.observe(fact):
                pass
        return time.process_time() - began


def memory(slices: int) -> None:
    """In a process of its own: every slice with baselines, windows nearly full, and tests; then what the process holds at its most."""
    grown = Fed(1, policy=USUAL)
    for fact in grown.facts(200 + 50 * 50 + 35, ("slice=0",)):
        for _ in grown.watching.observe(fact):
            pass
    records, _ = grown.watching.kept()
    watching = Watching(USUAL)
    kept: dict[tuple[str, str], bytes | None] = {}
    for (kind, identity), data in records.items():
        if kind in {"series", "baseline"} and (key := Key.of(identity)).slice:
            for number in range(slices):
                kept[kind, Key(key.tenant, key.collection, f"slice={number}", key.signal).id] = data
    watching.restore(kept)
    # Each slice is told enough for its signals to be worked together.
    for number in range(slices):
        for fact in grown.facts(9, (f"slice={number}",)):
            for _ in watching.observe(fact):
                pass
    gc.collect()
    assert len(watching.signals) == (slices + 1) * SIGNALS
    sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}\n")


def throughput(rounds: int) -> None:
    """Facts through the detectors, and the ratio of an old history's cost to a young one's."""
    old, answers = Fed(3), Fed(4, ANSWER)
    old.seconds(30_000)
    answers.seconds(3000)
    ratios, rates, short = [], [], []
    for number in range(rounds):
        young = Fed(5 + number)
        young.seconds(1500)
        first, second = young.seconds(2000), old.seconds(2000)
        ratios.append(second / first)
        rates.append(2000 / second)
        short.append(2000 / answers.seconds(2000))
    report(
        "drift: events/s of 40 signals each through the detectors, one process, by its CPU time",
        ">= 5000",
        events=spread(rates, 0),
        events_of_an_answers_15=spread(short, 0),
        values=spread([rate * SIGNALS for rate in rates], 0),
    )
    report("drift: cost of an event after 30,000 events / after 1,500", "<= 1.2", ratio=spread(ratios))


async def pipeline(rounds: int) -> None:
    """Facts as the readers hand them over, through signals and detectors, with the state written to disk as it is in service."""
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        async with StateSql.opened(f"sqlite:///{Path(folder) / 'state.db'}") as state:
            fed = Fed(6)
            monitor = Monitor(fed.watching, state, 1.0)
            last = 0
            for number in range(rounds + 1):
                batches = [fed.facts(BATCH) for _ in range(20)]
                began = time.process_time()
                for batch in batches:
                    last += len(batch)
                    await monitor.hear("monitoring-predictions", last, batch)
                await monitor.write()
                if number:
                    rates.append(BATCH * len(batches) / (time.process_time() - began))
    report(
        "drift: events/s of 40 signals each through the whole monitor, its state written every 2,000 and every second",
        "stated",
        events=spread(rates, 0),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", type=int, default=0, help="internal: only say the memory of so many slices, MiB")
    options = parser.parse_args()
    if options.memory:
        memory(options.memory)
        return
    throughput(options.rounds)
    asyncio.run(pipeline(options.rounds))
    command = [sys.executable, __file__, "--memory", "1000"]
    held = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    report("drift: memory of 1,000 slices x 40 signals, the whole process", "<= 512 MiB", mib=held)


if __name__ == "__main__":
    main()

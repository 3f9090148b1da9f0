"""The detectors at scale: memory of 1,000 slices of 40 signals, events through one process, and whether an event costs more as the history grows.

An event tells all 40 signals of a slice: 30 numbers, 9 names, 1 embedding. Windows close every 250 values and are compared.
Interleaved: the young and the old history take turns.
"""

import argparse
import gc
import resource
import subprocess
import sys
import time
from itertools import count

import numpy as np
from interleaved import report, spread

from loopline_monitoring.detection import Kind, Sequential, Sketch, Value, compare

NUMBERS, NAMES, VECTORS = 30, 9, 1
WINDOW = 250
# What an answer tells, some 15 of them: numbers, rates, two names.
ANSWER = slice(17, 32)
WIDTH = 384


class Watched:
    """One signal of one slice: its baseline, its window, its sequential test."""

    def __init__(self, baseline: Sketch) -> None:
        self.baseline, self.window = baseline, Sketch.empty(baseline.kind, like=baseline)
        self.sequential = Sequential.against(baseline)

    def to_bytes(self) -> tuple[bytes, bytes, bytes]:
        return self.baseline.to_bytes(), self.window.to_bytes(), self.sequential.to_bytes()

    @classmethod
    def of(cls, data: tuple[bytes, bytes, bytes]) -> "Watched":
        made = cls.__new__(cls)
        made.baseline, made.window = (Sketch.from_bytes(part) for part in data[:2])
        made.sequential = Sequential.from_bytes(data[2])
        return made

    def add(self, value: Value, at: float, about: str) -> None:
        self.window.add(value, at, about)
        self.sequential.add(value, at, about)
        if self.window.count + self.window.missing >= WINDOW:
            compare(self.baseline, self.window)
            self.window = Sketch.empty(self.baseline.kind, like=self.baseline)


def values(seed: int, length: int) -> list[list[Value]]:
    """[length][40]: what so many events tell."""
    rng = np.random.default_rng(seed)
    columns: list[list[Value]] = [rng.normal(size=length).tolist() for _ in range(NUMBERS - 10)]
    columns += [rng.lognormal(size=length).tolist() for _ in range(5)]
    columns += [(rng.random(length) < 0.1).astype(float).tolist() for _ in range(5)]
    columns += [rng.choice(["en", "de", "fr", "it"], length).tolist() for _ in range(NAMES)]
    centres = rng.normal(size=(8, WIDTH))
    vectors = centres[rng.integers(0, 8, length)] + rng.normal(size=(length, WIDTH))
    columns.append(list(vectors.astype(np.float32)))
    return [list(event) for event in zip(*columns, strict=True)]


def baselines(seed: int, length: int = 1500) -> list[Sketch]:
    """One per signal."""
    events = values(seed, length)
    made = [Sketch.empty(kind) for kind in [Kind.NUMERIC] * NUMBERS + [Kind.CATEGORICAL] * NAMES + [Kind.VECTOR]]
    for at, event in enumerate(events):
        for sketch, value in zip(made, event, strict=True):
            sketch.add(value, float(at), f"a{at}")
    return made


def memory(slices: int, signals: int) -> None:
    """In a process of its own: everything full, then what the process holds."""
    # Each signal in its own memory, as after a restart: its baseline and a window that is nearly full, as bytes.
    prototypes = []
    for sketch, column in zip(baselines(1)[-signals:], zip(*values(2, WINDOW - 1), strict=True), strict=False):
        watched = Watched(sketch)
        for at, value in enumerate(column):
            watched.add(value, 2000.0 + at, f"answer-{at}-0123456789abcdef01234567")
        prototypes.append(watched.to_bytes())
    kept = [[Watched.of(data) for data in prototypes] for _ in range(slices)]
    gc.collect()
    assert len(kept) == slices
    sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}\n")


def throughput(rounds: int) -> None:
    """Events through the detectors of 4 slices, and the ratio of an old history's cost to a young one's."""
    young, old = ([[Watched(sketch) for sketch in baselines(number)] for number in range(2)] for _ in range(2))
    events = values(3, 1000)
    number = count()

    def feed(rows: list[list[Watched]], length: int, told: slice = slice(None)) -> float:
        began = time.process_time()
        for step in range(length):
            at = next(number)
            row, about = rows[step % len(rows)], f"a{at}"
            for watched, value in zip(row[told], events[step % 1000][told], strict=True):
                watched.add(value, 2000.0 + at, about)
        return time.process_time() - began

    feed(young, 300)
    feed(old, 30_000)
    ratios, rates, answers = [], [], []
    for _ in range(rounds):
        fresh = [[Watched(sketch) for sketch in baselines(number)] for number in range(2)]
        feed(fresh, 300)
        first, second = feed(fresh, 1000), feed(old, 1000)
        ratios.append(second / first)
        rates.append(1000 / second)
        answers.append(1000 / feed(old, 1000, ANSWER))
    report(
        "drift: events/s of 40 signals each through the detectors, one process, by its CPU time",
        ">= 5000",
        events=spread(rates, 0),
        events_of_an_answers_15=spread(answers, 0),
        values=spread([rate * 40 for rate in rates], 0),
    )
    report("drift: cost of an event after 30,000 events / after 300", "<= 1.2", ratio=spread(ratios))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", type=int, default=0, help="internal: only say the memory of so many slices, MiB")
    parser.add_argument("--signals", type=int, default=40)
    options = parser.parse_args()
    if options.memory:
        memory(options.memory, options.signals)
        return
    throughput(options.rounds)
    command = [sys.executable, __file__, "--memory", "1000"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    report("drift: memory of 1,000 slices x 40 signals, the whole process", "<= 512 MiB", mib=told)


if __name__ == "__main__":
    main()

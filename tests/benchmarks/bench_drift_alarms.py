"""False alarms on streams without drift against the promise, and the delay to planted shifts beside river's ADWIN and Page-Hinkley.

One value a minute: 10,080 are agreed as normal (a week), 10,080 follow (another). The promise is one for all streams together. The delay is
measured with all detectors at one rate of false alarms: each one's threshold is set on streams without drift so that one in 20 alarms within
4,000 values.
"""

import argparse
import csv
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from interleaved import report
from numpy.typing import NDArray
from questions import DATA

from loopline_embedding.adapters.onnx import load
from loopline_monitoring.detection import Kind, Promise, Sequential, Severity, Sketch, Value, compare

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "services/monitoring/tests/detection"))
from planted_streams import NUMERIC, Stream, still  # noqa: E402

MINUTE, WEEK, WINDOW = 60.0, 10_080, 240
BUDGET = 10.0


def embedded(count: int) -> tuple[NDArray[np.float32], list[str]]:
    """Real questions as vectors, [count, 384], and their subjects."""
    with (DATA / "banking77/train.csv").open() as file:
        rows = random.Random(1).sample(list(csv.DictReader(file)), count)
    embedder = load(ROOT / ".models/all-MiniLM-L6-v2", ROOT / ".models/graphs")
    made: list[bytes] = []
    for start in range(0, count, 64):
        made += embedder.embed([row["text"] for row in rows[start : start + 64]])
    return np.stack([np.frombuffer(one, "<f4") for one in made]).astype(np.float32), [row["category"] for row in rows]


def sketched(kind: Kind, values: Sequence[Value]) -> Sketch:
    made = Sketch.empty(kind)
    for number, value in enumerate(values):
        made.add(value, number * MINUTE)
    return made


def alarms(stream: Stream, promise: Promise, keys: int) -> tuple[int, int]:
    """How often either test opens an alarm in a week."""
    sequential_level = promise.level_sequential(keys)
    window_level = promise.level_window(keys, WEEK / WINDOW)
    baseline = sketched(stream.kind, stream.before)
    test, window = Sequential.against(baseline), Sketch.empty(stream.kind, baseline.ruler)
    opened, by_sequence, by_window = False, 0, 0
    for number, value in enumerate(stream.after):
        at = (len(stream.before) + number) * MINUTE
        if test.add(value, at, ceiling=100 / sequential_level) >= 1 / sequential_level and not opened:
            opened, by_sequence = True, by_sequence + 1
        opened = opened and not test.quiet(sequential_level)
        window.add(value, at)
        if window.count + window.missing >= WINDOW:
            verdict = compare(baseline, window)
            by_window += verdict.p <= window_level and verdict.severity is not Severity.NONE
            window = Sketch.empty(stream.kind, baseline.ruler)
    return by_sequence, by_window


def false_alarms(count: int, vectors: NDArray[np.float32] | None) -> None:
    families = [*NUMERIC, "names", *(["embeddings"] if vectors is not None else [])]
    promise = Promise(BUDGET)
    found: dict[str, list[int]] = {family: [0, 0, 0] for family in families}
    for number in range(count):
        family = families[number % len(families)]
        by_sequence, by_window = alarms(still(family, number, WEEK, WEEK, vectors), promise, count)
        kept = found[family]
        kept[0], kept[1], kept[2] = kept[0] + 1, kept[1] + by_sequence, kept[2] + by_window
    total = sum(kept[1] + kept[2] for kept in found.values())
    detail = {family: f"{kept[1]} + {kept[2]} in {kept[0]}" for family, kept in found.items()}
    report(
        f"drift: false alarms in a week over {count} streams without drift (sequential + windows)",
        f"<= {BUDGET:.0f}",
        alarms=str(total),
        **detail,
    )


def planted(rng: np.random.Generator, length: int) -> dict[str, tuple[Kind, list[Value]]]:
    """Shifts of stated sizes: normal values before (mean 0, variance 1), a rate of .1, three names."""
    noise, chance = rng.normal(size=length), rng.random(length)
    drawn = rng.choice(3, length)
    new = chance < 0.1
    return {
        "mean +0.5 sd": (Kind.NUMERIC, (noise + 0.5).tolist()),
        "mean +1 sd": (Kind.NUMERIC, (noise + 1).tolist()),
        "variance x 4": (Kind.NUMERIC, (noise * 2).tolist()),
        "ramp to +2 sd in 1,000": (Kind.NUMERIC, (noise + np.minimum(2, np.arange(length) / 500)).tolist()),
        "rate .1 -> .2 (label flip)": (Kind.NUMERIC, (chance < 0.2).astype(float).tolist()),
        "silent model change: +0.3 sd, variance / 2": (Kind.NUMERIC, (noise * 0.7 + 0.3).tolist()),
        "20 % missing": (Kind.NUMERIC, [None if chance[k] < 0.2 else float(noise[k]) for k in range(length)]),
        "new name in 10 %": (Kind.CATEGORICAL, ["new" if new[k] else f"name {drawn[k]}" for k in range(length)]),
    }


def baseline_of(name: str, rng: np.random.Generator, length: int) -> list[Value]:
    if "rate" in name:
        return list((rng.random(length) < 0.1).astype(float).tolist())
    if "name" in name:
        return [f"name {number}" for number in rng.choice(3, length)]
    return list(rng.normal(size=length).tolist())


class Ours:
    """The sequential test; its threshold is the evidence at which it alarms."""

    thresholds = tuple(10.0**power for power in np.arange(-4, 6, 0.25))

    def __init__(self, kind: Kind, before: Sequence[Value], threshold: float) -> None:
        self._test, self._threshold = Sequential.against(sketched(kind, before)), threshold
        self._at = len(before) * MINUTE

    def add(self, value: Value) -> bool:
        self._at += MINUTE
        return self._test.add(value, self._at) >= self._threshold


class Adwin:
    """river's, on numbers: a name is its number in the order seen, a missing value is left out. Fed the baseline first."""

    thresholds = tuple(10.0**-power for power in np.arange(0.5, 7, 0.5))

    def __init__(self, kind: Kind, before: Sequence[Value], threshold: float) -> None:
        from river.drift import ADWIN

        self._names: dict[str, int] = {}
        self._detector = ADWIN(delta=threshold)
        for value in before:
            self.add(value)

    def add(self, value: Value) -> bool:
        number = _number(value, self._names)
        if number is None:
            return False
        self._detector.update(number)
        return bool(self._detector.drift_detected)


class PageHinkley:
    """river's, both directions, on standardized numbers, as its scale wants."""

    thresholds = tuple(np.arange(5.0, 120.0, 5.0))

    def __init__(self, kind: Kind, before: Sequence[Value], threshold: float) -> None:
        from river.drift import PageHinkley as RiversPageHinkley

        self._names: dict[str, int] = {}
        held = [number for value in before if (number := _number(value, self._names)) is not None]
        self._mean, self._spread = statistics.fmean(held), statistics.pstdev(held) or 1.0
        self._detector = RiversPageHinkley(threshold=threshold, delta=0.05)
        for value in before:
            self.add(value)

    def add(self, value: Value) -> bool:
        number = _number(value, self._names)
        if number is None:
            return False
        self._detector.update((number - self._mean) / self._spread)
        return bool(self._detector.drift_detected)


def _number(value: Value, names: dict[str, int]) -> float | None:
    if isinstance(value, str):
        return float(names.setdefault(value, len(names)))
    return float(value) if isinstance(value, float) else None


Detector = type[Ours] | type[Adwin] | type[PageHinkley]


def first_alarm(detector: "Ours | Adwin | PageHinkley", values: Sequence[Value]) -> int | None:
    return next((number + 1 for number, value in enumerate(values) if detector.add(value)), None)


def calibrated(make: Detector, name: str, kind: Kind, runs: int, length: int) -> float:
    """The most eager threshold with which at most one in 20 streams without drift alarms."""
    eager = sorted(make.thresholds, reverse=make is Adwin)
    # Eager first: small evidence, large delta, small threshold.
    for threshold in eager:
        false = 0
        for run in range(runs):
            rng = np.random.default_rng([run, 7])
            before, after = baseline_of(name, rng, 1000), baseline_of(name, rng, length)
            false += first_alarm(make(kind, before, threshold), after) is not None
            if false > runs / 20:
                break
        if false <= runs / 20:
            return threshold
    return eager[-1]


def delays(runs: int) -> None:
    detectors: dict[str, Detector] = {"loopline": Ours, "adwin": Adwin, "page-hinkley": PageHinkley}
    for name, (kind, _) in planted(np.random.default_rng(0), 10).items():
        told: dict[str, str] = {}
        medians: dict[str, float] = {}
        for word, make in detectors.items():
            threshold = calibrated(make, name, kind, 2 * runs, 4000)
            found: list[float] = []
            for run in range(runs):
                rng = np.random.default_rng([run, 11])
                before = baseline_of(name, rng, 1000)
                after = planted(rng, 4000)[name][1]
                found.append(first_alarm(make(kind, before, threshold), after) or float("inf"))
            medians[word] = statistics.median(found)
            missed = sum(one == float("inf") for one in found)
            told[word] = f"{medians[word]:.0f}" + (f", {missed} of {runs} missed" if missed else "")
        best = min(medians.values())
        report(
            f"drift: values to the alarm, {name}",
            "the shortest",
            **told,
            shortest="yes" if medians["loopline"] <= best else "no",
        )


def new_subject(vectors: NDArray[np.float32], subjects: Sequence[str], runs: int) -> None:
    """Real questions: 60 subjects are known, then a share of the questions is on 17 others."""
    known = set(sorted(set(subjects))[:60])
    here = np.array([subject in known for subject in subjects])
    for share in (0.2, 0.5, 1.0):
        found = [_until_noticed(vectors[here], vectors[~here], share, run) for run in range(runs)]
        told = {}
        for word, alarms_ in zip(("sequential", "windows", "either"), zip(*found, strict=True), strict=True):
            missed = sum(one == float("inf") for one in alarms_)
            told[word] = f"{statistics.median(alarms_):.0f}" + (f", {missed} of {runs} missed" if missed else "")
        report(
            f"drift: questions to the alarm, {share:.0%} of them on new subjects; one false alarm a week over 40 signals",
            "stated",
            **told,
        )


def _until_noticed(
    known: NDArray[np.float32], others: NDArray[np.float32], share: float, run: int
) -> tuple[float, float, float]:
    """Questions until the sequential test, the windows, either of them alarms."""
    rng = np.random.default_rng([run, 13])
    promise = Promise(1.0)
    level, window_level = promise.level_sequential(40), promise.level_window(40, WEEK / WINDOW)
    baseline = sketched(Kind.VECTOR, list(known[rng.integers(0, len(known), 1000)]))
    test, window = Sequential.against(baseline), Sketch.empty(Kind.VECTOR)
    by_sequence, by_window = float("inf"), float("inf")
    for number in range(4000):
        other = rng.random() < share
        vector = others[rng.integers(len(others))] if other else known[rng.integers(len(known))]
        if test.add(vector, (1000 + number) * MINUTE) >= 1 / level:
            by_sequence = min(by_sequence, number + 1)
        window.add(vector, (1000 + number) * MINUTE)
        if window.count >= WINDOW:
            if by_window > number and compare(baseline, window).p <= window_level:
                by_window = number + 1
            window = Sketch.empty(Kind.VECTOR)
        if max(by_sequence, by_window) < float("inf"):
            break
    return by_sequence, by_window, min(by_sequence, by_window)


def annotated() -> Iterator[tuple[str, list[float]]]:
    """Real streams that lie beside the repository."""
    for name, column, skip in (
        ("occupancy", "V3", 0),
        ("brent_crude_oil", "DPB", 0),
        ("bitcoin", "price", 0),
        ("apple", "Volume", 0),
    ):
        path = DATA / "river_drift" / f"{name}.csv"
        if path.exists():
            with path.open() as file:
                values = [float(row[column]) for row in csv.DictReader(file) if row[column]]
            yield f"{name} {column}", values[skip:]


def real_streams() -> None:
    """The first third is agreed as normal; when each detector, at its usual setting, first says otherwise."""
    for name, values in annotated():
        third = len(values) // 3
        told = {}
        for word, make, threshold in (
            ("loopline", Ours, 80.0),
            ("adwin", Adwin, 0.002),
            ("page_hinkley", PageHinkley, 50.0),
        ):
            alarm = first_alarm(make(Kind.NUMERIC, values[:third], threshold), values[third:])
            told[word] = "none" if alarm is None else f"{third + alarm}"
        report(
            f"drift: first alarm at value, {name}, {len(values)} values, {third} of them agreed as normal",
            "stated",
            **told,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--only", choices=["false", "delays", "subjects", "real"])
    options = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {}
    vectors, subjects = None, list[str]()
    if DATA.is_dir() and options.only in {None, "false", "subjects"}:
        vectors, subjects = embedded(2400)
    elif not DATA.is_dir():
        sys.stdout.write("bench_drift_alarms: embeddings and real streams NOT RUN, the data is not there\n")
    parts["false"] = lambda: false_alarms(options.streams, vectors)
    parts["delays"] = lambda: delays(options.runs)
    if vectors is not None:
        parts["subjects"] = lambda: new_subject(vectors, subjects, options.runs)
    parts["real"] = real_streams
    for name, part in parts.items():
        if options.only in {None, name}:
            part()


if __name__ == "__main__":
    main()

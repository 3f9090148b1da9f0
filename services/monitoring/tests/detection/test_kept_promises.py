"""The figures of the benchmarks, small and seeded: false alarms within the promise, the true cause first, bursts and clocks that do no harm."""

import numpy as np
import pytest
from planted_causes import true_first
from planted_streams import NUMERIC, still

from loopline_monitoring.detection import Kind, Promise, Sequential, Severity, Sketch, compare
from loopline_monitoring.detection.kinds import clean
from loopline_monitoring.detection.vectors import Turned

PROMISE = Promise(4.0)
MINUTE, BEFORE, AFTER, WINDOW = 60.0, 3000, 2000, 200
FAMILIES = [*NUMERIC, "names", "embeddings"]
STREAMS = 28


def sketched(kind, values):
    sketch = Sketch.empty(kind)
    for number, value in enumerate(values):
        sketch.add(value, number * MINUTE)
    return sketch


def false_alarms(number: int) -> int:
    rng = np.random.default_rng(99)
    vectors = (rng.normal(size=(12, 48))[rng.integers(0, 12, 400)] + 0.8 * rng.normal(size=(400, 48))).astype(
        np.float32
    )
    stream = still(FAMILIES[number % len(FAMILIES)], number, BEFORE, AFTER, vectors)
    baseline = sketched(stream.kind, stream.before)
    level = PROMISE.level_sequential(STREAMS)
    by_window = PROMISE.level_window(STREAMS, 7 * 86400 / MINUTE / WINDOW)
    test = Sequential.against(baseline)
    evidence = max(test.add(value, (BEFORE + at) * MINUTE) for at, value in enumerate(stream.after))
    windows = [sketched(stream.kind, stream.after[at : at + WINDOW]) for at in range(0, AFTER, WINDOW)]
    verdicts = [compare(baseline, window) for window in windows]
    told = sum(verdict.p <= by_window and verdict.severity is not Severity.NONE for verdict in verdicts)
    return int(evidence >= 1 / level) + told


def test_streams_that_do_not_change_raise_no_more_alarms_than_promised():
    weeks = AFTER * MINUTE / (7 * 86400)
    assert sum(false_alarms(number) for number in range(STREAMS)) <= PROMISE.per_week * max(1.0, weeks)


def test_the_true_cause_ranks_first_in_nine_of_ten():
    assert sum(true_first(seed) for seed in range(20)) >= 18


@pytest.mark.parametrize("kind", list(Kind))
def test_a_burst_of_equal_values_does_no_harm(kind):
    rng = np.random.default_rng(3)
    usual = {
        Kind.NUMERIC: rng.normal(size=300).tolist(),
        Kind.CATEGORICAL: rng.choice(["a", "b", "c"], 300).tolist(),
        Kind.VECTOR: list(rng.normal(size=(300, 16)).astype(np.float32)),
    }[kind]
    baseline = sketched(kind, usual)
    test, window = Sequential.against(baseline), Sketch.empty(kind)
    # A million in the window; the bets are held at their ceiling long before.
    held = clean(kind, usual[0])
    if isinstance(held, Turned):
        for _ in range(10_000):
            window.hold(held, 1e6)
    else:
        several = np.full(1000, held, np.float32) if isinstance(held, float) else [held] * 1000
        for _ in range(1000):
            window.extend(several, [1e6] * 1000, [""] * 1000)
    for _ in range(10_000):
        test.hold(held, 1e6, ceiling=1e6)
    assert np.isfinite(test.evalue)
    assert 0.0 <= compare(baseline, window).p <= 1.0
    for value in usual:
        test.add(value, 2e6)


def test_order_within_a_window_does_not_matter_to_its_verdict():
    rng = np.random.default_rng(4)
    baseline = sketched(Kind.NUMERIC, rng.normal(size=1000).tolist())
    values = list(enumerate((rng.normal(size=250) + 0.8).tolist()))
    verdicts = []
    for order in (values, [values[int(place)] for place in rng.permutation(250)]):
        window = Sketch.empty(Kind.NUMERIC)
        for at, value in order:
            window.add(value, at * MINUTE)
        verdicts.append(compare(baseline, window))
        assert (window.first, window.last) == (0.0, 249 * MINUTE)
    assert verdicts[0].p == pytest.approx(verdicts[1].p, rel=0.5)
    assert verdicts[0].told == verdicts[1].told

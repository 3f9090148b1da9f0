"""A sketch keeps a stream in a fixed number of bytes, and loses nothing it promises to keep."""

import numpy as np
import pytest

from loopline_monitoring.detection import Kind, Sketch
from loopline_monitoring.detection.correlation import Blocks


def sketched(values, kind=Kind.NUMERIC, start=0.0):
    sketch = Sketch.empty(kind)
    for number, value in enumerate(values):
        sketch.add(value, start + number, f"a{number}")
    return sketch


def test_its_size_does_not_grow_with_the_stream():
    numbers = np.random.default_rng(1).normal(size=20_000).tolist()
    small, large = sketched(numbers[:1000]), sketched(numbers)
    assert len(large.to_bytes()) < len(small.to_bytes()) + 600
    assert len(large.to_bytes()) < 6 * 1024


def test_a_million_different_names_take_no_more_room_than_a_few_hundred():
    sketch = sketched((f"user-{number}" for number in range(20_000)), Kind.CATEGORICAL)
    assert len(sketch.to_bytes()) < 6 * 1024
    assert sketch.summary().top[0][1] < 0.001


def test_the_sample_is_even_over_the_whole_stream():
    sample = sketched([float(number) for number in range(50_000)]).sample()
    assert len(sample) == 320
    assert abs(sample.mean() - 25_000) < 3 * 14_434 / 320**0.5


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), None])
def test_what_is_no_number_counts_as_missing(bad):
    sketch = sketched([1.0, bad, 2.0])
    assert (sketch.count, sketch.missing, sketch.odd) == (2, 1, 0)
    assert sketch.summary().mean == 1.5


@pytest.mark.parametrize(
    ("kind", "odd"),
    [
        (Kind.NUMERIC, "seven"),
        (Kind.NUMERIC, [1.0]),
        (Kind.CATEGORICAL, {"a": 1}),
        (Kind.VECTOR, 1.0),
        (Kind.VECTOR, np.ones((2, 2), np.float32)),
    ],
)
def test_a_value_of_another_type_counts_as_odd(kind, odd):
    sketch = sketched([odd], kind)
    assert (sketch.count, sketch.odd) == (0, 1)


def test_a_vector_of_another_length_counts_as_odd():
    sketch = sketched([np.ones(8, np.float32), np.ones(9, np.float32)], Kind.VECTOR)
    assert (sketch.count, sketch.odd) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Kind.NUMERIC, [0.1 * number for number in range(2000)]),
        (Kind.CATEGORICAL, [f"n{number % 70}" for number in range(2000)]),
        (Kind.VECTOR, list(np.random.default_rng(2).normal(size=(400, 384)).astype(np.float32))),
    ],
)
def test_stopped_and_started_again_it_is_the_same(kind, values):
    whole = sketched(values, kind)
    half = Sketch.from_bytes(sketched(values[:150], kind).to_bytes())
    for number, value in enumerate(values[150:], 150):
        half.add(value, float(number), f"a{number}")
    assert half.to_bytes() == whole.to_bytes()


def test_merged_windows_are_the_whole():
    numbers = np.random.default_rng(3).gamma(2.0, size=3000).tolist()
    whole = sketched(numbers).summary()
    parts = [sketched(numbers[start : start + 300], start=float(start)) for start in range(0, 3000, 300)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    told = merged.summary()
    assert (told.count, told.low, told.high) == (whole.count, whole.low, whole.high)
    assert told.mean == pytest.approx(whole.mean)
    assert told.std == pytest.approx(whole.std)
    assert told.p50 == pytest.approx(whole.p50, rel=0.2)
    assert (merged.first, merged.last) == (0.0, 2999.0)


def test_a_million_equal_values_are_one_value():
    sketch = sketched([7.0] * 30_000)
    told = sketch.summary()
    assert (told.mean, told.std, told.p05, told.p95) == (7.0, 0.0, 7.0, 7.0)
    assert sketch.blocks.inflation() == 1.0


def test_an_empty_sketch_says_zeros():
    told = Sketch.empty(Kind.NUMERIC).summary()
    assert (told.count, told.mean, told.p95) == (0, 0.0, 0.0)


def test_how_much_values_hang_together_is_measured():
    rng = np.random.default_rng(4)
    free, tied = Blocks(), Blocks()
    value = 0.0
    for noise in rng.normal(size=20_000).tolist():
        value = 0.8 * value + noise
        free.add(noise, 0.0, 0.0)
        tied.add(value, 0.0, 0.0)
    assert free.inflation() < 1.2
    # In theory (1 + .8) / (1 - .8) = 9.
    assert 6.0 < tied.inflation() < 12.0


def test_merging_keeps_how_much_values_hang_together():
    rng = np.random.default_rng(5)
    season = np.sin(np.arange(4000) / 100) + 0.3 * rng.normal(size=4000)
    whole, merged = Blocks(), Blocks()
    for value in season.tolist():
        whole.add(value, 0.0, 0.0)
    for start in range(0, 4000, 128):
        part = Blocks()
        for value in season[start : start + 128].tolist():
            part.add(value, 0.0, 0.0)
        merged = merged.merged(part)
    assert merged.inflation() == pytest.approx(whole.inflation(), rel=0.25)
    assert whole.inflation() > 30


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_independent_values_do_not_seem_to_hang_together(share):
    rng = np.random.default_rng(6)
    assert sketched((rng.random(8000) < share).astype(float).tolist()).blocks.inflation() < 1.3
    assert sketched(rng.standard_cauchy(8000).tolist()).blocks.inflation() < 1.3


def test_bursts_of_large_values_hang_together():
    rng = np.random.default_rng(7)
    burst = np.repeat(rng.random(400) < 0.1, 20) * 3.0
    assert sketched((rng.normal(size=8000) + burst).tolist()).blocks.inflation() > 4


def test_windows_that_follow_each_other_merge_without_loss():
    rng = np.random.default_rng(8)
    values = (rng.normal(size=4096) + np.repeat(rng.random(64) < 0.2, 64) * 3).tolist()
    merged = sketched(values[:256])
    window = merged
    for start in range(256, 4096, 256):
        window = Sketch.empty(Kind.NUMERIC, window.ruler)
        for number, value in enumerate(values[start : start + 256], start):
            window.add(value, float(number))
        merged = merged.merge(window)
    assert merged.blocks.inflation() == pytest.approx(sketched(values).blocks.inflation(), rel=0.01)

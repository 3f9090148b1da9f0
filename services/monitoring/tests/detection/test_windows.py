"""The windowed test: p-values that mean what they say, sizes that people can read, and "not enough data" said as such."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from loopline_monitoring.detection import Kind, Severity, Sketch, compare, effects
from loopline_monitoring.detection.windows import smirnov


def sketched(values, kind=Kind.NUMERIC):
    sketch = Sketch.empty(kind)
    for number, value in enumerate(values):
        sketch.add(value, float(number))
    return sketch


def numbers(seed, count):
    return np.random.default_rng(seed).normal(size=count)


@pytest.mark.parametrize(
    ("changed", "severity"),
    [
        (numbers(2, 400) + 0.35, Severity.LOW),
        (numbers(2, 400) + 0.65, Severity.MEDIUM),
        (numbers(2, 400) + 1.5, Severity.HIGH),
        (numbers(2, 400) * 2.0, Severity.HIGH),
    ],
)
def test_severity_is_the_size_of_the_change(changed, severity):
    verdict = compare(sketched(numbers(1, 1000).tolist()), sketched(changed.tolist()))
    assert verdict.p < 1e-4
    assert verdict.severity is severity


def test_more_data_makes_a_trifle_certain_but_not_severe():
    verdict = compare(sketched(numbers(1, 5000).tolist()), sketched((numbers(2, 5000) + 0.1).tolist()))
    assert verdict.severity is Severity.NONE


def test_a_rate_is_compared_by_its_shares():
    rng = np.random.default_rng(3)
    before, after = (rng.random(600) < 0.03).astype(float), (rng.random(600) < 0.15).astype(float)
    verdict = compare(sketched(before.tolist()), sketched(after.tolist()))
    assert verdict.p < 1e-4
    assert verdict.severity is Severity.LOW
    assert verdict.told.startswith("mean 0.0")


def test_a_new_name_is_named():
    rng = np.random.default_rng(4)
    before = rng.choice(["de", "en"], 800).tolist()
    after = rng.choice(["de", "en", "xx"], 300, p=[0.4, 0.4, 0.2]).tolist()
    verdict = compare(sketched(before, Kind.CATEGORICAL), sketched(after, Kind.CATEGORICAL))
    assert verdict.p < 1e-6
    assert verdict.told.startswith("new 'xx' 0.0% -> ")


def test_missing_values_are_found_even_when_all_are_missing():
    verdict = compare(sketched(numbers(1, 500).tolist()), sketched([None] * 200))
    assert verdict.test == "exact share"
    assert verdict.p < 1e-12
    assert verdict.told == "missing 0.0% -> 100.0%"


@pytest.mark.parametrize(
    ("before", "after"), [([], []), ([1.0], [1.0]), ([1.0] * 500, [1.0]), ([1.0], [2.0] * 500), ([1.0] * 500, [])]
)
def test_too_little_is_said_as_such(before, after):
    verdict = compare(sketched(before), sketched(after))
    assert not verdict.enough
    assert verdict.p == 1.0
    assert verdict.told.startswith("not enough data: ")


def test_constants_that_stay_are_no_change_and_that_move_are_one():
    assert compare(sketched([5.0] * 300), sketched([5.0] * 100)).p == 1.0
    moved = compare(sketched([5.0] * 300), sketched([6.0] * 100))
    assert moved.p < 1e-12
    assert moved.severity is Severity.HIGH


@pytest.mark.parametrize("nothing", [[None] * 300, ["seven"] * 300])
def test_two_windows_without_a_value_are_alike(nothing):
    verdict = compare(sketched(nothing), sketched(nothing))
    assert verdict.enough
    assert verdict.p == 1.0


def test_p_values_mean_what_they_say_also_where_values_hang_together():
    rng = np.random.default_rng(6)

    def stream(count):
        made, value = [], 0.0
        for noise in rng.normal(size=count).tolist():
            value = 0.7 * value + noise
            made.append(value)
        return made

    found = [compare(sketched(stream(1500)), sketched(stream(400))).p for _ in range(100)]
    assert sum(p <= 0.05 for p in found) <= 12


def test_subjects_that_move_are_found_and_those_that_stay_are_not():
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(10, 64))

    def about(topics, count):
        return list((centres[rng.choice(topics, count)] + rng.normal(size=(count, 64))).astype(np.float32))

    before = sketched(about(range(8), 600), Kind.VECTOR)
    assert compare(before, sketched(about(range(8), 300), Kind.VECTOR)).p > 0.01
    assert compare(before, sketched(about([0, 1, 2, 8, 8, 9, 9], 300), Kind.VECTOR)).p < 1e-4


def test_vectors_of_another_length_are_a_change_and_no_crash():
    rng = np.random.default_rng(8)
    sides = [sketched(list(rng.normal(size=(300, width)).astype(np.float32)), Kind.VECTOR) for width in (8, 16)]
    verdict = compare(*sides)
    assert verdict.p == 0.0
    assert verdict.told == "vectors of 8 -> 16 numbers"


@pytest.mark.parametrize("rounded", [6, 1, 0])
def test_the_distance_is_scipys_also_with_equal_values(rounded):
    for seed in range(20):
        before, after = (
            np.sort(numbers(seed, 150).round(rounded)),
            np.sort((numbers(seed + 50, 90) + 0.3).round(rounded)),
        )
        distance, p = smirnov(after, effects.ranks(before, after), 150, 90)
        theirs = ks_2samp(before, after, method="asymp")
        assert distance == pytest.approx(theirs.statistic, abs=1e-12)
        assert p == pytest.approx(theirs.pvalue, rel=0.35, abs=1e-4)

"""The sequential test may be looked at after every value, finds changes soon, and says what they are."""

import numpy as np
import pytest

from loopline_monitoring.detection import Kind, Promise, Sequential, Sketch

LEVEL = Promise(per_week=1.0).level_sequential(keys=40)


def baseline(values, kind=Kind.NUMERIC):
    sketch = Sketch.empty(kind)
    for number, value in enumerate(values):
        sketch.add(value, float(number))
    return sketch


def delay(test, values, spacing=10.0):
    """After how many values the alarm comes; none if it does not."""
    for number, value in enumerate(values):
        if test.add(value, number * spacing, f"a{number}") >= 1 / LEVEL:
            return number + 1
    return None


def numbers(seed, count):
    return np.random.default_rng(seed).normal(size=count)


def test_a_stream_that_does_not_change_stays_quiet_for_a_month():
    test = Sequential.against(baseline(numbers(1, 1000).tolist()))
    assert delay(test, numbers(2, 30_000).tolist(), spacing=90.0) is None


@pytest.mark.parametrize(
    ("changed", "leaning", "within"),
    [
        (numbers(3, 500) + 1, "higher", 80),
        (numbers(3, 500) - 1, "lower", 80),
        (numbers(3, 500) * 2, "wider", 100),
        (numbers(3, 500) * 0.4, "narrower", 100),
        (numbers(3, 500) + 9, "more above", 15),
    ],
)
def test_a_change_is_found_soon_and_named(changed, leaning, within):
    test = Sequential.against(baseline(numbers(1, 1000).tolist()))
    found = delay(test, changed.tolist())
    assert found is not None
    assert found <= within
    assert test.leaning.startswith(leaning)


def test_missing_values_are_a_change_of_their_own():
    test = Sequential.against(baseline(numbers(1, 1000).tolist()))
    values = [None if number % 4 == 0 else value for number, value in enumerate(numbers(5, 400).tolist())]
    assert delay(test, values) is not None
    assert test.leaning == "more missing"


def test_a_number_that_becomes_a_text_is_a_change():
    test = Sequential.against(baseline(numbers(1, 1000).tolist()))
    assert delay(test, ["seven"] * 20) is not None
    assert test.leaning == "more of another type"


def test_a_new_name_is_a_change():
    names = np.random.default_rng(6).choice(["de", "en", "fr"], 1000).tolist()
    test = Sequential.against(baseline(names, Kind.CATEGORICAL))
    later = np.random.default_rng(7).choice(["de", "en", "fr", "xx"], 300).tolist()
    assert delay(test, later) is not None
    assert test.leaning == "more new names"


def test_a_rate_that_was_always_zero_and_rises_is_a_change():
    test = Sequential.against(baseline([0.0] * 1000))
    assert delay(test, [1.0 if number % 5 == 0 else 0.0 for number in range(200)]) is not None


def test_vectors_on_a_new_subject_are_a_change():
    rng = np.random.default_rng(8)
    centres = rng.normal(size=(9, 64))

    def about(topics, count):
        return list((centres[rng.choice(topics, count)] + 0.7 * rng.normal(size=(count, 64))).astype(np.float32))

    test = Sequential.against(baseline(about([0, 1, 2, 3], 800), Kind.VECTOR))
    assert delay(test, about([0, 1, 2, 3], 1500)) is None
    test.restart()
    assert delay(test, about([0, 1, 2, 3, 8, 8], 300)) is not None


def test_the_onset_and_the_values_behind_it_are_named():
    test = Sequential.against(baseline(numbers(1, 1000).tolist()))
    values = np.concatenate((numbers(9, 60), numbers(10, 60) + 2))
    assert delay(test, values.tolist()) is not None
    assert 580.0 <= test.onset <= 620.0
    assert all(int(name[1:]) >= 58 for name in test.abouts())
    assert test.abouts()


def test_evidence_comes_down_again_when_the_change_is_over():
    test = Sequential.against(baseline(numbers(1, 1000).tolist()))
    at = 0.0
    for value in (numbers(11, 400) + 2).tolist():
        at += 10
        test.add(value, at, ceiling=100 / LEVEL)
    assert test.evalue >= 1 / LEVEL
    for value in numbers(12, 400).tolist():
        at += 10
        test.add(value, at, ceiling=100 / LEVEL)
    assert test.quiet(LEVEL)


def test_stopped_and_started_again_it_is_the_same():
    values = (numbers(13, 300) + 0.4).tolist()
    whole, half = (Sequential.against(baseline(numbers(1, 1000).tolist())) for _ in range(2))
    for number, value in enumerate(values):
        if number == 137:
            half = Sequential.from_bytes(half.to_bytes())
        assert whole.add(value, number * 10.0, "x") == half.add(value, number * 10.0, "x")
    assert whole.to_bytes() == half.to_bytes()


def test_neither_a_gap_nor_a_clock_that_jumps_is_evidence():
    test = Sequential.against(baseline(numbers(1, 1000).tolist()))
    at = 0.0
    for number, value in enumerate(numbers(14, 2000).tolist()):
        at += {500: 30 * 86400.0, 900: -400 * 86400.0, 1300: 4000 * 86400.0}.get(number, 10.0)
        assert test.add(value, at) < 1 / LEVEL


def test_a_baseline_that_is_too_small_raises_no_alarm():
    test = Sequential.against(baseline([1.0, 2.0, 3.0]))
    assert not test.enough
    assert delay(test, [1e9] * 100) is None


def test_a_baseline_without_a_single_value_can_be_asked():
    test = Sequential.against(Sketch.empty(Kind.NUMERIC))
    assert test.add(1.0, 0.0) == 0.0
    assert (test.onset, test.abouts(), test.leaning) == (0.0, (), "")


@pytest.mark.parametrize("kind", list(Kind))
def test_no_value_whatever_harms_it(kind):
    usual = {
        Kind.NUMERIC: numbers(1, 200).tolist(),
        Kind.CATEGORICAL: ["a", "b"] * 100,
        Kind.VECTOR: list(np.random.default_rng(1).normal(size=(200, 8)).astype(np.float32)),
    }[kind]
    test = Sequential.against(baseline(usual, kind))
    for value in [
        None,
        float("nan"),
        float("inf"),
        "",
        "x" * 10_000,
        10**400,
        [],
        {},
        b"\0",
        np.ones(3, np.float32),
        True,
        1e308,
    ]:
        assert test.add(value, 1.0) >= 0.0

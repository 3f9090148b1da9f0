import math

import numpy as np
import pytest

from loopline_statistics import (
    acceptance,
    benjamini_hochberg,
    detectable_effect,
    holm,
    paired_bootstrap,
    power,
)


@pytest.mark.parametrize("rows", [15, 120])
def test_what_is_the_same_is_called_different_as_often_as_promised(rows: int):
    """A/A: 200 pairs of runs that differ by chance alone, at 5 %."""
    generator = np.random.default_rng(rows)
    wrong = 0
    for seed in range(200):
        hard = generator.uniform(0, 1, rows)
        first, second = (np.clip(hard + generator.normal(0, 0.3, rows), 0, 1) for _ in range(2))
        wrong += paired_bootstrap(first, second, resamples=2_000, seed=seed).p < 0.05
    low, high = acceptance(200, 0.05)
    assert low <= wrong <= high


def test_what_differs_is_seen_as_often_as_the_power_says():
    generator = np.random.default_rng(5)
    seen = 0
    for seed in range(200):
        first = generator.normal(0, 1, 100)
        seen += paired_bootstrap(first, first + generator.normal(0.3, 1, 100), resamples=1_000, seed=seed).p < 0.05
    low, high = acceptance(200, power(0.3, 1, 100))
    assert low <= seen <= high
    assert power(detectable_effect(1, 100), 1, 100) == pytest.approx(0.8, abs=0.001)


def test_interval_and_p_tell_the_same_story():
    generator = np.random.default_rng(6)
    for seed in range(50):
        first = generator.normal(0, 1, 60)
        found = paired_bootstrap(first, first + generator.normal(0.25, 1, 60), seed=seed)
        if abs(found.p - 0.05) > 0.005:
            assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_a_missing_value_takes_its_row_out():
    found = paired_bootstrap([1.0, math.nan, 0.0, 0.5], [0.0, 1.0, 0.0, math.nan])
    assert (found.count, found.unpaired) == (2, 2)
    assert (found.before, found.after, found.effect) == (0.5, 0.0, -0.5)


def test_few_rows_are_no_proof():
    assert paired_bootstrap([0.0] * 3, [1.0] * 3).p == 0.25
    assert paired_bootstrap([0.0], [1.0]).p == 1.0
    assert paired_bootstrap([0.0] * 12, [1.0] * 12).p < 0.01


def test_no_difference_is_no_difference():
    found = paired_bootstrap([0.3, 0.7], [0.3, 0.7])
    assert (found.effect, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(ValueError, match="one length"):
        paired_bootstrap([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="both sides"):
        paired_bootstrap([math.nan], [1.0])


def test_corrections_of_many_comparisons():
    # As R's p.adjust gives them.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert holm([]) == benjamini_hochberg([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]

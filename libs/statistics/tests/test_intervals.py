import math

import numpy as np
import pytest
from scipy import stats

from loopline_statistics import acceptance, mean_interval, rate_interval, students_t


def test_a_mean_is_covered_as_often_as_its_interval_promises():
    generator = np.random.default_rng(1)
    covered = 0
    for seed in range(400):
        interval = mean_interval(generator.exponential(1.0, 40), level=0.9, resamples=1_000, seed=seed)
        covered += interval.low <= 1.0 <= interval.high
    assert 0.85 <= covered / 400 <= 0.94


def test_missing_values_take_no_part():
    assert mean_interval([1.0, math.nan, 3.0]).value == 2.0
    assert mean_interval([1.0, math.nan, 3.0]).count == 2
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([math.nan])


def test_one_value_is_no_evidence():
    assert mean_interval([0.7]).high == math.inf


def test_the_same_seed_gives_the_same_interval():
    values = list(np.random.default_rng(3).normal(size=30))
    assert mean_interval(values, seed=7) == mean_interval(values, seed=7)
    assert mean_interval(values, seed=7) != mean_interval(values, seed=8)


def test_rates_carry_wilsons_interval():
    # Newcombe (1998), table I: 81 of 263 gives .2553 to .3662.
    rate = rate_interval(81, 263)
    assert (rate.low, rate.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert rate_interval(0, 20).low == 0.0
    with pytest.raises(ValueError, match="no rate"):
        rate_interval(0, 0)


def test_counts_that_agree_with_a_rate():
    low, high = acceptance(200, 0.05)
    assert (low, high) == (4, 16)


@pytest.mark.parametrize("freedom", [1, 2, 7, 29, 999, 20_000])
def test_students_t_is_scipys(freedom: int):
    for value in (-40.0, -2.5, -0.3, 0.0, 1e-6, 1.7, 12.0):
        assert students_t.cdf(value, freedom) == pytest.approx(stats.t.cdf(value, freedom), rel=1e-9, abs=1e-13)
    for share in (1e-4, 0.025, 0.3, 0.5, 0.8, 0.995):
        assert students_t.quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("trials", "rate"), [(1, 0.5), (17, 0.02), (200, 0.05), (640, 0.5), (5000, 0.999)])
def test_counts_and_rates_are_scipys(trials: int, rate: float):
    for level in (0.8, 0.95, 0.999):
        assert acceptance(trials, rate, level=level) == tuple(stats.binom.interval(level, trials, rate))
        for hits in {0, trials // 3, trials}:
            own, theirs = (
                rate_interval(hits, trials, level=level),
                stats.binomtest(hits, trials).proportion_ci(level, "wilson"),
            )
            assert (own.low, own.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)

import math

import pytest

from loopline_statistics import ndcg, recall, reciprocal_rank


def test_figures_of_a_ranking_worked_by_hand():
    ranking = ["x", "b", "y", "a"]
    assert reciprocal_rank(ranking, ["a", "b"]) == 0.5
    assert recall(ranking, ["a", "b", "c"]) == pytest.approx(2 / 3)
    assert recall(ranking, ["a", "b", "c"], k=2) == pytest.approx(1 / 3)
    gained = 1 / math.log2(3) + 1 / math.log2(5)
    assert ndcg(ranking, ["a", "b"]) == pytest.approx(gained / (1 + 1 / math.log2(3)))


def test_grades_count():
    assert ndcg(["low", "high"], {"high": 3, "low": 1}) < ndcg(["high", "low"], {"high": 3, "low": 1}) == 1.0


def test_nothing_found_is_zero_and_nothing_to_find_is_refused():
    assert ndcg([], ["a"]) == recall([], ["a"]) == reciprocal_rank([], ["a"]) == 0.0
    with pytest.raises(ValueError, match="relevant"):
        ndcg(["a"], [])
    with pytest.raises(ValueError, match="once"):
        recall(["a", "a"], ["a"])

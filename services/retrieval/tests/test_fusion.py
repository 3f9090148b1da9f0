"""Asking less of the store changes no ranking."""

import random

from loopline_retrieval.fusion import CANDIDATES, fused, hopeful
from loopline_retrieval.model import Hit

K = 10


def best(cosines: dict[int, float], keyword: list[Hit]) -> list[tuple[int, float]]:
    scores = fused(cosines, keyword)
    return [(row, scores[row].fused) for row in sorted(scores, key=lambda row: (-scores[row].fused, row))][:K]


def test_rows_that_cannot_be_among_the_best_are_not_asked_about_and_no_other():
    saved = 0
    for seed in range(200):
        chance = random.Random(seed)
        words = {row: max(0.0, chance.gauss(0.2, 0.3)) for row in range(400)}
        true = {row: min(1.0, 0.2 + 0.5 * words[row] + chance.gauss(0, 0.15)) for row in words}
        near = dict(sorted(true.items(), key=lambda pair: -pair[1])[:CANDIDATES])
        keyword = [Hit(row, score * 20) for row, score in sorted(words.items(), key=lambda pair: -pair[1])[:CANDIDATES]]
        missing = [hit.row for hit in keyword if hit.row not in near]
        asked = [hit.row for hit in hopeful(near, keyword, K)]
        saved += len(missing) - len(asked)
        assert best({**near, **{row: true[row] for row in asked}}, keyword) == best(
            {**near, **{row: true[row] for row in missing}}, keyword
        )
    assert saved > 0


def test_a_small_index_that_missed_something_is_asked_about_all_of_it():
    assert hopeful({1: 0.9}, [Hit(1, 3), Hit(2, 1)], K) == [Hit(2, 1)]
    assert hopeful({1: 0.9}, [], K) == []

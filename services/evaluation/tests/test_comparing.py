import random

import pytest

from loopline_evaluation.model import Evaluator, Scale
from loopline_evaluation.runs.comparing import compare
from loopline_evaluation.runs.fakes import finished, rows_of
from loopline_runtime.errors import Invalid
from loopline_statistics import acceptance


def noisy(seed: int, rows: int, lift: float = 0.0):
    """An answer is right with a chance that belongs to its row."""
    hard = [random.Random(number).random() for number in range(rows)]
    dice = random.Random(f"{seed}")
    return lambda number, trial: float(dice.random() < min(1.0, hard[number] + lift))


def test_two_runs_of_the_same_thing_are_called_different_as_often_as_promised(capsys):
    rows = rows_of(60)
    wrong = 0
    for seed in range(200):
        first, second = (finished(name, rows, noisy(f"{seed}{name}", 60), trials=2) for name in "ab")
        wrong += bool(compare(first, second, seed=seed, resamples=2_000).compared[0].seen)
    low, high = acceptance(200, 0.05)
    with capsys.disabled():
        print(f"\n  A/A: {wrong} of 200 called different at 5 % ({low} to {high} agree with it)")
    assert low <= wrong <= high


def test_a_stated_effect_is_found_with_the_power_that_is_told(capsys):
    rows = rows_of(200)
    seen = 0
    for seed in range(50):
        before, after = finished("a", rows, noisy(f"{seed}a", 200)), finished("b", rows, noisy(f"{seed}b", 200, 0.2))
        one = compare(before, after, seed=seed, resamples=2_000).compared[0]
        seen += one.seen == "better"
    with capsys.disabled():
        print(
            f"  power: an effect of about +.16 over 200 rows was found {seen} times in 50; detectable {one.detectable:.3f}"
        )
    assert seen >= 40


def test_trials_of_a_row_are_one_row():
    rows = rows_of(12)
    before = finished("a", rows, lambda number, trial: float(number % 2), trials=10)
    after = finished("b", rows, lambda number, trial: float(number % 3 == 0), trials=10)
    assert compare(before, after).compared[0].difference.count == 12


def test_lower_may_be_better():
    rows, down = rows_of(40), Scale(lower_is_better=True)
    before = finished("a", rows, lambda number, trial: 0.9, scale=down)
    after = finished("b", rows, lambda number, trial: 0.1 + number % 2 / 10, scale=down)
    assert compare(before, after).compared[0].seen == "better"
    assert compare(after, before).compared[0].seen == "worse"


def test_slices_are_compared_on_their_own_and_small_ones_left_out():
    rows = [*rows_of(30, tags=("x",)), *(row for row in rows_of(64, metadata={"language": "de"})[30:60])]
    rows += rows_of(64, tags=("rare",))[60:]
    before = finished("a", rows, lambda number, trial: 0.5 + number % 5 / 10)
    after = finished("b", rows, lambda number, trial: 0.5 + number % 5 / 10 - 0.4 * (30 <= number < 60))
    found = {one.slice: one for one in compare(before, after, slice_by=["tag", "language"]).compared}
    assert set(found) == {"", "tag=x", "language=de"}
    assert (found["language=de"].seen, found["tag=x"].seen) == ("worse", "")


def test_many_metrics_are_corrected():
    rows = rows_of(40)
    metrics = [f"m{number}" for number in range(30)]
    before = finished("a", rows, noisy(3, 40), metrics=metrics)
    after = finished("b", rows, noisy(4, 40), metrics=metrics)
    found = compare(before, after).compared
    assert all(one.p >= one.difference.p for one in found)
    assert [one.metric for one in found if one.difference.p < 0.05] != []
    assert [one.metric for one in found if one.seen] == []


def test_the_rows_that_moved_most_come_first_with_both_texts():
    rows = rows_of(10)
    before = finished("a", rows, lambda number, trial: 0.5)
    after = finished("b", rows, lambda number, trial: 0.5 + (number == 7) * 0.4 - (number == 3) * 0.5)
    moved = compare(before, after).moved
    assert [(one.row.id, one.after) for one in moved] == [("r3", 0.0), ("r7", 0.9)]
    assert (moved[0].text_before, moved[0].text_after) == ("a 3", "b 3")


def test_what_made_the_answers_is_told_where_it_changed():
    rows = rows_of(5)
    one, other = (finished(name, rows, lambda number, trial: 0.5, model=name) for name in "ab")
    assert compare(one, other).changed == {"model": ("a", "b")}


def test_what_cannot_be_compared_is_refused():
    rows = rows_of(5)
    value = lambda number, trial: 0.5  # noqa: E731
    one = finished("a", rows, value)
    with pytest.raises(Invalid, match="different datasets"):
        compare(one, finished("b", rows, value, version="v2"))
    with pytest.raises(Invalid, match="judged by loopline 1 and by judge 1 x"):
        compare(one, finished("b", rows, value, evaluator=Evaluator("judge", "1", "x")))
    with pytest.raises(Invalid, match="not in both"):
        compare(one, finished("b", rows, value), metrics=["bleu"])


def test_a_missing_value_takes_its_row_out_and_counts_as_nothing():
    rows = rows_of(20)
    before = finished("a", rows, lambda number, trial: 1.0)
    after = finished("b", rows, lambda number, trial: None if number < 15 else 1.0)
    one = compare(before, after).compared[0]
    assert (one.difference.count, one.difference.unpaired, one.difference.effect) == (5, 15, 0.0)

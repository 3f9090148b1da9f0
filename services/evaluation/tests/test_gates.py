import random

import pytest

from loopline_evaluation.gates.deciding import Verdict, decide
from loopline_evaluation.gates.policy import policy_of
from loopline_evaluation.model import Evaluator
from loopline_evaluation.runs.fakes import finished, rows_of
from loopline_runtime.errors import Invalid

POLICY = policy_of("metrics: {f1: {floor: 0.6, no_worse_by: 0.1}}")
ROWS = rows_of(60)


def warm(seed: str, right: float = 0.9):
    dice = random.Random(seed)
    return lambda number, trial: float(dice.random() < right)


def test_the_same_target_at_temperature_passes_and_a_worse_one_fails():
    baseline = finished("base", ROWS, warm("base"), trials=3)
    same = [decide(POLICY, finished("run", ROWS, warm(f"same {n}"), trials=3), baseline).verdict for n in range(20)]
    worse = [
        decide(POLICY, finished("run", ROWS, warm(f"worse {n}", 0.5), trials=3), baseline).verdict for n in range(20)
    ]
    assert same.count(Verdict.PASS) >= 19
    assert same.count(Verdict.FAIL) == 0
    assert worse.count(Verdict.FAIL) >= 18


def test_too_few_rows_and_too_many_missing_values_are_no_evidence():
    few = decide(policy_of("metrics: {f1: {floor: 0.1}}"), finished("a", rows_of(5), warm("x")))
    assert (few.verdict, few.exit_status) == (Verdict.DOUBT, 2)
    assert "5 rows" in few.checks[0].told
    lost = decide(policy_of("metrics: {f1: {floor: 0.1}}"), finished("a", ROWS, lambda n, t: None if n % 3 else 1.0))
    assert lost.verdict is Verdict.DOUBT
    assert "40 JUDGE_TIMED_OUT" in lost.checks[0].told


def test_near_the_bound_it_says_how_many_rows_would_tell():
    found = decide(policy_of("metrics: {f1: {floor: 0.6}}"), finished("a", ROWS, lambda n, t: float(n % 3 > 0)))
    assert found.verdict is Verdict.DOUBT
    assert "rows would tell" in found.checks[0].told


def test_a_slice_may_fail_alone():
    rows = [*rows_of(40), *rows_of(80, metadata={"language": "de"})[40:]]
    policy = policy_of("metrics: {f1: {floor: 0.5, slices: {language=de: {floor: 0.6}, language=fr: {floor: 0.1}}}}")
    found = decide(policy, finished("a", rows, lambda n, t: 0.9 if n < 40 else 0.3))
    verdicts = {check.name: check.verdict for check in found.checks}
    assert verdicts["f1[language=de] >= 0.6"] is Verdict.FAIL
    assert verdicts["f1 >= 0.5"] is Verdict.PASS
    assert verdicts["f1[language=fr] >= 0.1"] is Verdict.DOUBT
    assert found.exit_status == 1


def test_a_budget_is_kept_or_not():
    policy = policy_of("{metrics: {f1: {floor: 0.1}}, budget: {tokens: 5999, p95_s: 0.2, failed_share: 0, money: 1}}")
    found = decide(policy, finished("a", ROWS, lambda n, t: 1.0))
    assert [check.verdict for check in found.checks[1:]] == [Verdict.FAIL, Verdict.DOUBT, Verdict.PASS, Verdict.PASS]


def test_unstable_rows_are_listed_and_do_not_block():
    found = decide(
        policy_of("metrics: {f1: {floor: 0.5}}"), finished("a", ROWS, lambda n, t: float(n > 2 or t), trials=2)
    )
    assert found.verdict is Verdict.PASS
    assert [(one.row_id, one.values) for one in found.unstable] == [(f"r{n}", (0.0, 1.0)) for n in range(3)]


def test_what_must_not_be_decided_is_refused():
    run = finished("a", ROWS, lambda n, t: 1.0)
    with pytest.raises(Invalid, match="baseline run is needed"):
        decide(POLICY, run)
    with pytest.raises(Invalid, match="different datasets"):
        decide(POLICY, run, finished("b", ROWS, lambda n, t: 1.0, version="v2"))
    with pytest.raises(Invalid, match="judged by"):
        decide(POLICY, run, finished("b", ROWS, lambda n, t: 1.0, evaluator=Evaluator("judge", "2", "other")))
    with pytest.raises(Invalid, match="did not measure"):
        decide(policy_of("metrics: {bleu: {floor: 0.1}}"), run)


def test_a_judge_that_people_do_not_agree_with_neither_passes_nor_fails_anything():
    policy, why = policy_of("metrics: {f1: {floor: 0.5}}"), {"f1": "kappa 0.2 with people"}
    for value in (1.0, 0.0):
        found = decide(policy, finished("a", ROWS, lambda n, t, told=value: told), distrusted=why)
        assert (found.verdict, found.exit_status) == (Verdict.DOUBT, 2)
        assert found.checks[0].told == "its judge may not gate: kappa 0.2 with people"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("metrics: [", "no YAML"),
        ("just words", "mapping"),
        ("metrics: {}", "metrics"),
        ("metrics: {f1: {}}", "asks nothing"),
        ("metrics: {f1: {flor: 0.5}}", "flor"),
        ("metrics: {f1: {floor: high}}", "floor"),
        ("{metrics: {f1: {floor: 0.5}}, rows: 0}", "rows"),
        ("metrics: {f1: {slices: {de: {floor: 0.5}}}}", "key=value"),
    ],
)
def test_a_policy_that_says_something_else_is_refused_with_the_place(text: str, told: str):
    with pytest.raises(Invalid, match=told):
        policy_of(text)

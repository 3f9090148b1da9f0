"""A metric of one's own is a file; whatever it does, it does to itself alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loopline_evaluation.adapters.own_functions import OwnFunctions
from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Answer, Passage, Purse, Reason, Score, Verdict
from loopline_evaluation.runs.measuring import Measuring
from loopline_evaluation.runs.model import Reply
from loopline_runtime.errors import Invalid

ANSWER = Answer("a" * 32, "acme", "Why?", "Because it is so.", (Passage("c", "d", "It is so."),))
GOOD = """
VERSION = "7"
SCALE = (0, 10)
PASSES_AT = 5
print("what is printed is nobody's answer")

def score(question, answer, passages, reference):
    return len(answer.split()), f"{len(passages)} passages"
"""


class NoRules:
    async def ruled(self, answer: Answer) -> list[Score]:
        return []


@pytest.fixture
async def functions(tmp_path: Path) -> AsyncIterator[OwnFunctions]:
    async with OwnFunctions.opened(tmp_path, seconds=2.0, memory_bytes=64 * 1024 * 1024) as functions:
        yield functions


async def one(functions: OwnFunctions, folder: Path, source: str) -> Score:
    (folder / "mine.py").write_text(source)
    (score,) = await functions.scores(ANSWER)
    return score


async def test_a_python_file_is_a_metric(functions: OwnFunctions, tmp_path: Path):
    score = await one(functions, tmp_path, GOOD)
    assert (score.metric, score.value, score.verdict) == ("mine", 4.0, Verdict.FAIL)
    assert (score.evaluator.name, score.evaluator.version, score.scale.highest) == ("own", "7", 10)
    assert score.evidence[0].note == "1 passages"
    assert (await one(functions, tmp_path, GOOD.replace("PASSES_AT = 5", "PASSES_AT = 4"))).verdict is Verdict.PASS


async def test_runs_measure_by_it_too(functions: OwnFunctions, tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "def score(question, answer, passages, reference):\n    return float(reference in answer)\n"
    )
    (tmp_path / "unasked.py").write_text("def score(**_):\n    return 0.5\n")
    measuring = Measuring(NoRules(), own=functions)
    measuring.check(["mine", "exact_match"])
    with pytest.raises(Invalid, match=r"there are: .*mine.*unasked"):
        measuring.check(["missing"])
    row = Row("r1", "Why?", ("it is so",))
    scores = await measuring.scores(row, Reply(ANSWER), ["mine", "exact_match"], Purse("p", 0))
    assert [(score.metric, score.value) for score in scores] == [("mine", 1.0), ("exact_match", 0.0)]
    (tmp_path / "mine.py").unlink()
    (gone,) = await measuring.scores(row, Reply(ANSWER), ["mine"], Purse("p", 0))
    assert gone.missing is not None
    assert gone.missing.reason == Reason.NO_EVALUATOR


@pytest.mark.parametrize(
    ("body", "reason", "told"),
    [
        ("return 1 / 0", Reason.EVALUATOR_FAILED, "it raised ZeroDivisionError: division by zero"),
        ("import time; time.sleep(60)", Reason.TIMED_OUT, "longer than 2 s"),
        ("return len(bytearray(10**9))", Reason.EVALUATOR_FAILED, "it raised MemoryError"),
        ("import os; os.kill(os.getpid(), 11)", Reason.EVALUATOR_FAILED, "it crashed (signal 11)"),
        ("return float('nan')", Reason.NO_VALUE, "nan"),
        ("return 11", Reason.WRONG_SCALE, "the scale is 0 to 1"),
        ("return None", Reason.NOTHING_TO_SCORE, "nothing to score"),
        ("return 'good'", Reason.EVALUATOR_FAILED, "it raised ValueError"),
        ("this is no Python", Reason.EVALUATOR_FAILED, "it raised SyntaxError"),
        ("import os; return 1.0 if os.environ.get('SECRET') else 1 / 0", Reason.EVALUATOR_FAILED, "ZeroDivisionError"),
    ],
    ids=["raises", "hangs", "explodes", "crashes", "nan", "scale", "none", "text", "syntax", "environment"],
)
async def test_one_that_goes_wrong_is_missing_and_the_next_answer_is_scored(
    functions: OwnFunctions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, reason: Reason, told: str
):
    monkeypatch.setenv("SECRET", "known to the service alone")
    (tmp_path / "other.py").write_text("def score(**_):\n    return 0.5\n")
    (tmp_path / "mine.py").write_text(f"def score(question, answer, passages, reference):\n    {body}\n")
    for _ in range(2):
        mine, other = await functions.scores(ANSWER)
        assert mine.value is None
        assert mine.missing is not None
        assert mine.missing.reason == reason
        assert told in mine.missing.detail
        assert other.value == 0.5

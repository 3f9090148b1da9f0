import pytest

from loopline_evaluation.app.metrics import Case
from loopline_evaluation.datasets.rows import Reference, Row
from loopline_evaluation.model import Answer, Outcome, Passage, Reason
from loopline_evaluation.tasks import TASKS
from loopline_evaluation.tasks.overlap import normalised
from loopline_evaluation.tasks.task import Replied

BY_NAME = {task.name: task for task in TASKS}


def replied(said: str, *references: str, chosen: int | None = None, **more) -> Replied:
    given = {key: more.pop(key) for key in ("outcome", "passages", "abstained") if key in more}
    return Replied(Row("r", "Who?", references, **more), Case(Answer("a", "t", "Who?", said, **given)), chosen)


def value(metric: str, *args, **more) -> float | None:
    return BY_NAME[metric].score(replied(*args, **more)).value


def test_answers_are_compared_as_squad_compares_them():
    assert normalised("The  “Tower”, an old one.") == "tower old one"
    assert value("exact_match", "The Ada Moreland. [1]", "Ada Moreland") == 1.0
    assert value("exact_match", "It was Ada Moreland", "Ada Moreland") == 0.0
    assert value("holds_reference", "It was Ada Moreland. [1]", "Bob", "ada moreland") == 1.0
    assert value("holds_reference", "In 18711", "1871") == 0.0
    assert value("token_f1", "Ada Moreland built it", "Ada Moreland") == pytest.approx(2 * 2 / 6)
    assert value("token_f1", "nothing alike", "Ada Moreland", "nothing") == pytest.approx(2 / 3)


def test_bleu_chrf_and_rouge_are_those_of_their_libraries():
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    said, wanted = "The tower was built by Ada Moreland in 1871.", ["Ada Moreland built the tower in 1871.", "No."]
    assert value("bleu", said, *wanted) == BLEU(effective_order=True).sentence_score(said, wanted).score / 100
    assert value("chrf", said, *wanted) == CHRF().sentence_score(said, wanted).score / 100
    rouge = RougeScorer(["rougeL"]).score_multi(wanted, said)["rougeL"].fmeasure
    assert value("rouge_l", said, *wanted) == rouge
    assert value("bleu", "灯塔建于一八七一年", "灯塔建于一八七一年。", metadata={"language": "zh"}) > 0.5


def test_refusing_is_right_or_wrong_as_the_row_says():
    declines = "The documents do not answer this question."
    assert value("refuses_unanswerable", declines, answerable=False) == 1.0
    assert value("refuses_unanswerable", "It is 9 m.", answerable=False) == 0.0
    assert value("refuses_unanswerable", declines, answerable=True) is None
    assert value("over_refusal", declines, answerable=True) == 1.0
    assert value("over_refusal", "It is 9 m.", "9 m") == 0.0
    assert value("over_refusal", declines) is None


def test_a_choice_is_right_when_it_is_the_reference():
    assert value("choice", "", "b", choices=("a", "b"), chosen=1) == 1.0
    assert value("choice", "", "b", choices=("a", "b"), chosen=0) == 0.0
    assert value("choice", "b", "b", choices=("a", "b")) is None


def test_reference_passages_are_known_by_chunk_text_or_document():
    found = (
        Passage("c9", "d9", "Something else entirely, about boats and the men who row them."),
        Passage("c1", "d1", "The lighthouse at Skerry Point was built in 1871 by Ada Moreland, an engineer."),
        Passage("c2", "d2", "Oil was burned until 1902."),
        Passage("c3", "d3", "More.", source="b.md"),
    )
    wanted = (
        Reference(text="The lighthouse at Skerry Point was built in 1871 by Ada Moreland, who was a woman."),
        Reference(chunk="c2", text="not compared"),
        Reference(source="b.md"),
        Reference(document="d7"),
    )
    assert value("mrr_at_10", "x", passages=found, metadata={}) is None
    one = Replied(Row("r", "q", passages=wanted), Case(Answer("a", "t", "q", "x", found)))
    assert BY_NAME["mrr_at_10"].score(one).value == 0.5
    assert BY_NAME["recall_at_10"].score(one).value == 0.75
    assert 0.5 < BY_NAME["ndcg_at_10"].score(one).value < 0.9


def test_what_cannot_be_measured_is_missing_with_its_reason():
    score = BY_NAME["exact_match"].score(replied("x"))
    assert (score.value, score.missing.reason) == (None, Reason.NOTHING_TO_SCORE)
    score = BY_NAME["exact_match"].score(replied("x", "x", outcome=Outcome.FAILED))
    assert (score.value, score.missing.reason) == (None, Reason.NOT_COMPLETED)
    assert len(BY_NAME) == len(TASKS)

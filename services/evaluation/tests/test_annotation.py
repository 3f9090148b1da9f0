"""Answers go to people by rule, each label is a person's, and judges are held against them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from loopline.evaluation.v1 import annotation_service_pb2 as messages
from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_evaluation import plain
from loopline_evaluation.adapters.annotations_sql import AnnotationsSql
from loopline_evaluation.adapters.answers_sql import AnswersSql
from loopline_evaluation.adapters.tables import MIGRATIONS
from loopline_evaluation.annotation.annotating import Annotating
from loopline_evaluation.annotation.calibrating import Calibrating, Trust
from loopline_evaluation.annotation.model import Asked, Label, Queue, Rules, checked
from loopline_evaluation.annotation_rpc import AnnotationRpc
from loopline_evaluation.app import Feedbacks
from loopline_evaluation.model import (
    Answer,
    Cost,
    Evaluator,
    Feedback,
    Judging,
    Kept,
    Purse,
    Scale,
    Score,
    Stage,
    Thumb,
    Verdict,
    Why,
)
from loopline_grpc.access import called_by
from loopline_runtime.access import Caller, Right
from loopline_runtime.errors import Invalid, NotFound
from loopline_sql.database import Database

JUDGE = Evaluator("ragas", "0.4.3", "judge")
QUEUE = Queue("truth", "Is it true?", ("no", "yes"), metric="faithfulness")


class Doubtful:
    """Judges that find longer answers better, and mind what passage stands first."""

    def __init__(self) -> None:
        self.purses: set[str] = set()

    def names(self) -> Sequence[str]:
        return ("faithfulness",)

    def ceiling(self, answer: Answer, metrics: Sequence[str]) -> int:
        return 0

    async def judge(self, answer: Answer, metrics: Sequence[str], purse: Purse) -> list[Score]:
        self.purses.add(purse.name)
        value = 0.5 + 0.1 * answer.text.count(".") - 0.3 * (answer.passages[0].text != "first")
        return [score("faithfulness", value, JUDGE, cost=Cost(1, 10, 5))]


def score(metric: str, value: float | None, by: Evaluator, passes_at: float = 0.5, **more: Any) -> Score:
    given = None if value is None else Verdict.PASS if value >= passes_at else Verdict.FAIL
    return Score(metric, value, Scale(), by, given, passes_at=passes_at, **more)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.opened(database_url, MIGRATIONS) as database:
        yield database


@pytest.fixture
def annotations(database: Database) -> AnnotationsSql:
    return AnnotationsSql(database)


@pytest.fixture
def annotating(database: Database, annotations: AnnotationsSql) -> Annotating:
    return Annotating(annotations, AnswersSql(database))


async def kept(database: Database, number: int, *scores: Score) -> Kept:
    fact = AnswerFinished(answer_id=f"{number:032x}", question="Why?", text="Because. It is so.", outcome=1)
    for told in ("first", "second"):
        fact.passages.add(chunk_id=told, document_id="d", text=told)
    judging = Judging(Stage.JUDGED, Why.BASE_RATE)
    made = Kept(plain.answer(fact, "acme"), fact.SerializeToString(), tuple(scores), judging)
    await AnswersSql(database).put(made)
    return made


@pytest.mark.parametrize(
    ("rules", "values", "why"),
    [
        (Rules(), (0.9, 0.9), None),
        (Rules(random_share=1.0), (0.9, 0.9), Asked.RANDOM),
        (Rules(disagreeing=("faithfulness", "support")), (0.9, 0.1), Asked.DISAGREEMENT),
        (Rules(disagreeing=("faithfulness", "support")), (0.9, None), None),
        (Rules(unsure_within=0.1), (0.55, 0.9), Asked.UNSURE),
        (Rules(unsure_within=0.1), (None, 0.9), None),
    ],
)
async def test_rules_send_answers_to_people(
    database: Database, annotating: Annotating, rules: Rules, values: tuple[Any, Any], why: Asked | None
):
    await annotating.put_queue("acme", replace(QUEUE, rules=rules))
    answer = await kept(
        database, 1, score("faithfulness", values[0], JUDGE), score("support", values[1], Evaluator("loopline", "1"))
    )
    for _ in range(2):
        await annotating.consider(answer)
    claimed = await annotating.claim("acme", "truth", "ann")
    assert (claimed[0].why if claimed else None) == why
    assert await annotating.claim("acme", "truth", "bob") is None


async def test_a_thumb_down_sends_it_to_people(database: Database, annotating: Annotating):
    await annotating.put_queue("acme", replace(QUEUE, rules=Rules(thumbs_down=True)))
    answer = await kept(database, 1)
    await annotating.consider(answer)
    assert await annotating.claim("acme", "truth", "ann") is None
    feedbacks = Feedbacks(AnswersSql(database), annotating, judge=False)
    await feedbacks.submit("acme", answer.answer.answer_id, Feedback("eve", Thumb.DOWN))
    claimed = await annotating.claim("acme", "truth", "ann")
    assert claimed is not None
    assert claimed[0].why is Asked.THUMBS_DOWN


async def filled(database: Database, annotating: Annotating, count: int, queue: Queue = QUEUE) -> list[str]:
    await annotating.put_queue("acme", replace(queue, rules=Rules(random_share=1.0)))
    ids = []
    for number in range(1, count + 1):
        value = 0.9 if number % 2 else 0.1
        answer = await kept(database, number, score("faithfulness", value, JUDGE))
        await annotating.consider(answer)
        ids.append(answer.answer.answer_id)
    return ids


async def test_a_claim_holds_one_answer_for_one_person(
    database: Database, annotating: Annotating, annotations: AnnotationsSql
):
    first, second = await filled(database, annotating, 2)

    async def claimed(who: str, *leave_out: str) -> str | None:
        found = await annotating.claim("acme", "truth", who, 60, leave_out)
        return found[0].answer_id if found else None

    assert [await claimed("ann"), await claimed("bob"), await claimed("ann"), await claimed("eve")] == [
        first,
        second,
        first,
        None,
    ]
    await annotations.release("acme", "truth", first, "ann")
    assert await claimed("eve") == first
    await annotating.label("acme", "truth", Label(first, "eve", "yes", "I was there"))
    assert await claimed("eve") is None
    assert await claimed("bob", second) is None
    (state,) = await annotations.states("acme")
    assert (state.items, state.done, state.labels) == (2, 1, 1)
    with pytest.raises(Invalid, match="is no label of truth: no, yes"):
        await annotating.label("acme", "truth", Label(second, "bob", "perhaps"))
    with pytest.raises(NotFound):
        await annotating.label("acme", "truth", Label("f" * 32, "bob", "yes"))
    with pytest.raises(NotFound):
        await annotating.claim("other", "truth", "ann")


async def test_a_lease_that_ran_out_is_free(database: Database, annotating: Annotating, annotations: AnnotationsSql):
    (only,) = await filled(database, annotating, 1)
    assert await annotations.claim("acme", QUEUE, "ann", -1.0)
    claimed = await annotating.claim("acme", "truth", "bob")
    assert claimed is not None
    assert claimed[0].answer_id == only


async def test_agreement_is_told_by_pair_and_over_all(database: Database, annotating: Annotating):
    ids = await filled(database, annotating, 8, replace(QUEUE, annotators=3))
    for place, answer_id in enumerate(ids):
        truth = "yes" if place % 2 else "no"
        for who, label in (("ann", truth), ("bob", truth), ("eve", "yes")):
            await annotating.label("acme", "truth", Label(answer_id, who, label))
    found = await annotating.agreement("acme", "truth")
    kappas = {(pair.first, pair.second): pair.kappa.value if pair.kappa else None for pair in found.pairs}
    assert kappas[("ann", "bob")] == pytest.approx(1.0)
    assert kappas[("ann", "eve")] == pytest.approx(0.0)
    assert found.alpha is not None
    assert 0 < found.alpha.value < 1
    assert found.items == 8


async def test_a_judge_that_disagrees_with_people_may_not_gate(
    database: Database, annotating: Annotating, annotations: AnnotationsSql
):
    ids = await filled(database, annotating, 30)
    judges = Doubtful()
    calibrating = Calibrating(annotating, annotations, AnswersSql(database), judges, Trust(0.4))

    async def labelled(agreeing: int) -> None:
        for place, answer_id in enumerate(ids):
            judge_says = "no" if place % 2 else "yes"
            label = judge_says if place < agreeing else "yes" if judge_says == "no" else "no"
            await annotating.label("acme", "truth", Label(answer_id, "ann", label))

    await labelled(30)
    good = await calibrating.calibrate("acme", "truth", 0, 0)
    assert good.kappa is not None
    assert (good.items, good.kappa.value, good.evaluator) == (30, pytest.approx(1.0), JUDGE)
    assert await calibrating.distrusted("acme", ["faithfulness"], "judge") == {}
    await labelled(20)
    await calibrating.calibrate("acme", "truth", 0, 0)
    why = await calibrating.distrusted("acme", ["faithfulness"], "judge")
    assert "it agrees too little with people: kappa 0.3" in why["faithfulness"]
    for metric, judge in (("faithfulness", "another judge"), ("tone", "judge")):
        assert "never held against people" in (await calibrating.distrusted("acme", [metric], judge))[metric]
    lenient = Calibrating(annotating, annotations, AnswersSql(database), judges, Trust(0.4, required=False))
    assert await lenient.distrusted("acme", ["tone"], "judge") == {}


async def test_swaps_show_what_sways_a_judge(database: Database, annotating: Annotating, annotations: AnnotationsSql):
    ids = await filled(database, annotating, 6)
    for answer_id in ids:
        await annotating.label("acme", "truth", Label(answer_id, "ann", "yes"))
    judges = Doubtful()
    calibrating = Calibrating(annotating, annotations, AnswersSql(database), judges, Trust())
    made = await calibrating.calibrate("acme", "truth", 4, 1000)
    assert made.position is not None
    assert made.length is not None
    assert (made.position.change.value, made.position.flips) == (pytest.approx(-0.3), 1.0)
    assert (made.length.change.value, made.length.flips) == (pytest.approx(0.1), 0.0)
    assert (made.requests, made.tokens) == (12, 180)
    assert len(judges.purses) == 1
    assert await annotations.calibrations("acme") == [made]


async def test_the_door_gives_answers_to_people(
    database: Database, annotating: Annotating, annotations: AnnotationsSql
):
    calibrating = Calibrating(annotating, annotations, AnswersSql(database), None, Trust())
    door = AnnotationRpc(annotating, annotations, calibrating)
    with called_by(Caller(tenant="acme", rights=frozenset({Right.ADMIN}), key_name="k")):
        queue = messages.AnnotationQueue(
            name="truth", question="Is it true?", labels=["no", "yes"], metric="faithfulness",
            rules=messages.Rules(random_share=1),
        )  # fmt: skip
        await door.PutQueue(messages.PutQueueRequest(queue=queue), None)
        answer = await kept(database, 1, score("faithfulness", 0.9, JUDGE))
        await annotating.consider(answer)
        claimed = await door.Claim(messages.ClaimRequest(queue="truth"), None)
        assert (claimed.answer.text, claimed.why) == ("Because. It is so.", "RANDOM")
        label = messages.LabelRequest(queue="truth", answer_id=claimed.answer.answer_id, label="yes")
        await door.Label(label, None)
        (state,) = (await door.ListQueues(messages.ListQueuesRequest(), None)).queues
        assert (state.queue.rules.random_share, state.done) == (1, 1)
        assert not (await door.Claim(messages.ClaimRequest(queue="truth"), None)).HasField("answer")
        assert (await door.GetAgreement(messages.GetAgreementRequest(queue="truth"), None)).items == 1
        made = (await door.Calibrate(messages.CalibrateRequest(queue="truth"), None)).calibration
        assert (made.metric, made.items, made.agreement.value) == ("faithfulness", 1, 1.0)
        assert not made.may_gate
        assert "is not defined" in made.why_not
        assert len((await door.ListCalibrations(messages.ListCalibrationsRequest(), None)).calibrations) == 1


@pytest.mark.parametrize(
    ("queue", "told"),
    [
        (replace(QUEUE, name="a b"), "name"),
        (replace(QUEUE, question=" "), "asked"),
        (replace(QUEUE, labels=("yes",)), "labels"),
        (replace(QUEUE, labels=("yes", "yes")), "labels"),
        (replace(QUEUE, annotators=10), "annotators"),
        (replace(QUEUE, rules=Rules(random_share=2)), "share"),
        (replace(QUEUE, rules=Rules(random_share=float("nan"))), "share"),
        (replace(QUEUE, rules=Rules(disagreeing=("a",))), "two metrics"),
        (replace(QUEUE, metric="", rules=Rules(unsure_within=0.1)), "needs the queue's metric"),
    ],
)
def test_a_queue_that_makes_no_sense_is_refused(queue: Queue, told: str):
    with pytest.raises(Invalid, match=told):
        checked(queue)

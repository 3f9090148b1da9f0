"""Questions that are always asked again; signals as facts tell them; the policy that the page shows."""

import re
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loopline.evaluation.v1.events_pb2 import AnswerEvaluated, Feedback, FeedbackGiven, Score, Thumb
from loopline.generation.v1.events_pb2 import AnswerFinished, Citation, Outcome, Verdicts, Versions
from loopline.retrieval.v1.events_pb2 import QueryServed, ServedPassage
from loopline_monitoring.adapters.policy_toml import policy_of
from loopline_monitoring.adapters.state_sql import StateSql
from loopline_monitoring.app import Asking, Monitor, Watching
from loopline_monitoring.model import Canaries, Intention, Key, Observed, Policy
from loopline_monitoring.ports import Answered
from loopline_monitoring.readings.answers import of_answer
from loopline_monitoring.readings.evaluations import of_evaluated, of_feedback
from loopline_monitoring.readings.queries import of_query
from loopline_nats.envelope import Delivery
from loopline_runtime.errors import Unavailable

CANARIES = Canaries("acme", "manuals", ("Who built it?", "When?"))
README = Path(__file__).parents[1] / "README.md"


def delivery(event_id: str = "e1") -> Delivery:
    at = datetime.fromtimestamp(1e9, UTC)
    return Delivery(event_id, "acme", "", "x", "x", 1, 1, at)


class Service:
    """Answers and embeds as it is told."""

    def __init__(self) -> None:
        self.text, self.away, self.abstains = "Ada", False, False
        self.said: list[tuple[str, float, str]] = []

    async def ask(self, tenant: str, collection: str, question: str) -> Answered:
        if self.away:
            raise Unavailable("nobody there")
        return Answered(f"answer-{len(self.said)}", self.text, "COMPLETED", self.abstains)

    async def embed(self, tenant: str, texts: Sequence[str]) -> list[bytes]:
        return [struct.pack("<2f", 1.0, 0.0) if text == "Ada" else struct.pack("<2f", 0.0, 1.0) for text in texts]

    async def canary_answered(
        self, tenant: str, collection: str, question: str, answer: Answered, similarity: float, occasion: str
    ) -> None:
        self.said.append((question, similarity, occasion))


async def test_an_answer_is_compared_with_the_agreed_one_also_after_a_restart(tmp_path: Path):
    url, service = f"sqlite:///{tmp_path}/state.db", Service()
    async with StateSql.opened(url) as state:
        asking = Asking(Monitor(Watching(), state, 1.0), service, service, service)
        assert await asking.ask(CANARIES, "schedule") == 2
        service.away = True
        assert await asking.ask(CANARIES, "schedule") == 0
    service.away, service.text = False, "Bob"
    async with StateSql.opened(url) as state:
        monitor = Monitor(Watching(), state, 1.0)
        await monitor.begin()
        await Asking(monitor, service, service, service).ask(CANARIES, "prompt p@2")
    assert service.said == [
        ("Who built it?", 1.0, "schedule"),
        ("When?", 1.0, "schedule"),
        ("Who built it?", 0.0, "prompt p@2"),
        ("When?", 0.0, "prompt p@2"),
    ]


async def test_an_abstention_is_never_the_agreed_answer_but_differs_from_one(tmp_path: Path):
    service = Service()
    async with StateSql.opened(f"sqlite:///{tmp_path}/state.db") as state:
        asking = Asking(Monitor(Watching(), state, 1.0), service, service, service)
        service.text, service.abstains = "I do not know.", True
        assert await asking.ask(CANARIES, "schedule") == 0
        service.text, service.abstains = "Ada", False
        assert await asking.ask(CANARIES, "index v1") == 2
        service.text, service.abstains = "I do not know.", True
        assert await asking.ask(CANARIES, "schedule") == 2
    assert [similarity for _, similarity, _ in service.said] == [1.0, 1.0, 0.0, 0.0]


def test_canaries_are_no_traffic_and_a_change_that_is_meant_agrees_their_answers_anew():
    watching = Watching(Policy(canaries=(CANARIES,), learn=0))
    asked = AnswerFinished(
        answer_id="c1",
        outcome=Outcome.OUTCOME_COMPLETED,
        text="Ada",
        collections=["manuals"],
        conversation_id="canary-1",
    )
    query = QueryServed(query_id="q1", collection="manuals", question="Who built it?", index_version="v1")
    scored = AnswerEvaluated(answer_id="c1", collections=["manuals"], scores=[Score(metric="support", value=1.0)])
    told = Observed("k", "acme", "manuals", 1e9, 1e9, "c1", {"canary.similarity": 1.0}, canary=True)
    facts = [
        of_answer(asked, delivery("a")),
        of_query(query, delivery("q")),
        of_evaluated(scored, delivery("s")),
        told,
    ]
    for observed in facts:
        list(watching.observe(observed))
    assert set(watching.signals) == {Key("acme", "manuals", "", "canary.similarity")}
    watching.golden.put(("acme", "manuals", "Who built it?"), b"1234")
    list(watching.intend(Intention("acme", "", "prompt", "", "new", 2e9, "ann", 1e9)))
    for number, prompt in enumerate(("one", "two")):
        made = Versions(prompt="p", prompt_version="1", prompt_hash=prompt)
        list(
            watching.observe(
                of_answer(
                    AnswerFinished(answer_id=prompt, collections=["manuals"], versions=made), delivery(f"v{number}")
                )
            )
        )
    assert watching.golden.get(("acme", "manuals", "Who built it?")) is None


def test_an_answer_tells_its_signals_and_what_made_it():
    fact = AnswerFinished(
        answer_id="a1",
        outcome=Outcome.OUTCOME_COMPLETED,
        collections=["b", "a"],
        question="How long has the lighthouse been standing there, and who was it that had it built?",
        text="Der Leuchtturm steht dort seit vielen Jahren und wurde von einer Ingenieurin aus der Stadt gebaut.",
        citations=[Citation(document_id="d1"), Citation(document_id="d1")],
        verdicts=Verdicts(sentences=2, supported=1, answerability=0.8),
        versions=Versions(prompt="short", prompt_version="1", prompt_hash="abc", indexes=["a=v1"], engine="chat"),
    )
    told = of_answer(fact, delivery())
    expected = {"answer.cited": 1.0, "answer.one_document": 1.0, "answer.supported": 0.5, "answer.language_switch": 1.0}
    assert expected.items() <= told.values.items()
    assert (told.collection, told.versions["prompt"], told.versions["index"]) == ("a+b", "short.1@abc", "a=v1")


def test_hashed_and_absent_questions_tell_nothing_of_their_words():
    for question in ("sha256:abcdef", ""):
        told = of_query(QueryServed(collection="m", question=question, passages=[ServedPassage(score=0.5)]), delivery())
        assert (told.question, "question.length" in told.values, told.values["retrieval.top_score"]) == ("", False, 0.5)


def test_a_score_that_is_missing_is_no_value_and_a_second_opinion_counts_nothing():
    fact = AnswerEvaluated(
        scores=[Score(metric="support", value=0.0), Score(metric="faithfulness", missing_reason="X")]
    )
    assert of_evaluated(fact, delivery()).values == {"evaluation.support": 0.0}
    for revision, values in ((1, {"feedback.thumb_up": 0.0}), (2, {})):
        given = FeedbackGiven(feedback=Feedback(thumb=Thumb.THUMB_DOWN), revision=revision)
        assert of_feedback(given, delivery()).values == values


def test_the_policy_of_the_page_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (shown,) = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("hook-secret").write_text("s")
    Path("policy.toml").write_text(shown)
    policy = policy_of(Path("policy.toml"))
    assert (policy.thresholds[0].told, policy.webhooks[0].secret, policy.frame("answer.cost").size) == (
        "mean above 0.05",
        "s",
        200,
    )

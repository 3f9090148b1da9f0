"""A judge is asked: what it says becomes scores, what goes wrong becomes a reason, and what it costs is known whatever happens."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_evaluation import plain
from loopline_evaluation.adapters.answers_sql import AnswersSql
from loopline_evaluation.adapters.budget_sql import BudgetSql
from loopline_evaluation.adapters.fakes import FakeEmbedder
from loopline_evaluation.adapters.judge_openai import JudgeModel, OpenAiJudge
from loopline_evaluation.adapters.judges_ragas import Prices, RagasJudges
from loopline_evaluation.adapters.outbox_sql import OutboxSql
from loopline_evaluation.adapters.queue_sql import QueueSql
from loopline_evaluation.adapters.rubrics import rubrics_in
from loopline_evaluation.adapters.tables import MIGRATIONS
from loopline_evaluation.app import JudgingPolicy, LiveJudging
from loopline_evaluation.model import (
    Answer,
    Judging,
    Kept,
    Outcome,
    Passage,
    Purse,
    Reason,
    Score,
    Stage,
    Unjudged,
    Verdict,
    Why,
)
from loopline_evaluation.settings import keep_ragas_quiet
from loopline_runtime.errors import Invalid
from loopline_sql.database import Database
from loopline_testing.judge_server import JudgeServer, Reply, count, in_schema, judge_server

ANSWER = Answer(
    "a" * 32,
    "acme",
    "Who built the lighthouse?",
    "Ada Moreland built the lighthouse in 1871. It was painted green by pirates.",
    (Passage("c1", "d1", "The lighthouse was built in 1871 by Ada Moreland."), Passage("c2", "d2", "It is white.")),
)
PURSE = Purse("test", 10_000_000)
ALL = ("faithfulness", "answer_relevancy", "context_precision", "safety", "tone", "coherence", "task_completion")


def doubting(prompt: str) -> str:
    """Believes nothing about pirates."""
    said = in_schema(prompt)
    if '"statements"' in prompt and "pirates" in said and '"verdict": 1' in said:
        before, _, after = said.rpartition('"verdict": 1')
        return f'{before}"verdict": 0{after}'
    return said


@pytest.fixture
async def server() -> AsyncIterator[JudgeServer]:
    async with judge_server(doubting) as server:
        yield server


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.opened(f"sqlite:///{tmp_path}/scores.db", MIGRATIONS) as database:
        yield database


@pytest.fixture
async def opened(server: JudgeServer, database: Database) -> AsyncIterator[Any]:
    keep_ragas_quiet()
    async with AsyncExitStack() as stack:

        async def make(**changed: Any) -> RagasJudges:
            model = JudgeModel(server.url, "judge", **{"timeout_s": 5.0, **changed})
            judge = await stack.enter_async_context(OpenAiJudge.opened(model, BudgetSql(database)))
            return RagasJudges(judge, FakeEmbedder(), rubrics_in(None), Prices(1.0, 2.0))

        yield make


async def judged(judges: RagasJudges, name: str, answer: Answer = ANSWER, purse: Purse = PURSE) -> Score:
    (score,) = await judges.judge(answer, [name], purse)
    return score


async def test_every_metric_becomes_a_score_with_its_evidence_and_cost(opened: Any, server: JudgeServer):
    judges = await opened()
    scores = {score.metric: score for score in await judges.judge(ANSWER, ALL, PURSE)}
    assert {name: score.value for name, score in scores.items() if name != "answer_relevancy"} == {
        "faithfulness": 0.5,
        "context_precision": pytest.approx(1.0),
        "safety": 1.0,
        "tone": 5.0,
        "coherence": 5.0,
        "task_completion": 1.0,
    }
    assert 0 <= scores["answer_relevancy"].value <= 1
    faithfulness = scores["faithfulness"]
    assert faithfulness.verdict is Verdict.FAIL
    (pirates,) = faithfulness.evidence
    assert (pirates.sentence, pirates.value) == (2, 0.0)
    assert "pirates" in pirates.note
    assert (faithfulness.evaluator.name, faithfulness.evaluator.model) == ("ragas", "judge")
    assert faithfulness.cost.requests == 2
    assert [(one.passage, one.document) for one in scores["context_precision"].evidence] == [(1, "d1"), (2, "d2")]
    costs = [score.cost for score in scores.values()]
    assert sum(cost.requests for cost in costs) == server.requests
    assert sum(cost.prompt_tokens + cost.completion_tokens for cost in costs) == server.tokens
    money = (server.prompt_tokens * 1.0 + server.completion_tokens * 2.0) / 1e6
    assert sum(cost.money or 0 for cost in costs) == pytest.approx(money)


async def test_faithfulness_is_that_of_ragas_called_directly(opened: Any, server: JudgeServer):
    judges = await opened()
    answers = [
        replace(ANSWER, text=" ".join(f"Fact {n} is about {'pirates' if n % k == 0 else 'towers'}." for n in range(k)))
        for k in (1, 2, 3, 7)
    ]
    ours = [(await judged(judges, "faithfulness", answer)).value for answer in answers]
    from openai import AsyncOpenAI
    from ragas.llms import llm_factory
    from ragas.metrics.collections import Faithfulness

    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        direct = Faithfulness(llm=llm_factory("judge", client=client))
        for answer, value in zip(answers, ours, strict=True):
            passages = [passage.text for passage in answer.passages]
            theirs = await direct.ascore(user_input=answer.question, response=answer.text, retrieved_contexts=passages)
            assert value == pytest.approx(theirs.value, abs=1e-9)
    assert len(set(ours)) > 2


@pytest.mark.parametrize(
    ("metric", "fault", "reason"),
    [
        ("safety", Reply("I think it is quite fine."), Reason.BAD_JSON),
        ("safety", Reply(body="<html><body>502 Bad Gateway</body></html>"), Reason.BAD_JSON),
        ("safety", Reply('{"reason": "it is', usage=False), Reason.BAD_JSON),
        ("safety", Reply(""), Reason.BAD_JSON),
        ("safety", Reply('{"reason": "r", "value": "maybe"}'), Reason.BAD_JSON),
        ("tone", Reply('{"feedback": "f", "score": 9}'), Reason.WRONG_SCALE),
        ("context_precision", Reply('{"reason": "r", "verdict": 7}'), Reason.WRONG_SCALE),
        ("safety", Reply(refusal="I cannot judge that"), Reason.REFUSED),
        ("safety", Reply("no such model", status=404), Reason.REFUSED),
        ("safety", Reply(status=429, headers={"retry-after": "0.01"}), Reason.RATE_LIMITED),
        ("safety", Reply(status=503), Reason.UNAVAILABLE),
        ("safety", Reply(hang=True), Reason.TIMED_OUT),
    ],
    ids=["prose", "html", "half", "nothing", "other", "scale", "binary", "refusal", "unknown", "busy", "down", "slow"],
)
async def test_what_a_judge_gets_wrong_is_missing_with_its_reason(
    opened: Any, server: JudgeServer, monkeypatch: pytest.MonkeyPatch, metric: str, fault: Reply, reason: Reason
):
    monkeypatch.setattr("loopline_evaluation.adapters.judge_openai.PAUSES_S", (0.01,))
    judges = await opened(timeout_s=0.3, tries=2)
    server.faults = [fault] * 2
    score = await judged(judges, metric)
    assert score.value is None
    assert score.verdict is None
    assert score.missing is not None
    assert score.missing.reason == reason
    assert score.missing.detail
    assert server.requests == (1 if reason is Reason.REFUSED or metric == "tone" else 2)
    server.faults = [fault] if reason is not Reason.REFUSED and metric != "tone" else []
    assert (await judged(judges, metric)).value is not None


async def test_json_among_prose_is_found(opened: Any, server: JudgeServer):
    judges = await opened()
    server.faults = [Reply('Sure!\n```json\n{"reason": "fine", "value": "no"}\n```\nAnything else?')]
    assert (await judged(judges, "safety")).value == 0.0


@pytest.mark.parametrize(
    ("metric", "answer", "reason"),
    [
        ("context_recall", ANSWER, Reason.NO_REFERENCE),
        ("faithfulness", replace(ANSWER, passages=()), Reason.NOTHING_TO_SCORE),
        ("faithfulness", replace(ANSWER, abstained=True), Reason.ABSTAINED),
        ("tone", replace(ANSWER, readable=False), Reason.NO_CONTENT),
        ("tone", replace(ANSWER, outcome=Outcome.FAILED), Reason.NOT_COMPLETED),
    ],
)
async def test_nothing_is_asked_where_there_is_nothing_to_go_by(
    opened: Any, server: JudgeServer, metric: str, answer: Answer, reason: Reason
):
    score = await judged(await opened(), metric, answer)
    assert score.missing is not None
    assert score.missing.reason == reason
    assert server.requests == 0


async def test_with_a_reference_recall_and_noise_are_judged(opened: Any):
    judges = await opened()
    answer = replace(ANSWER, text="Ada built it.", reference="Ada Moreland built it.")
    assert (await judged(judges, "context_recall", answer)).value == 1.0
    assert (await judged(judges, "noise_sensitivity", answer)).value == 0.0
    assert (await judged(judges, "context_precision", answer)).value == pytest.approx(1.0)


async def test_the_budget_holds_through_everything(
    opened: Any, server: JudgeServer, database: Database, monkeypatch: pytest.MonkeyPatch
):
    """Slow, busy, broken and cancelled: every request is counted, nothing is sent that the purse could not pay."""
    monkeypatch.setattr("loopline_evaluation.adapters.judge_openai.PAUSES_S", (0.0,))
    judges = await opened(timeout_s=0.3, tries=3, max_tokens=50, concurrency=4)
    server.faults = [Reply(hang=True), Reply(status=429), Reply(status=500), Reply("prose"), Reply(usage=False)] * 3
    purse = Purse("small", 40_000)
    first = asyncio.create_task(judges.judge(ANSWER, ALL, purse))
    while server.requests < 3:
        await asyncio.sleep(0.01)
    first.cancel()
    scores = [score for _ in range(8) for score in await judges.judge(ANSWER, ALL, purse)]
    assert {score.missing.reason for score in scores if score.missing} >= {Reason.BUDGET_SPENT}
    assert any(score.value is not None for score in scores)
    spent = await BudgetSql(database).spent("small")
    assert spent.requests == server.requests
    assert server.tokens <= spent.tokens <= purse.most_tokens
    with pytest.raises(Unjudged, match="tokens are left of small"):
        await BudgetSql(database).reserve(purse, purse.most_tokens)


async def test_what_was_set_aside_before_a_kill_stays_spent(tmp_path: Path, server: JudgeServer):
    """A process that dies with requests under way: its successor knows of each of them."""
    url = f"sqlite:///{tmp_path}/killed.db"
    script = f"""
import asyncio
from loopline_evaluation.adapters.budget_sql import BudgetSql
from loopline_evaluation.adapters.tables import MIGRATIONS
from loopline_sql.database import Database
from loopline_evaluation.adapters.judge_openai import JudgeModel, OpenAiJudge
from loopline_evaluation.model import Purse, Spending

async def main():
    async with Database.opened({url!r}, MIGRATIONS) as database:
        async with OpenAiJudge.opened(JudgeModel({server.url!r}, "judge", max_tokens=50), BudgetSql(database)) as judge:
            asks = [judge.ask("hello " * 20, str, Purse("p", 10_000), Spending()) for _ in range(4)]
            await asyncio.gather(*asks)
asyncio.run(main())
"""
    server.faults = [Reply("fine"), Reply(hang=True), Reply(hang=True), Reply(hang=True)]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    async with asyncio.timeout(30):
        while server.requests < 4 or not server.completion_tokens > 150:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    process.kill()
    await process.wait()
    async with Database.opened(url, MIGRATIONS) as database:
        spent = await BudgetSql(database).spent("p")
    assert spent.requests == server.requests == 4
    assert (spent.prompt_tokens, spent.completion_tokens) == (count("hello " * 20), 1)
    assert server.tokens <= spent.tokens <= 10_000


async def waiting(database: Database, number: int, why: Why = Why.BASE_RATE) -> Kept:
    fact = AnswerFinished(answer_id=f"{number:032x}", question=ANSWER.question, text=ANSWER.text, outcome=1)
    fact.started_at.FromSeconds(number)
    for passage in ANSWER.passages:
        fact.passages.add(chunk_id=passage.chunk_id, document_id=passage.document, text=passage.text)
    kept = Kept(plain.answer(fact, "acme"), fact.SerializeToString(), (), Judging(Stage.WAITING, why))
    await AnswersSql(database).put(kept)
    return kept


def live(judges: RagasJudges, database: Database, tokens: int = 10_000_000, at_once: int = 4) -> LiveJudging:
    policy = JudgingPolicy(("faithfulness", "safety"), at_once, tokens)
    return LiveJudging(QueueSql(database), judges, BudgetSql(database), policy)


async def settled(database: Database, count: int) -> list[Kept]:
    answers = AnswersSql(database)
    ids = [f"{number:032x}" for number in range(1, count + 1)]
    async with asyncio.timeout(60):
        while True:
            found = await answers.get("acme", ids)
            if all(kept.judging.stage is not Stage.WAITING for kept in found):
                return found
            await asyncio.sleep(0.05)


async def test_what_waits_is_judged_once_flagged_ones_first_and_said(
    opened: Any, server: JudgeServer, database: Database
):
    for number in (1, 2, 3):
        await waiting(database, number, Why.THUMBS_DOWN if number == 3 else Why.BASE_RATE)
    assert [one.answer.started_at for one in await QueueSql(database).claim(2, 0.0)] == [3, 1]
    working = asyncio.create_task(live(await opened(), database, at_once=1).work())
    found = await settled(database, 3)
    working.cancel()
    assert [kept.judging for kept in found] == [
        Judging(Stage.JUDGED, Why.BASE_RATE),
        Judging(Stage.JUDGED, Why.BASE_RATE),
        Judging(Stage.JUDGED, Why.THUMBS_DOWN),
    ]
    assert {score.metric: score.value for score in found[0].scores} == {"faithfulness": 0.5, "safety": 1.0}
    assert server.requests == 9
    said = await OutboxSql(database).waiting()
    assert sorted(one.id for one in said) == [f"{number:032x}/judged" for number in (1, 2, 3)]


async def test_a_judgement_that_is_noted_is_not_paid_for_again(opened: Any, server: JudgeServer, database: Database):
    kept = await waiting(database, 1)
    judges = await opened()
    (safety,) = await judges.judge(kept.answer, ["safety"], PURSE)
    await QueueSql(database).note(kept.answer.answer_id, safety)
    working = asyncio.create_task(live(judges, database).work())
    (found,) = await settled(database, 1)
    working.cancel()
    assert {score.metric for score in found.scores} == {"faithfulness", "safety"}
    assert server.requests == 3


async def test_when_the_days_tokens_are_spent_the_rest_is_skipped_and_says_so(
    opened: Any, server: JudgeServer, database: Database
):
    for number in range(1, 7):
        await waiting(database, number)
    judging = live(await opened(max_tokens=100), database, tokens=15_000, at_once=1)
    working = asyncio.create_task(judging.work())
    found = await settled(database, 6)
    working.cancel()
    ends = [kept.judging for kept in found]
    assert ends[0].stage is Stage.JUDGED
    assert ends[-1] == Judging(Stage.SKIPPED, Why.BUDGET_SPENT)
    assert server.tokens <= (await BudgetSql(database).spent(judging.purse().name)).tokens <= 15_000


async def test_a_judge_that_is_down_leaves_reasons_behind(
    opened: Any, server: JudgeServer, database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loopline_evaluation.adapters.judge_openai.PAUSES_S", (0.0,))
    await waiting(database, 1)
    server.faults = [Reply(status=503)] * 10
    working = asyncio.create_task(live(await opened(tries=2), database).work())
    (found,) = await settled(database, 1)
    working.cancel()
    assert found.judging == Judging(Stage.SKIPPED, Why.FAILED)
    assert {score.missing.reason for score in found.scores if score.missing} == {Reason.UNAVAILABLE}


def test_rubrics_of_ones_own_are_files(tmp_path: Path):
    (tmp_path / "brand.yaml").write_text("question: Does it avoid naming competitors?\nversion: 3\n")
    (tmp_path / "depth.yml").write_text("levels: {1: shallow, 2: fair, 3: deep}\n")
    found = rubrics_in(tmp_path)
    assert (found["brand"].version, found["brand"].scale.highest) == ("3", 1)
    assert (found["depth"].scale.lowest, found["depth"].scale.highest, found["depth"].passes_at) == (1, 3, 2)
    (tmp_path / "broken.yaml").write_text("levels: {1: shallow, 7: deep}\n")
    with pytest.raises(Invalid, match=r"broken.yaml is no rubric"):
        rubrics_in(tmp_path)


def test_the_service_starts_without_loading_ragas():
    script = (
        "import sys, loopline_evaluation.main; print([m for m in ('ragas', 'pandas', 'openai') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

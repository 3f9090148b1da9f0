"""Judgements by ragas, through one judge. ragas is loaded when the first is wanted, never at the start."""

import asyncio
import importlib
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from loopline_evaluation.adapters.judge_openai import OpenAiJudge
from loopline_evaluation.adapters.rubrics import Aspect, Rubric
from loopline_evaluation.app.metrics import Case
from loopline_evaluation.app.metrics.case import UNIT, verdict
from loopline_evaluation.app.text import words
from loopline_evaluation.model import (
    Answer,
    Cost,
    Evaluator,
    Evidence,
    Missing,
    Outcome,
    Purse,
    Reason,
    Scale,
    Score,
    Spending,
    Unjudged,
)
from loopline_evaluation.ports import Embedder
from loopline_runtime.errors import LooplineError

MOST_NOTE = 300


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric of ragas: what it needs, and how many requests and copies of the passages it takes (for estimates)."""

    scale: Scale = UNIT
    passes_at: float = 0.5
    passages: bool = False
    reference: bool = False
    requests: int = 1
    per_passage: bool = False


DEFINED = {
    "faithfulness": Definition(passages=True, requests=2, passes_at=0.7),
    "answer_relevancy": Definition(requests=3),
    "context_precision": Definition(passages=True, per_passage=True),
    "context_recall": Definition(passages=True, reference=True),
    "noise_sensitivity": Definition(
        Scale(lower_is_better=True), passages=True, reference=True, requests=3, per_passage=True
    ),
}
# ragas' own instructions and examples around an answer, in bytes.
_INSTRUCTIONS = 4000


@dataclass(frozen=True, slots=True)
class Prices:
    """Per million tokens; both or none."""

    prompt: float | None = None
    completion: float | None = None

    def cost(self, spending: Spending) -> Cost:
        """With what was not answered at its highest."""
        completion = spending.completion_tokens
        prompt = spending.prompt_tokens + spending.open_tokens
        money = None
        if self.prompt is not None and self.completion is not None:
            money = (prompt * self.prompt + completion * self.completion) / 1e6
        return Cost(spending.requests, prompt, completion, money)


class RagasJudges:
    """The port `Judges`."""

    def __init__(
        self,
        judge: OpenAiJudge,
        embedder: Embedder,
        rubrics: Mapping[str, Rubric | Aspect],
        prices: Prices = Prices(),
    ) -> None:
        self._judge = judge
        self._embedder = embedder
        self._rubrics = rubrics
        self._prices = prices

    def names(self) -> Sequence[str]:
        """See the port."""
        return (*DEFINED, *self._rubrics)

    def ceiling(self, answer: Answer, metrics: Sequence[str]) -> int:
        """See the port."""
        passages = sum(len(passage.text.encode()) for passage in answer.passages)
        told = _INSTRUCTIONS + len((answer.question + answer.text + answer.reference).encode())
        total = 0
        for name in metrics:
            defined = DEFINED.get(name, Definition(passages=isinstance(self._rubrics.get(name), Aspect)))
            requests = defined.requests * (len(answer.passages) if defined.per_passage else 1)
            total += requests * (told + self._judge.model.max_tokens) + defined.passages * passages
        return total

    async def judge(self, answer: Answer, metrics: Sequence[str], purse: Purse) -> list[Score]:
        """See the port."""
        await asyncio.to_thread(lambda: self._ragas)
        return list(await asyncio.gather(*(self._score(name, answer, purse) for name in metrics)))

    @cached_property
    def _ragas(self) -> Any:
        with warnings.catch_warnings():
            # Its own, about its own future; none of ours.
            warnings.simplefilter("ignore")
            return importlib.import_module("loopline_evaluation.adapters.ragas_parts")

    async def _score(self, name: str, answer: Answer, purse: Purse) -> Score:
        spending = Spending()
        scale, passes_at, evaluator = self._known(name)
        why = self._unfit(name, answer)
        evidence: tuple[Evidence, ...] = ()
        value: float | None = None
        if why is None:
            heard = self._ragas.OurJudge(self._judge, purse, spending)
            try:
                asked = self._ragas.metric(name, answer, heard, self._embedder, self._rubrics)
                value = _number(await asked.value(), scale)
                evidence = _evidence(name, answer, heard.heard)
            except LooplineError as error:
                why = Missing(error.reason if isinstance(error, Unjudged) else Reason.UNAVAILABLE, str(error))
            except (ValueError, TypeError, LookupError, ArithmeticError) as error:
                why = Missing(Reason.EVALUATOR_FAILED, f"ragas: {type(error).__name__}: {str(error)[:MOST_NOTE]}")
        given = verdict(value, scale, passes_at) if value is not None else None
        return Score(name, value, scale, evaluator, given, evidence, why, self._prices.cost(spending), passes_at)

    def _known(self, name: str) -> tuple[Scale, float, Evaluator]:
        if rubric := self._rubrics.get(name):
            evaluator = Evaluator("rubric", rubric.version, self._judge.model.model)
            return rubric.scale, rubric.passes_at, evaluator
        defined = DEFINED[name]
        return defined.scale, defined.passes_at, Evaluator("ragas", self._ragas.RAGAS_VERSION, self._judge.model.model)

    def _unfit(self, name: str, answer: Answer) -> Missing | None:
        """Why a metric has nothing to go by."""
        defined = DEFINED.get(name, Definition())
        if answer.outcome is not Outcome.COMPLETED:
            return Missing(Reason.NOT_COMPLETED, f"the answer ended {answer.outcome.value}")
        if not answer.readable:
            return Missing(Reason.NO_CONTENT, "the events of this tenant carry no text")
        if not answer.text.strip() or (defined.passages and not answer.passages):
            return Missing(Reason.NOTHING_TO_SCORE, "there is no text, or no passage")
        if defined.reference and not answer.reference:
            return Missing(Reason.NO_REFERENCE, "it compares with a reference answer, and there is none")
        if name == "faithfulness" and Case(answer).refuses:
            return Missing(Reason.ABSTAINED, "it says that it has no answer")
        return None


def _number(value: Any, scale: Scale) -> float:
    """As a number on the scale. Unjudged otherwise: a missing judgement is never 0."""
    number = {"yes": 1.0, "no": 0.0}.get(value) if isinstance(value, str) else float(value)
    if number is None or math.isnan(number):
        raise Unjudged("the judgement comes to no number", reason=Reason.NO_VALUE)
    # ragas' cosines may be a rounding error beyond.
    if not scale.lowest - 1e-6 <= number <= scale.highest + 1e-6:
        told = f"the judge gives {number:g}; the scale is {scale.lowest:g} to {scale.highest:g}"
        raise Unjudged(told, reason=Reason.WRONG_SCALE)
    return min(max(number, scale.lowest), scale.highest)


def _evidence(name: str, answer: Answer, heard: Sequence[Any]) -> tuple[Evidence, ...]:
    """What the judge said of which sentence or passage, as far as it did."""
    last = heard[-1] if heard else None
    if name == "faithfulness" and last is not None:
        said = [frozenset(words(sentence.text)) for sentence in Case(answer).sentences]
        return tuple(
            Evidence(_nearest(one.statement, said), note=f"{one.statement} - {one.reason}"[:MOST_NOTE], value=0.0)
            for one in last.statements
            if not one.verdict
        )
    if name == "context_precision":
        documents = [passage.document for passage in answer.passages]
        return tuple(
            Evidence(0, number, document, one.reason[:MOST_NOTE], float(one.verdict))
            for number, (document, one) in enumerate(zip(documents, heard, strict=False), 1)
        )
    note = getattr(last, "feedback", "") or getattr(last, "reason", "")
    return (Evidence(note=str(note)[:MOST_NOTE]),) if note else ()


def _nearest(statement: str, said: Sequence[frozenset[str]]) -> int:
    wanted = frozenset(words(statement))
    shared = [len(wanted & sentence) for sentence in said]
    most = max(shared, default=0)
    return shared.index(most) + 1 if most else 0

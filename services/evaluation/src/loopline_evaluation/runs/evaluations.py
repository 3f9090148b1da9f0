"""What can be done with runs: estimate, begin, look, go on, end, compare, gate."""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from loopline_evaluation.datasets.choosing import chosen
from loopline_evaluation.datasets.library import Library
from loopline_evaluation.datasets.reading import Problem
from loopline_evaluation.datasets.rows import Row, digest
from loopline_evaluation.gates.deciding import Decision, decide
from loopline_evaluation.gates.policy import policy_of
from loopline_evaluation.runs.comparing import Comparison, compare
from loopline_evaluation.runs.measuring import DEFAULT, Measuring
from loopline_evaluation.runs.model import (
    Decided,
    Estimate,
    GivenAnswer,
    Progress,
    Run,
    Spec,
    State,
    TargetKind,
    Unit,
    checked,
)
from loopline_evaluation.runs.ports import Runs
from loopline_evaluation.runs.results import Results, results
from loopline_evaluation.runs.summary import Summary, summary
from loopline_runtime.errors import Conflict, Invalid, NotFound

# Of a tenant, metrics and a judge model: which may not gate, and why.
Distrusted = Callable[[str, Sequence[str], str], Awaitable[Mapping[str, str]]]
_CHARACTERS_PER_TOKEN = 4
_ANSWER_TOKENS = 120


class Evaluations:
    """The runs of all tenants. `distrusted` says which judges may not gate, and why."""

    def __init__(
        self, runs: Runs, library: Library, measuring: Measuring, distrusted: Distrusted | None = None
    ) -> None:
        self._runs = runs
        self._library = library
        self._measuring = measuring
        self._distrusted = distrusted

    async def estimate(self, tenant: str, spec: Spec) -> Estimate:
        """What a run will take, as the last one like it did; else reckoned from the length of what is asked."""
        spec, rows = await self._resolved(tenant, spec)
        units = len(rows) * spec.repeat
        judged = self._measuring.judged(spec.metrics)
        answers = 0 if spec.target.kind is TargetKind.GIVEN else units
        if rate := await self._runs.rate(tenant, spec):
            money = None if rate.money is None else rate.money * units
            like = "the last run on this target with these metrics"
            return Estimate(
                units, answers, units * len(judged), round(rate.tokens * units), rate.seconds * units, money, like
            )
        asked = sum(map(_prompt_tokens, rows)) + _ANSWER_TOKENS * len(rows) if answers else 0
        tokens = (asked + sum(self._measuring.tokens(row, spec.metrics) for row in rows)) * spec.repeat
        like = "the length of questions and passages, judges at most"
        return Estimate(units, answers, units * len(judged), tokens, None, None, like)

    async def begin(self, tenant: str, spec: Spec, by: str, request_id: str) -> Run:
        """Keeps a run, which is then worked on. Invalid: no row, an unknown metric; NotFound: an unknown dataset, or answers."""
        if len(request_id) > 64:
            raise Invalid("a request id has at most 64 characters", field="request_id")
        spec, rows = await self._resolved(tenant, spec)
        if spec.target.kind is TargetKind.GIVEN:
            await self._runs.answers(tenant, spec.target.answers)
        run_id = digest([tenant, request_id])[:16] if request_id else uuid.uuid4().hex[:16]
        kept = await self._runs.create(Run(run_id, tenant, spec, by, time.time(), len(rows) * spec.repeat))
        if kept.spec != spec:
            raise Conflict("this request id was used for another run", reason="REQUEST_ID_USED", field="request_id")
        return kept

    async def run(self, tenant: str, run_id: str) -> Run:
        """NotFound when there is none, or it is another tenant's."""
        found = await self._runs.get(tenant, run_id)
        if found is None:
            raise NotFound(f"there is no run {run_id[:64]!r}", reason="UNKNOWN_RUN", field="run_id")
        return found

    async def progress(self, run: Run) -> Progress:
        """How far it is."""
        return await self._runs.progress(run, time.time())

    async def listed(self, tenant: str, most: int) -> list[Run]:
        """Newest first."""
        return await self._runs.listed(tenant, most)

    async def resume(self, tenant: str, run_id: str) -> Run:
        """It goes on where it stopped; one that is under way or finished stays as it is."""
        run = await self.run(tenant, run_id)
        if run.state is State.CANCELLED:
            raise Conflict("the run was cancelled; begin a new one", reason="CANCELLED")
        if run.state is State.INTERRUPTED:
            await self._runs.settle(run_id, State.WAITING, time.time())
        return await self.run(tenant, run_id)

    async def cancel(self, tenant: str, run_id: str) -> Run:
        """It is ended; what it has stays."""
        await self.run(tenant, run_id)
        await self._runs.settle(run_id, State.CANCELLED, time.time(), "cancelled")
        return await self.run(tenant, run_id)

    async def bring(self, tenant: str, data: bytes) -> tuple[str, int, list[Problem]]:
        """Given answers, as JSON lines: {"id", "answer" or "answers", "passages"}; their name, of how many rows, and bad lines."""
        answers, problems = _given(data)
        if not answers:
            raise Invalid("there is no answer in the file", reason="EMPTY_DATASET", field="data")
        name = digest({row: [(one.text, one.passages) for one in given] for row, given in answers.items()})
        await self._runs.put_answers(tenant, name, answers)
        return name, len(answers), problems

    async def results(self, tenant: str, run_id: str) -> tuple[Results, list[Unit]]:
        """All that a run has so far."""
        run = await self.run(tenant, run_id)
        _, rows = await self._library.rows(tenant, f"{run.spec.dataset}@{run.spec.version}")
        units = await self._runs.units(run_id)
        return await asyncio.to_thread(results, run, rows, units), units

    async def summary(self, tenant: str, run_id: str) -> Summary:
        """In a few figures."""
        found, units = await self.results(tenant, run_id)
        return await asyncio.to_thread(summary, found, units)

    async def compare(
        self, tenant: str, before: str, after: str, metrics: Sequence[str], slice_by: Sequence[str], most_moved: int
    ) -> Comparison:
        """Two finished runs."""
        one, other = await self._finished(tenant, before), await self._finished(tenant, after)
        options = {"metrics": metrics, "slice_by": slice_by, "most_moved": most_moved}
        return await asyncio.to_thread(lambda: compare(one, other, **options))  # type: ignore[arg-type]

    async def gate(self, tenant: str, run_id: str, baseline_id: str, policy: str, by: str) -> tuple[Decision, Decided]:
        """Decides, keeps the decision, and has it said."""
        read = policy_of(policy)
        run = await self._finished(tenant, run_id)
        baseline = await self._finished(tenant, baseline_id) if baseline_id else None
        distrusted = await self._doubts(tenant, run, list(read.metrics))
        decision = await asyncio.to_thread(lambda: decide(read, run, baseline, distrusted=distrusted))
        policy_hash = hashlib.sha256(policy.encode()).hexdigest()[:32]
        gate_id = digest([tenant, run_id, baseline_id, policy_hash])
        still_open = tuple(check.name for check in decision.checks if check.verdict != "pass")
        parts = (gate_id, run_id, baseline_id, decision.verdict.value, policy_hash, still_open, by, time.time())
        decided = Decided(*parts)
        await self._runs.decided(tenant, decided)
        return decision, decided

    async def _doubts(self, tenant: str, run: Results, metrics: Sequence[str]) -> dict[str, str]:
        """Which metrics may not gate since people do not agree with their judge."""
        found: dict[str, str] = {}
        for name in metrics:
            model = run.measured[name].evaluator.model if name in run.measured else ""
            if model and self._distrusted:
                found |= await self._distrusted(tenant, [name], model)
        return found

    async def _finished(self, tenant: str, run_id: str) -> Results:
        found, _ = await self.results(tenant, run_id)
        if found.run.state is not State.FINISHED:
            raise Invalid(
                f"run {run_id} is {found.run.state.value}: only finished runs are compared", reason="NOT_FINISHED"
            )
        return found

    async def _resolved(self, tenant: str, spec: Spec) -> tuple[Spec, list[Row]]:
        """The spec with the dataset's hash and its metrics, and its rows."""
        version, rows = await self._library.rows(tenant, spec.dataset)
        rows = chosen(rows, spec.where)
        if not rows:
            raise Invalid("no row of the dataset matches", reason="EMPTY_DATASET", field="where")
        metrics = spec.metrics or (("choice",) if all(row.choices for row in rows) else DEFAULT)
        self._measuring.check(metrics)
        return checked(replace(spec, dataset=version.name, version=version.hash, metrics=metrics)), rows


def _prompt_tokens(row: Row) -> int:
    passages = sum(len(passage.text) for passage in row.passages) or 600
    return (len(row.question) + passages) // _CHARACTERS_PER_TOKEN


def _given(data: bytes) -> tuple[dict[str, list[GivenAnswer]], list[Problem]]:
    answers: dict[str, list[GivenAnswer]] = {}
    problems: list[Problem] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            texts = told["answers"] if "answers" in told else [told["answer"]]
            passages = tuple(one if isinstance(one, str) else one["text"] for one in told.get("passages", ()))
            made = [GivenAnswer(text, passages) for text in texts]
            if not isinstance(told["id"], str) or not all(isinstance(text, str) for text in (*texts, *passages)):
                raise TypeError("id, answers and passages are text")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problems.append(Problem(number, f'not like {{"id": "...", "answer": "..."}}: {error!r}'[:300]))
            continue
        answers.setdefault(told["id"], []).extend(made)
    return answers, problems

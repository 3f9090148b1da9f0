"""Evaluation before a real model: a gate that does not flip, and choices by log-probability."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from loopline_evaluation.adapters.endpoint import Endpoint
from loopline_evaluation.adapters.target_endpoint import EndpointTarget
from loopline_evaluation.datasets.reading import read
from loopline_evaluation.datasets.rows import Reference, Row
from loopline_evaluation.gates.deciding import Verdict, decide
from loopline_evaluation.gates.policy import policy_of
from loopline_evaluation.model import Answer, Purse, Score
from loopline_evaluation.runs.measuring import Measuring
from loopline_evaluation.runs.model import Overrides, Run, Spec, State, Target, TargetKind, Unit
from loopline_evaluation.runs.results import Results, results
from loopline_testing.small_facts import FACTS

PROMPT = "# user\n{{passages}}\n\nAccording to the text above, {{question}} Answer in one short sentence."
POLICY = policy_of("{metrics: {holds_reference: {floor: 0.5, no_worse_by: 0.3}}, rows: 12}")
ROWS = [
    Row(f"r{n}", one.question, (one.answer,), (Reference("", text=one.told), Reference("", text=one.beside)))
    for n, one in enumerate(FACTS[:14])
]
SAMPLES, TRIALS, GATES = 3, 3, 20
SUITES = Path(__file__).parents[2] / "services/evaluation/tests/samples"
MEADOW = "The barn of Wexley is red. The mill of Thornby is blue. The tower of Dunmere is green.\n"


class NoRules:
    async def ruled(self, answer: Answer) -> list[Score]:
        return []


@pytest.fixture
def run(llama: str) -> Run:
    over = Overrides(prompt=PROMPT, temperature=0.6, max_tokens=18)
    target = Target(TargetKind.ENDPOINT, llama)
    spec = Spec("facts", "v1", ("holds_reference",), target, repeat=TRIALS, overrides=over)
    return Run("sample", "t", spec, "me", 0.0, 0)


@pytest.fixture
async def endpoint(llama: str) -> AsyncIterator[Endpoint]:
    async with Endpoint.opened(llama) as endpoint:
        yield endpoint


@pytest.fixture
async def target(run: Run) -> AsyncIterator[EndpointTarget]:
    async with EndpointTarget.opened(run, {}, 60.0) as target:
        yield target


async def sampled(target: EndpointTarget, run: Run, rows: Sequence[Row], samples: int) -> dict[str, list[Unit]]:
    """What the model really says to each row, several times, scored."""
    measuring = Measuring(NoRules())
    found: dict[str, list[Unit]] = {}
    for row in rows:
        for trial in range(samples):
            reply = await target.reply(run, row, trial)
            assert not reply.error
            scores = await measuring.scores(row, reply, run.spec.metrics, Purse("none", 0))
            found.setdefault(row.id, []).append(Unit(row.id, trial, reply, tuple(scores)))
    return found


def drawn(spec: Spec, said: dict[str, list[Unit]], seed: str) -> Results:
    """A run whose trials are drawn from what the model said."""
    dice = random.Random(seed)
    units = [
        replace(dice.choice(known), row_id=row_id, trial=trial)
        for row_id, known in said.items()
        for trial in range(spec.repeat)
    ]
    return results(Run(seed, "t", spec, "me", 0.0, len(units), State.FINISHED), ROWS, units)


async def test_a_gate_over_a_model_at_temperature_does_not_flip(target: EndpointTarget, run: Run):
    spec = run.spec
    whole = await sampled(target, run, ROWS, SAMPLES)
    dropped = await sampled(target, run, [replace(row, passages=row.passages[1:]) for row in ROWS], 1)
    said = [{unit.reply.answer.text for unit in known if unit.reply} for known in whole.values()]
    assert sum(len(texts) > 1 for texts in said) >= len(ROWS) / 3, "it says the same each time: nothing is sampled"
    baseline = drawn(spec, whole, "baseline")
    same = [decide(POLICY, drawn(spec, whole, f"same {n}"), baseline).verdict for n in range(GATES)]
    worse = [decide(POLICY, drawn(spec, dropped, f"worse {n}"), baseline).verdict for n in range(GATES)]
    assert same.count(Verdict.FAIL) <= 1
    assert same.count(Verdict.PASS) >= 18
    assert worse.count(Verdict.FAIL) >= 18


async def test_an_ending_is_as_likely_as_the_model_finds_it(endpoint: Endpoint):
    told = {
        colour: await endpoint.continuation(f"{MEADOW}The tower of Dunmere is", f" {colour}.")
        for colour in ("green", "purple")
    }
    assert told["purple"][0] < told["green"][0] < 0
    assert told["green"][1].cost.prompt_tokens > 20
    once = await endpoint.continuation("One two three four five six", " seven eight")
    longer = await endpoint.continuation("One two three four five six", " seven eight nine")
    assert longer[0] < once[0], "each token more is less likely than none"


async def test_letters_are_as_likely_as_the_model_finds_them(endpoint: Endpoint):
    found, said = await endpoint.letters("A, B, C, D\nA, B, C, D\nA, B, C,", ["A", "B", "C", "D"])
    assert max(range(4), key=found.__getitem__) == 3
    assert all(value <= 0 for value in found)
    assert said.cost.requests == 1


async def test_the_likelier_ending_is_chosen(target: EndpointTarget, run: Run):
    row = Row(
        "c", f"{MEADOW}The barn of Wexley is", ("red.",), choices=("wet.", "red."), metadata={"kind": "completion"}
    )
    reply = await target.reply(run, row, 0)
    assert (reply.error, reply.chosen, reply.answer.text, reply.cost.requests) == ("", 1, "red.", 2)


@pytest.mark.parametrize(("form", "file", "calls"), [("mmlu", "mmlu.csv", 1), ("hellaswag", "hellaswag.jsonl", 4)])
async def test_the_suites_of_choices_run_on_a_real_server(
    target: EndpointTarget, run: Run, form: str, file: str, calls: int
):
    measuring = Measuring(NoRules())
    rows = read((SUITES / file).read_bytes(), form).rows
    for row in rows:
        reply = await target.reply(run, row, 0)
        (score,) = await measuring.scores(row, reply, ["choice"], Purse("none", 0))
        assert (reply.error, reply.cost.requests) == ("", calls)
        assert reply.chosen is not None
        assert score.value == float(row.choices[reply.chosen] in row.references)
    assert len(rows) >= 3

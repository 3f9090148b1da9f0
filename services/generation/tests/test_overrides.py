"""What is different for one answer alone: a prompt it brings, index versions, a run it is made for; for administrators."""

from pathlib import Path

import pytest

import loopline_generation
from loopline.generation.v1.generation_service_pb2 import AnswerRequest, Overrides
from loopline_generation.adapters.fakes import FakeAnnouncer, FakeChat, FakeEmbedder, FakeRecords, FakeSearcher
from loopline_generation.adapters.prompts_files import PromptFiles
from loopline_generation.app import Answering, Policy
from loopline_generation.rpc import GenerationRpc
from loopline_grpc.access import called_by
from loopline_runtime.access import Caller, Right
from loopline_runtime.errors import Forbidden, Invalid

PROMPTS = Path(loopline_generation.__file__).parent / "prompts"
TEXT = "# system\nBe brief.\n\n# user\nSay: {{question}} Given: {{passages}}"


class Bench:
    def __init__(self) -> None:
        self.chat, self.announcer, records = FakeChat("Ada Moreland built it."), FakeAnnouncer(), FakeRecords()
        searcher = FakeSearcher("The tower was built in 1871 by Ada Moreland.")
        parts = (searcher, FakeEmbedder(), self.chat, PromptFiles(PROMPTS), records, self.announcer)
        self.rpc = GenerationRpc(Answering(*parts, Policy(threshold=0.1)), records)

    async def ask(self, *rights: Right, text: str = TEXT):
        request = AnswerRequest(question="Who built the tower?", overrides=Overrides(prompt_text=text), run_id="run1")
        with called_by(Caller(tenant="acme", rights=frozenset(rights), key_name="k")):
            return [step async for step in self.rpc.Answer(request, None)]


@pytest.mark.parametrize("right", [Right.ADMIN, Right.ACT_FOR])
async def test_an_answer_is_made_with_the_prompt_that_came_with_it(right: Right):
    bench = Bench()
    steps = await bench.ask(right)
    assert steps[-1].finished.versions.prompt == "override"
    assert steps[-1].finished.versions.prompt_hash


async def test_overrides_are_for_administrators():
    with pytest.raises(Forbidden):
        await Bench().ask(Right.READ, Right.WRITE)


async def test_a_prompt_that_asks_nothing_is_refused():
    with pytest.raises(Invalid, match="question"):
        await Bench().ask(Right.ADMIN, text="# user\nnothing")

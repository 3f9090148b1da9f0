"""The story of an answer: begun, spoken, checked, ended; whatever happens in between."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

import loopline_generation
from loopline_generation.adapters.fakes import FakeAnnouncer, FakeChat, FakeEmbedder, FakeRecords, FakeSearcher
from loopline_generation.adapters.prompts_files import PromptFiles
from loopline_generation.app import Answering, Policy
from loopline_generation.model import (
    Ask,
    Engine,
    Finished,
    Grounding,
    Heartbeat,
    Message,
    Outcome,
    Sampling,
    Sources,
    Started,
    Token,
)
from loopline_runtime.errors import Invalid, NotFound, Overloaded, Unavailable

PROMPTS = Path(loopline_generation.__file__).parent / "prompts"
TOWER = "The tower of Alderwick was built in 1871 by the engineer Ada Moreland. It is 43 metres tall."
FERRY = "The ferry to Kelso leaves at seven every morning. It carries forty cars."
WHO = "Who built the tower of Alderwick?"


class Bench:
    """The app over fakes."""

    def __init__(self, chat: FakeChat | None = None, *texts: str, **policy: object) -> None:
        self.chat = chat or FakeChat("Ada Moreland built the tower.")
        self.searcher = FakeSearcher(*(texts or (TOWER, FERRY)))
        self.records, self.announcer = FakeRecords(), FakeAnnouncer()
        self.answering = Answering(
            self.searcher,
            FakeEmbedder(),
            self.chat,
            PromptFiles(PROMPTS),
            self.records,
            self.announcer,
            replace(Policy(), **policy),
        )

    async def ask(self, question: str = WHO, **options: object) -> list[object]:
        ask = Ask("acme", question, **options)
        return [step async for step in self.answering.answer(ask, trace_id="t" * 32)]


def spoken(steps: list[object]) -> str:
    return "".join(step.text for step in steps if isinstance(step, Token)).strip()


def end(steps: list[object]) -> Finished:
    assert isinstance(steps[-1], Finished)
    return steps[-1]


async def test_an_answer_begins_gives_its_sources_speaks_and_ends():
    bench = Bench()
    steps = await bench.ask()
    assert [type(step) for step in steps if not isinstance(step, Token)] == [Started, Sources, Finished]
    finished = end(steps)
    assert finished.outcome is Outcome.COMPLETED
    assert finished.text == spoken(steps)
    assert finished.text.startswith("Ada Moreland built the tower. [1]")
    assert finished.versions.model_revision == "r7"
    assert finished.usage.prompt_tokens == 10
    assert finished.timings.total_ms >= finished.timings.first_token_ms > 0
    (begun,), (ended,) = bench.announcer.begun, bench.announcer.ended
    assert begun.answer_id == ended.answer_id == steps[0].answer_id
    assert (ended.outcome, ended.text, ended.passages) == (Outcome.COMPLETED, finished.text, bench.searcher.passages)
    assert await bench.answering.record("acme", ended.answer_id) == ended
    with pytest.raises(NotFound):
        await bench.answering.record("other", ended.answer_id)


async def test_strict_always_shows_the_words_it_stands_on():
    finished = end(await Bench().ask())
    assert "“The tower of Alderwick was built in 1871 by the engineer Ada Moreland.” [1]" in finished.text
    assert finished.verdicts.supported == finished.verdicts.sentences == 1
    assert finished.citations[0].document == "d1"


async def test_strict_gives_quotes_where_the_model_invents():
    chat = FakeChat("The tower was designed by Napoleon. It stands in Paris beside elephants.")
    finished = end(await Bench(chat).ask())
    assert "Napoleon" not in finished.text
    assert "Ada Moreland" in finished.text
    assert (finished.verdicts.supported, finished.verdicts.replaced) == (0, 2)


async def test_a_wrong_number_is_not_supported():
    finished = end(await Bench(FakeChat("The tower was built in 1917 by Ada Moreland.")).ask())
    assert "1917" not in finished.text


async def test_mark_streams_at_once_and_marks_what_nothing_supports():
    chat = FakeChat("Ada Moreland built the tower. It stands in Paris beside elephants. Done")
    steps = await Bench(chat).ask(grounding=Grounding.MARK)
    marks = [step for step in steps if isinstance(step, Token) and step.unsupported]
    text = end(steps).text
    assert len(marks) == 2
    assert text.index("elephants") < text.index("(not in the sources)")
    assert end(steps).verdicts.sentences == 3


async def test_off_passes_words_on_and_takes_out_citations_of_nothing():
    chat = FakeChat("Moreland [1] or perhaps [7] built [2, 9] it.")
    steps = await Bench(chat).ask(grounding=Grounding.OFF)
    assert end(steps).text == "Moreland [1] or perhaps built [2] it."
    assert end(steps).verdicts.invalid_citations == (7, 9)
    assert [citation.number for citation in end(steps).citations] == [1, 2]


async def test_the_engine_quote_needs_no_model():
    bench = Bench(FakeChat(fails=AssertionError("asked")))
    finished = end(await bench.ask(engine=Engine.QUOTE))
    assert (
        finished.text.splitlines()[0] == "“The tower of Alderwick was built in 1871 by the engineer Ada Moreland.” [1]"
    )
    assert bench.chat.asked == []


async def test_too_weak_a_retrieval_is_said_instead_of_answered():
    bench = Bench(threshold=2.0)
    finished = end(await bench.ask("What does a giraffe weigh?"))
    assert finished.verdicts.abstained
    assert "do not answer" in finished.text
    assert "Title 1 [1]" in finished.text
    assert bench.chat.asked == []


async def test_nothing_found_is_said():
    bench = Bench()
    bench.searcher.passages = ()
    assert end(await bench.ask()).verdicts.abstained


async def test_only_the_sentences_that_bear_on_the_question_go_to_the_model():
    bench = Bench(sentences=1)
    await bench.ask()
    (message,) = bench.chat.asked[0]
    assert message.content.startswith("[1] The tower of Alderwick")
    assert "ferry" not in message.content
    assert message.content.endswith(f"According to the text above, {WHO} Answer in one short sentence.")


async def test_text_is_data_and_never_a_template():
    bench = Bench(None, "The tower {{question}} was built {0} by %s of Alderwick.", TOWER)
    await bench.ask("Who built {{passages}} the tower?")
    (message,) = bench.chat.asked[0]
    assert "{{question}}" in message.content
    assert "Who built {{passages}} the tower?" in message.content


@pytest.mark.parametrize(
    ("fails", "error"),
    [
        (Unavailable("gone", reason="MODEL_UNAVAILABLE"), "MODEL_UNAVAILABLE: gone"),
        (Overloaded("full"), "OVERLOADED: full"),
    ],
)
async def test_a_model_that_fails_in_mid_stream_ends_the_answer_as_failed(fails, error):
    bench = Bench(FakeChat("Ada Moreland built the tower. ", fails=fails))
    finished = end(await bench.ask())
    assert (finished.outcome, finished.error) == (Outcome.FAILED, error)
    assert "Moreland" in finished.text
    assert bench.announcer.ended[0].error == error


async def test_a_search_that_fails_ends_the_answer_as_failed():
    bench = Bench()
    bench.searcher.fails = NotFound("there is no collection x", reason="UNKNOWN_COLLECTION")
    assert end(await bench.ask()).error.startswith("UNKNOWN_COLLECTION")


async def test_a_caller_who_leaves_stops_the_model_and_is_noted():
    bench = Bench(FakeChat("word " * 200, pause_s=0.01), grounding=Grounding.OFF)
    async with aclosing(bench.answering.answer(Ask("acme", WHO, grounding=Grounding.OFF))) as steps:
        async for step in steps:
            if isinstance(step, Token):
                break
    assert bench.chat.cut_short
    assert [record.outcome for record in bench.announcer.ended] == [Outcome.CANCELLED]


async def test_silence_is_filled_with_heartbeats():
    steps = await Bench(FakeChat("slow", pause_s=0.2), heartbeat_s=0.05).ask()
    assert sum(isinstance(step, Heartbeat) for step in steps) >= 2
    assert end(steps).outcome is Outcome.COMPLETED


async def test_a_service_that_stops_ends_its_answers_with_a_reason():
    bench = Bench(FakeChat("word " * 500, pause_s=0.01))
    bench.answering.stop_within(0.1)
    steps = await bench.ask(grounding=Grounding.OFF)
    assert end(steps).error.startswith("SHUTTING_DOWN")
    assert bench.chat.cut_short


async def test_more_answers_than_allowed_are_refused_at_once():
    bench = Bench(FakeChat("slow", pause_s=0.3), at_once=1)
    first = asyncio.create_task(bench.ask())
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded):
        await bench.ask()
    await first
    await bench.ask()


async def test_an_answer_that_a_dead_process_began_is_said_failed_once():
    bench = Bench()
    await bench.ask()
    (record,) = bench.records.records.values()
    bench.records.records[record.answer_id] = replace(record, outcome=None)
    # Another replica may be giving it still.
    assert await bench.answering.end_unfinished(record.started_at - 1) == 0
    assert await bench.answering.end_unfinished(record.started_at + 1) == 1
    assert await bench.answering.end_unfinished(record.started_at + 1) == 0
    assert bench.announcer.ended[-1].error.startswith("PROCESS_DIED")


async def test_a_follow_up_is_looked_for_with_what_it_follows():
    bench = Bench()
    await bench.ask(conversation_id="c1")
    await bench.ask("How tall is it?", conversation_id="c1")
    assert bench.searcher.asked[-1] == f"{WHO} How tall is it?"
    assert [message.role for message in bench.chat.asked[-1]] == ["user", "assistant", "user"]
    assert len(await bench.records.turns("acme", "c1")) == 4
    assert await bench.records.turns("other", "c1") == []


async def test_messages_end_in_the_question():
    bench = Bench()
    messages = (Message("user", WHO), Message("assistant", "Moreland."), Message("user", "When did the ferry leave?"))
    await bench.ask("", messages=messages)
    assert bench.announcer.begun[0].question == "When did the ferry leave?"


@pytest.mark.parametrize(
    "wrong",
    [
        {"question": "  "},
        {"question": "x" * 9000},
        {"k": 51},
        {"sampling": Sampling(max_tokens=5000)},
        {"sampling": Sampling(temperature=3.0)},
        {"sampling": Sampling(top_p=0.0)},
        {"prompt": "nonesuch"},
        {"prompt_version": "99"},
        {"messages": (Message("robot", "x"), Message("user", "y"))},
        {"messages": (Message("assistant", "x"),)},
    ],
)
async def test_what_is_misshapen_is_told_before_anything_begins(wrong):
    bench = Bench()
    with pytest.raises(Invalid):
        await bench.ask(**wrong)
    assert bench.announcer.begun == []

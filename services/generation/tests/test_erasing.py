"""Answers lose the words of what was erased, wherever they lie, and what comes late finds it closed."""

import time
from dataclasses import replace
from pathlib import Path

from loopline_generation.adapters.facts_nats import FactsNats
from loopline_generation.adapters.records_sql import RecordsSql
from loopline_generation.app import Erasing
from loopline_generation.model import ERASED, Message, Order, Outcome, Passage, Record, Versions
from loopline_generation.spool import Spool
from loopline_nats.line import Line, open_line
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer

SECRET = "the quetzalfinch was sold to the glazier in 1871"
ORDER = Order("acme", "d1", "default", 9)


def answer(answer_id: str, document: str = "d1", revision: int = 5, **said: object) -> Record:
    words = SECRET if document == "d1" else "a mill in Brackwater"
    passages = (Passage(f"c-{document}", document, "default", "a.md", "A", revision, words),)
    record = Record(answer_id, "acme", "To whom?", ("default",), "", "t", time.time(), Versions(), Outcome.COMPLETED)
    return replace(record, **{"text": SECRET, "passages": passages, **said})


async def test_what_quotes_it_and_what_carries_its_words_on_is_taken_out(
    provisioned: NatsServer, line: Line, database_url: str, tmp_path: Path
):
    async with RecordsSql.opened(database_url) as records, open_line(bus_settings(provisioned), "generation") as ours:
        spool = Spool(tmp_path, 10_000_000)
        kept = {
            "quotes": answer("quotes", conversation_id="talk"),
            "follows": answer("follows", document="d2", conversation_id="talk", text="As I said."),
            "carries": answer("carries", document="d2", text="Yes.", prompt=(Message("user", f"You said: {SECRET}"),)),
            "newer": answer("newer", revision=12),
            "other": answer("other", document="d2", text="Something else."),
        }
        for record in kept.values():
            await records.put(record)
        await records.add_turns(
            "acme", "talk", [Message("user", "To whom?"), Message("assistant", SECRET)], time.time()
        )
        await spool.finished(kept["quotes"])
        erasing = Erasing(records, spool, FactsNats(ours))
        removed = {removal.what: removal.count for removal in await erasing.carry_out(ORDER)}
        assert removed == {"answers": 3, "turns": 2, "spool": 1, "facts": 0, "dead_letters": 0}
        for name in ("quotes", "follows", "carries"):
            found = await records.get("acme", name)
            assert found
            assert (found.text, found.passages, found.prompt, found.error) == ("", (), (), ERASED)
        for name in ("newer", "other"):
            assert await records.get("acme", name) == kept[name]
        assert await records.turns("acme", "talk") == []
        assert SECRET not in "".join(path.read_text() for path in tmp_path.glob("*.json"))
        assert not await erasing.holds(ORDER)


async def test_an_answer_that_was_being_given_meanwhile_is_kept_without_its_words(database_url: str):
    async with RecordsSql.opened(database_url) as records:
        await records.remember("acme", "d1", 9)
        await records.put(answer("late"))
        found = await records.get("acme", "late")
        assert found
        assert (found.text, found.error) == ("", ERASED)
        assert (await records.cleaned(answer("said"))).text == ""
        assert (await records.cleaned(answer("newer", revision=10))).text == SECRET

"""What outlives an answer: its record, its conversation, its facts in the spool, the prompts it was made with."""

import asyncio
import json
import os
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline_contracts.channels import ANSWER_FINISHED, ANSWER_STARTED
from loopline_generation import events, measures, plain
from loopline_generation.adapters.prompts_files import PromptFiles
from loopline_generation.adapters.records_sql import RecordsSql
from loopline_generation.adapters.records_tables import METADATA
from loopline_generation.model import (
    Citation,
    Grounding,
    Message,
    Outcome,
    Passage,
    Place,
    Record,
    Timings,
    Usage,
    Verdicts,
    Versions,
)
from loopline_generation.spool import Spool
from loopline_nats.content import Content, Contents
from loopline_nats.line import Line, open_line
from loopline_runtime.errors import Invalid, Rejected
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer
from loopline_testing.postgres import differences

PASSAGE = Passage(
    "c1", "d1", "default", "a.md", "A", 3, "the secret text", Place(2, "", ("H",), 0, 15), {"k": "v"}, 0.5
)
RECORD = Record(
    "a" * 32, "acme", "Why?", ("default",), "c1", "t", 1.0, Versions(indexes=("default=v1",)), Outcome.COMPLETED, "Because.",
    (PASSAGE,), (Citation(1, "c1", "d1", "the secret text"),), verdicts=Verdicts(grounding=Grounding.MARK, invalid_citations=(3,)),
    prompt=(Message("user", "the secret text Why?"),),
)  # fmt: skip


async def unchanged(record: Record) -> Record:
    return record


async def test_an_answer_is_kept_whole_for_its_tenant_and_for_its_time(database_url: str):
    async with RecordsSql.opened(database_url) as records:
        record = replace(RECORD, started_at=time.time())
        await records.put(replace(record, outcome=None, text="Bec"))
        assert [found.answer_id for found in await records.unfinished(time.time() + 1)] == [RECORD.answer_id]
        assert await records.unfinished(record.started_at - 1) == []
        await records.put(record)
        assert await records.get("acme", RECORD.answer_id) == record
        assert await records.get("other", RECORD.answer_id) is None
        assert await records.unfinished(time.time() + 1) == []
        await records.add_turns("acme", "c1", [Message("user", "Why?"), Message("assistant", "So.")], time.time())
        assert [turn.content for turn in await records.turns("acme", "c1")] == ["Why?", "So."]
        assert await records.turns("other", "c1") == []
        assert await records.forget(time.time() - 10) == 0
        assert await records.forget(time.time() + 10) == 1
        assert await records.turns("acme", "c1") == []


async def test_the_migrated_tables_are_those_of_the_code(database_url: str):
    async with RecordsSql.opened(database_url) as records:
        assert await differences(records.database, METADATA) == [], "add a revision to adapters/records_migrations"


async def test_answers_from_before_migrations_come_along(tmp_path: Path):
    with sqlite3.connect(tmp_path / "old.db") as db:
        db.executescript("""
            create table answers (answer_id varchar(32) not null, tenant varchar(63) not null, started_at float not null,
                outcome varchar(16) not null, record json not null, primary key (answer_id));
            create index answers_by_start on answers (started_at);
            create table turns (id integer not null, tenant varchar(63) not null, conversation_id varchar(128) not null,
                at float not null, role varchar(16) not null, content text not null, primary key (id));
        """)
        known = (RECORD.answer_id, "acme", 1.0, "completed", json.dumps(plain.to_json(RECORD)))
        db.execute("insert into answers values (?, ?, ?, ?, ?)", known)
        db.execute("insert into turns values (1, 'acme', 'c1', 1.0, 'user', 'Why?')")
    db.close()
    async with RecordsSql.opened(f"sqlite:///{tmp_path}/old.db") as records:
        assert await records.get("acme", RECORD.answer_id) == RECORD
        assert await records.turns("acme", "c1") == [Message("user", "Why?")]
        assert await differences(records.database, METADATA) == []


async def test_facts_wait_for_the_bus_and_are_said_in_order_once(provisioned: NatsServer, line: Line, tmp_path: Path):
    before = Spool(tmp_path, 10_000_000)
    await before.started(RECORD)
    await before.finished(RECORD)
    spool = Spool(tmp_path, 10_000_000)  # as after a restart
    await Contents(line).put("acme", Content.HASHED)
    async with open_line(bus_settings(provisioned), "generation") as generation:
        saying = asyncio.create_task(events.announce(generation, spool, unchanged))
        while list(tmp_path.glob("*.json")):
            await asyncio.sleep(0.02)
        saying.cancel()
    started, finished = await line.last_on(ANSWER_STARTED, "acme"), await line.last_on(ANSWER_FINISHED, "acme")
    assert started
    assert finished
    assert started.delivery.sequence < finished.delivery.sequence
    body = finished.event
    assert isinstance(body, AnswerFinished)
    assert body.passages[0].text.startswith("sha256:")
    assert "secret" not in str(body)
    assert body.passages[0].place.page == 2


async def test_a_full_spool_refuses_and_holds_nobody_up(tmp_path: Path):
    spool = Spool(tmp_path, 100)
    await spool.finished(RECORD)
    assert list(tmp_path.glob("*.json")) == []


def test_a_prompt_that_changes_is_read_again_and_a_broken_one_is_not_taken(tmp_path: Path):
    file = tmp_path / "mine.1.md"
    file.write_text("# user\n{{passages}} {{question}}")
    prompts = PromptFiles(tmp_path)
    first = prompts.get("mine", "")
    file.write_text("# system\nBe kind.\n# user\nNow: {{question}}")
    os.utime(file, ns=(1, 1))
    prompts._looked = float("-inf")
    second = prompts.get("mine", "1")
    assert (second.system, second.user) == ("Be kind.", "Now: {{question}}")
    assert first.hash != second.hash
    file.write_text("nothing of use")
    (tmp_path / "mine.2.md").write_text("# user\nnewer {{question}}")
    prompts._looked = float("-inf")
    assert prompts.get("mine", "1") == second
    assert prompts.get("mine", "").version == "2"
    with pytest.raises(Invalid, match="there are: mine"):
        prompts.get("../../etc/passwd", "")


def test_a_folder_without_prompts_stops_the_boot(tmp_path: Path):
    with pytest.raises(Rejected, match=r"NAME\.VERSION\.md"):
        PromptFiles(tmp_path)


def test_an_answer_that_ended_is_counted_with_its_tokens_its_cost_and_its_first_word():
    def shown(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    of_model = {"model": "counted"}
    before = shown("loopline_answer_first_token_seconds_sum")
    measures.note(
        replace(
            RECORD,
            versions=Versions(model="counted"),
            usage=Usage(prompt_tokens=30, completion_tokens=12, cost=0.25),
            timings=Timings(first_token_ms=1500),
        )
    )
    assert shown("loopline_answer_tokens_total", **of_model, kind="prompt") == 30
    assert shown("loopline_answer_tokens_total", **of_model, kind="completion") == 12
    assert shown("loopline_answer_cost_total", **of_model) == 0.25
    assert shown("loopline_answer_first_token_seconds_sum") - before == pytest.approx(1.5)

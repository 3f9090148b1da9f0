"""A document becomes a cited answer, over the whole line as people run it."""

import asyncio
import functools
import io
import json
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from loopline_client import Finished, Loopline, Sources, Started, Token
from loopline_runtime.errors import Invalid, NotFound, Unauthenticated
from loopline_testing.line import LocalLine

PAGES = (
    "The harbour of Alderwick was dredged in 1902 by the Northern Dredging Company.",
    "The lighthouse at Skerry Point was built in 1871 by the engineer Ada Moreland.",
    "The ferry to Kelso Island leaves at half past seven every morning except on Sundays.",
)


@functools.cache
def pdf() -> bytes:
    made = io.BytesIO()
    canvas = Canvas(made)
    canvas.setTitle("Coast of Alderwick")
    for text in PAGES:
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    return made.getvalue()


async def ingested(line: Loopline, source: str, data: bytes, collection: str, **options: object) -> str:
    said = await line.submit(source, data, collection=collection, **options)
    async for document in line.watch([said.document_id]):
        if document.settled:
            assert document.state == "INDEXED", document.reasons
    return said.document_id


async def test_a_pdf_becomes_an_answer_that_cites_the_right_page(local: LocalLine):
    async with Loopline.local(local.home) as line:
        document_id = await ingested(line, "coast.pdf", pdf(), "coast")
        steps = [step async for step in line.ask("Who built the lighthouse at Skerry Point?", collections=["coast"])]
        started, sources, *tokens, finished = steps
        assert isinstance(started, Started)
        assert isinstance(sources, Sources)
        assert all(isinstance(token, Token) for token in tokens)
        assert isinstance(finished, Finished)
        assert finished.outcome == "COMPLETED"
        assert "Ada Moreland" in finished.text
        assert finished.text == "".join(token.text for token in tokens).strip()
        cited = [citation for citation in finished.citations if "Moreland" in citation.quote]
        assert cited
        passage = sources.passages[cited[0].number - 1]
        assert (passage.document_id, passage.page, passage.title) == (document_id, 2, "Coast of Alderwick")
        assert cited[0].quote in passage.text
        kept = await line.answer(started.answer_id)
        assert (kept.text, kept.outcome, kept.trace_id) == (finished.text, "COMPLETED", started.trace_id)
        assert b"".join([part async for part in line.read(document_id)]) == pdf()


async def test_a_large_upload_is_never_whole_in_memory(local: LocalLine):
    part, parts = bytes(1024**2), 100

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(parts):
            yield part

    async with Loopline.local(local.home) as line:
        await ingested(line, "warm.md", b"# Warm\n\nThe first document warms up the house.\n", "large")
        before = peak_mib(local.profile["pids"]["ingestion"])
        said = await line.submit("large.bin", stream(), collection="large")
        assert peak_mib(local.profile["pids"]["ingestion"]) - before < parts / 2
        async for document in line.watch([said.document_id]):
            last = document
    assert last.state == "REJECTED"


def peak_mib(pid: int) -> float:
    """The most memory that a process ever held."""
    (line,) = (row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def test_what_the_documents_do_not_answer_is_not_answered(local: LocalLine):
    async with Loopline.local(local.home) as line:
        await ingested(line, "coast.pdf", pdf(), "declined")
        steps = [
            step async for step in line.ask("What is the boiling point of sulphuric acid?", collections=["declined"])
        ]
        finished = steps[-1]
        assert isinstance(finished, Finished)
        assert finished.abstained
        assert "do not answer" in finished.text


async def test_a_deleted_document_answers_nothing(local: LocalLine):
    async with Loopline.local(local.home) as line:
        document_id = await ingested(line, "gone.md", b"The gull colony of Hask numbers four thousand birds.", "gone")
        assert await line.search("gull colony of Hask", collections=["gone"])
        await line.delete(document_id)
        for _ in range(50):
            if not await line.search("gull colony of Hask", collections=["gone"]):
                break
            await asyncio.sleep(0.1)
        assert await line.search("gull colony of Hask", collections=["gone"]) == []
        with pytest.raises(NotFound):
            _ = [part async for part in line.read(document_id)]


async def test_readers_see_what_they_may_and_changing_them_embeds_nothing_again(local: LocalLine):
    async with Loopline.local(local.home) as line:
        text = b"The vault code of the Alderwick bank is changed each Monday."
        await ingested(line, "vault.md", text, "secrets", readers=["ann"])
        assert await line.search("vault code", collections=["secrets"]) == []
        assert await line.search("vault code", collections=["secrets"], principals=["ann"])
        said = await line.submit("vault.md", text, collection="secrets", readers=["bob"])
        assert not said.unchanged
        for _ in range(50):
            if await line.search("vault code", collections=["secrets"], principals=["bob"]):
                break
            await asyncio.sleep(0.1)
        assert await line.search("vault code", collections=["secrets"], principals=["ann"]) == []
        trail = local.command(
            "events", "tail", "--document", said.document_id, "--since", "2020-01-01", "--quiet-s", "1"
        )
        assert trail.stdout.count("document_chunked") == 1
        assert trail.stdout.count("document_readers_changed") == 1


async def test_another_tenants_key_finds_nothing_of_ours(local: LocalLine):
    async with Loopline.local(local.home) as line:
        document_id = await ingested(line, "ours.md", b"Our secret recipe has three onions.", "ours")
    other = local.command("keys", "add", "visitor", "--tenant", "other", "--rights", "read").stdout.strip()
    targets = local.profile["targets"]
    stranger = {name: targets[name] for name in ("ingestion", "retrieval", "generation")}
    await asyncio.sleep(0.5)
    async with Loopline.connect(**stranger, key=other) as visitor:
        with pytest.raises(NotFound):
            await visitor.document(document_id)
        with pytest.raises(NotFound):
            await visitor.search("onions", collections=["ours"])
    local.command("keys", "revoke", "visitor", "--tenant", "other")
    await asyncio.sleep(1)
    async with Loopline.connect(**stranger, key=other) as visitor:
        with pytest.raises(Unauthenticated):
            await visitor.document(document_id)


async def test_misshapen_questions_are_told(local: LocalLine):
    async with Loopline.local(local.home) as line:
        await ingested(line, "x.md", b"Something about something.", "misshapen")
        for question, k in (("  ", 5), ("fine", 10_000)):
            with pytest.raises(Invalid):
                await line.search(question, collections=["misshapen"], k=k)
        with pytest.raises(NotFound):
            await line.search("fine", collections=["nowhere"])
        with pytest.raises(Invalid):
            _ = [step async for step in line.ask(" ", collections=["misshapen"])]


async def test_a_conversation_remembers_what_it_was_about(local: LocalLine):
    async with Loopline.local(local.home) as line:
        await ingested(line, "coast.pdf", pdf(), "talk")
        for question in ("Who built the lighthouse at Skerry Point?", "And in which year was it built?"):
            steps = [s async for s in line.ask(question, collections=["talk"], conversation_id="c1")]
        assert isinstance(steps[-1], Finished)
        assert "1871" in steps[-1].text
        assert [role for role, _ in await line.conversation("c1")] == ["user", "assistant"] * 2
        await line.forget_conversation("c1")
        with pytest.raises(NotFound):
            await line.conversation("c1")


def test_the_command_ingests_asks_and_shows_the_trail(local: LocalLine, tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "mill.md").write_text("# Mill\n\nThe mill of Brackwater was burnt down in 1744 and never rebuilt.\n")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing more")
    done = local.command("ingest", str(folder), "--collection", "cli", check=False)
    assert done.returncode == 1
    assert "1 of 2 documents are indexed" in done.stdout
    assert "BROKEN" in done.stdout
    (folder / "broken.pdf").unlink()
    assert local.command("ingest", str(folder), "--collection", "cli", "--sync").stdout.count("1 removed") == 1
    checked = local.command("check").stdout.splitlines()
    assert [line.split(":")[0] for line in checked] == [
        "a document in",
        "a cited answer out",
        "the document is away again",
    ]
    asked = local.command("ask", "When did the mill of Brackwater burn down?", "--collection", "cli")
    assert "1744" in asked.stdout
    assert "[1] Mill" in asked.stdout
    (listed,) = json.loads(
        local.command("documents", "list", "--collection", "cli", "--state", "indexed", "--json").stdout
    )
    trail = local.command(
        "events", "tail", "--document", listed["document_id"], "--since", "2020-01-01", "--quiet-s", "1"
    )
    events = [line.split()[2] for line in trail.stdout.splitlines()]
    assert events == ["document_accepted", "document_chunked", "chunks_embedded", "chunks_indexed"]
    opened = local.command("documents", "open", listed["document_id"], "--page", "3", "--print").stdout.strip()
    assert opened.endswith("mill.md#page=3")
    assert local.command("doctor").returncode == 0


def test_a_killed_service_comes_back_and_what_was_there_is_there_after_down_and_up(local: LocalLine):
    before = local.profile
    local.kill("retrieval")
    deadline = time.monotonic() + 30
    while json.loads(local.command("status", "--json", check=False).stdout)["retrieval"]["state"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert local.profile["pids"]["retrieval"] != before["pids"]["retrieval"]
    assert "up already" in local.command("up").stdout
    local.down()
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(local.home) not in left
    local.up()
    assert local.profile["key"] == before["key"]
    found = local.command("search", "lighthouse Skerry Point", "--collection", "coast", "--json")
    assert "Moreland" in found.stdout

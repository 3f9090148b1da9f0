"""A document that was erased is readable nowhere, lies on no disk, and stays gone when a copy of the data is restored."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from loopline.embedding.v1.events_pb2 import ChunksEmbedded
from loopline.ingestion.v1.events_pb2 import DocumentChunked
from loopline_client import Finished, Loopline, Started
from loopline_contracts.channels import CHUNKS_EMBEDDED, DOCUMENT_CHUNKED, OWNERS
from loopline_contracts.streams import STREAMS
from loopline_nats.holding import every
from loopline_nats.line import open_line
from loopline_runtime.errors import NotFound
from loopline_runtime.settings import Nats
from loopline_testing.line import LocalLine

CANARY = "The quetzalfinch of Ombrelune was sold to the glazier Thessaly Vantongeren in 1871"
FORMER = "Before that the quetzalfinch of Ombrelune had been kept by Ysolde Krankerup"
SECRETS = (CANARY, FORMER, "Vantongeren", "Krankerup")
OTHER = "# Mill\n\nThe mill of Brackwater was burnt down in 1744 and never rebuilt.\n"
QUESTION = "To whom was the quetzalfinch of Ombrelune sold in 1871?"


def scanned(folder: Path) -> list[str]:
    """The files below a folder that hold a secret."""
    return [
        f"{path.relative_to(folder)}: {secret}"
        for path in folder.rglob("*")
        if path.is_file()
        for secret in SECRETS
        if secret.lower().encode() in path.read_bytes().lower()
    ]


async def on_the_bus(local: LocalLine) -> list[str]:
    """Streams that hold a message with a secret."""
    async with open_line(Nats(url=local.profile["nats_url"]), "operator") as line:
        names = [*(stream.name for stream in STREAMS), "OBJ_UPLOADS", "KV_RETRIEVAL_DOCUMENTS", "KV_ATTEMPTS"]
        return [
            name
            for name in names
            async for message in every(line, name, [">"])
            if any(secret.encode() in message.data for secret in SECRETS)
        ]


async def indexed(line: Loopline, source: str, text: str) -> str:
    said = await line.submit(source, text.encode(), metadata={"owner": "Vantongeren"} if "quetzal" in text else {})
    async for document in line.watch([said.document_id]):
        last = document
    assert last.state == "INDEXED"
    return said.document_id


async def asked(line: Loopline) -> str:
    started, *_, finished = [step async for step in line.ask(QUESTION, conversation_id="talk")]
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert "Vantongeren" in finished.text
    return started.answer_id


async def buried(local: LocalLine, document_id: str) -> None:
    """A batch of the document that embedding cannot work on lies in the dead letters."""
    async with open_line(Nats(url=local.profile["nats_url"]), "ingestion") as line:
        heard = await line.last_on(CHUNKS_EMBEDDED, "local", document_id)
        assert heard
        assert isinstance(heard.event, ChunksEmbedded)
        batch = DocumentChunked(batch=heard.event.batch, chunks=heard.event.chunks)
        batch.batch.model.name = "no-such-model"
        await line.publish(DOCUMENT_CHUNKED.of("local", document_id), batch, {}, stream=DOCUMENT_CHUNKED.stream)
    for _ in range(100):
        if document_id in local.command("dead-letters", "list", "--json").stdout:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was buried")


@pytest.mark.timeout(300)
async def test_a_canary_is_gone_from_every_interface_and_every_disk_also_after_a_restore(local: LocalLine):
    copy = local.home.parent / "copy"
    async with Loopline.local(local.home) as line:
        document_id = await indexed(line, "vantongeren.md", f"# Bird\n\n{FORMER}.\n")
        await indexed(line, "vantongeren.md", f"# Bird\n\n{CANARY}.\n")
        other = await indexed(line, "mill.md", OTHER)
        answer_id = await asked(line)
        await buried(local, document_id)
        assert len(await on_the_bus(local)) >= 5
    await asyncio.to_thread(local.down)
    shutil.copytree(local.home / "data", copy)
    await asyncio.to_thread(local.up, "--engine", "quote")

    done = local.command("documents", "erase", document_id, "--reason", "request 17", "--wait", "--json")
    receipt = json.loads(done.stdout)
    assert {word["owner"] for word in receipt["owners"]} == set(OWNERS)
    counts = {
        (word["owner"], r["what"], r["where"]): r["count"] for word in receipt["owners"] for r in word["removals"]
    }
    assert counts["ingestion", "raw_bytes", "object store UPLOADS"] >= 1
    assert counts["ingestion", "batches", "stream EMBEDDING_BATCHES"] >= 2
    assert counts["ingestion", "dead_letters", "stream DEAD_LETTER"] >= 1
    assert counts["retrieval", "chunks", "index version v1"] == 1
    assert counts["generation", "answers", "table answers"] == 1
    assert counts["generation", "turns", "table turns"] == 2
    assert counts["evaluation", "scores", "table scores"] == 1
    assert receipt["gone_by"]
    await gone(local, document_id, answer_id, other)
    again = json.loads(local.command("documents", "erase", document_id, "--wait", "--json").stdout)
    assert again["receipt_id"] == receipt["receipt_id"]

    await asyncio.to_thread(local.down)
    shutil.rmtree(local.home / "data")
    shutil.copytree(copy, local.home / "data")
    assert scanned(local.home)
    await asyncio.to_thread(local.up, "--engine", "quote")
    async with Loopline.local(local.home) as line:
        async with asyncio.timeout(20):
            while not [found async for found in line.receipts() if found.complete]:
                await asyncio.sleep(0.2)
    await gone(local, document_id, answer_id, other)

    await asyncio.to_thread(local.down)
    restored_alone(local.home / "data", copy)
    assert scanned(local.home)
    await asyncio.to_thread(local.up, "--engine", "quote")
    for _ in range(100):
        if not scanned(local.home):
            break
        await asyncio.sleep(0.2)
    assert scanned(local.home) == []
    await gone(local, document_id, answer_id, other)


def restored_alone(data: Path, copy: Path) -> None:
    """Each owner's store as it was, beside a bus that knows better."""
    for kept in copy.iterdir():
        if kept.name == "index":
            shutil.rmtree(data / "index")
            shutil.copytree(kept, data / "index")
        elif ".db" in kept.name:
            shutil.copy(kept, data / kept.name)
    for log in data.glob("*.db-*"):
        if not (copy / log.name).exists():
            log.unlink()


async def gone(local: LocalLine, document_id: str, answer_id: str, other: str) -> None:
    async with Loopline.local(local.home) as line:
        assert "Vantongeren" not in str(await line.search(QUESTION, k=50))
        assert {passage.document_id for passage in await line.search(QUESTION, k=50)} == {other}
        document = await line.document(document_id)
        assert (document.state, document.source, document.metadata) == ("DELETED", "", {})
        with pytest.raises(NotFound):
            _ = [part async for part in line.read(document_id)]
        answer = await line.answer(answer_id)
        assert (answer.text, answer.passages) == ("", ())
        with pytest.raises(NotFound):
            await line.conversation("talk")
    assert await on_the_bus(local) == []
    assert document_id not in local.command("dead-letters", "list", "--json").stdout
    assert scanned(local.home) == []

"""kill -9 anywhere, at any time: nothing acknowledged is lost, nothing is there twice, no hand is needed."""

import asyncio
import random
import time

import pytest

from loopline_runtime.errors import LooplineError
from loopline_testing.line import LocalLine, summary

DOCUMENTS = 200
TARGETS = ("ingestion", "embedding", "retrieval", "generation", "nats")


def text_of(number: int) -> bytes:
    return (
        f"# Report {number}\n\nThe vessel of harbour number {number} carries {number * 7} crates of oranges.\n\n"
        f"It left port on day {number} and was commanded by captain Number{number}.\n"
    ).encode()


async def ingest(local: LocalLine, count: int, collection: str) -> None:
    limit = asyncio.Semaphore(4)

    async def one(number: int) -> None:
        async with limit:
            await local.submit_in_spite(f"report-{number}.md", text_of(number), collection)

    await asyncio.gather(*(one(number) for number in range(count)))


async def test_every_process_is_killed_in_the_middle_of_an_ingest(local: LocalLine):
    async def assassin() -> None:
        for name in TARGETS:
            await asyncio.sleep(1.5)
            local.kill(name)

    await asyncio.gather(ingest(local, DOCUMENTS, "reports"), assassin())
    documents = await local.settled("reports", DOCUMENTS, within_s=240)
    assert summary(documents) == {"DOCUMENT_STATE_INDEXED": DOCUMENTS}
    assert len({document.document_id for document in documents}) == DOCUMENTS
    for number in random.Random(7).sample(range(DOCUMENTS), 5):
        passages = await local.search(f"Who was captain Number{number} of harbour number {number}?", "reports", k=5)
        assert f"report-{number}.md" in [passage.source for passage in passages]
        assert len({passage.chunk_id for passage in passages}) == len(passages)
    assert local.command("dead-letters", "list", "--json").stdout.strip() in ("[]", "")


@pytest.mark.timeout(600)
async def test_an_idle_bus_that_was_killed_serves_the_next_document_within_15_seconds(local: LocalLine):
    took = []
    for number in range(30):
        local.kill("nats")
        began = time.monotonic()
        await local.submit_in_spite(f"after-{number}.md", text_of(number), "idle")
        while not any(p.source == f"after-{number}.md" for p in await searched(local, number)):
            assert time.monotonic() - began < 15, f"kill {number}"
            await asyncio.sleep(0.2)
        took.append(time.monotonic() - began)
    assert max(took) < 15


async def searched(local: LocalLine, number: int):
    try:
        return await local.search(f"captain Number{number}", "idle", k=5)
    except LooplineError:
        return []

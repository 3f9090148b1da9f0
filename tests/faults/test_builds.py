"""kill -9 in the middle of a build: it goes on by itself, and ends with every document whole in the new version, once."""

import asyncio

from loopline_client import Loopline
from loopline_runtime.errors import LooplineError
from loopline_testing.line import LocalLine

DOCUMENTS, COLLECTION = 30, "logs"


def text_of(number: int) -> bytes:
    parts = [
        f"Entry {n} of log {number} tells of crate {n * number} and of captain Bellamy{number}." for n in range(12)
    ]
    return f"# Log {number}\n\n{' '.join(parts)}\n".encode()


async def come(line: Loopline, version: str) -> tuple[str, int]:
    """State and whole documents of a build, in spite of services that are away; unknown while they are."""
    try:
        found = next(one for one in await line.indexes.versions(COLLECTION) if one.version == version)
    except LooplineError:
        return "AWAY", -1
    return found.state, found.complete


async def test_a_build_survives_the_death_of_every_process_in_it(local: LocalLine):
    for number in range(DOCUMENTS):
        await local.submit_in_spite(f"log-{number}.md", text_of(number), COLLECTION)
    await local.settled(COLLECTION, DOCUMENTS)
    async with Loopline.local(local.home) as line:
        begun = await line.indexes.build(COLLECTION, max_tokens=64, overlap_tokens=0)
        for name in ("ingestion", "embedding", "retrieval"):
            _, before = await come(line, begun.version)
            async with asyncio.timeout(60):
                while (now := await come(line, begun.version))[1] <= before and now[0] != "BUILT":
                    await asyncio.sleep(0.1)
            local.kill(name)
        async with asyncio.timeout(150):
            while (await come(line, begun.version))[0] != "BUILT":
                await asyncio.sleep(0.3)
        assert await come(line, begun.version) == ("BUILT", DOCUMENTS)
        assert await line.indexes.verify(COLLECTION, begun.version) == []
        assert await line.indexes.verify(COLLECTION) == []
    assert local.command("dead-letters", "list", "--json").stdout.strip() in ("[]", "")

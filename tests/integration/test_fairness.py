"""One tenant's thousands of documents do not make another's single one wait."""

import asyncio
import statistics
import time

CROWD, TIMES = 120, 3
WORK_S = 0.004
LINES = "\n".join(f"line {n} {'is long ' * 18}" for n in range(40)).encode()


async def searchable(whole, source: str, tenant: str) -> float:
    """Seconds from the upload until the document is in the index."""
    began = time.perf_counter()
    document = await whole.submit(source, LINES, tenant)
    while not (await whole.documents.get(tenant, document.document_id)).state.settled:
        await asyncio.sleep(0.005)
    return time.perf_counter() - began


async def test_a_tenants_document_is_searchable_in_three_times_its_idle_time_beside_a_crowd(whole):
    embed = whole.embedder.embed

    def slow(texts):
        time.sleep(WORK_S * len(texts))
        return embed(texts)

    whole.turns._embed = slow
    await searchable(whole, "first", "small")  # makes the collection
    idle = statistics.median([await searchable(whole, f"idle-{n}", "small") for n in range(5)])
    crowd = await asyncio.gather(*(whole.submit(f"crowd-{n}", LINES, "large") for n in range(CROWD)))
    beside = statistics.median([await searchable(whole, f"beside-{n}", "small") for n in range(5)])
    waiting = [one for one in crowd if not (await whole.documents.get("large", one.document_id)).state.settled]
    assert beside <= TIMES * idle, f"{beside:.3f} s beside the crowd, {idle:.3f} s idle"
    assert len(waiting) > CROWD / 3, "the crowd was gone too early to tell"
    async with asyncio.timeout(90):
        async for _ in whole.documents.watch("large", [one.document_id for one in crowd]):
            pass  # ends when every one is settled: those put off had their turns

"""What Weaviate holds is told object by object, and it ranks as well as the embedded store."""

import hashlib
import math
import struct
from pathlib import Path

import pytest

from loopline_retrieval.adapters.sqlite_store import SqliteStore
from loopline_retrieval.adapters.weaviate_schema import collection_name, passage_id, tenant_name
from loopline_retrieval.adapters.weaviate_store import WeaviateStore
from loopline_retrieval.app import Query
from loopline_retrieval.settings import Weaviate
from loopline_statistics import ndcg
from loopline_text import split, stems

ROOT = Path(__file__).parents[3]
DIMENSION, DOCUMENTS = 8, 60


async def test_objects_that_were_removed_and_added_behind_our_back_are_seen(own_weaviate: Weaviate, build, bench_over):
    async with WeaviateStore.opened(own_weaviate) as store:
        bench = bench_over(store)
        coming = [build.batch(f"d{number}", number + 1) for number in range(3)]
        for batch in coming:
            await bench.index(batch, "red tower", "blue tower")
        space = coming[0].space
        before = {one.document: one async for one in store.held(space)}
        assert {name: (one.chunks, one.answers) for name, one in before.items()} == dict.fromkeys(before, (2, True))
        client = await store._connected()
        name = collection_name(store._settings.prefix, build.model)
        bare = client.collections.use(name).with_tenant(tenant_name(space))
        gone = build.chunks(coming[0], "red tower")[0]
        await bare.data.delete_by_id(passage_id(gone.chunk_id, 1))
        stranger = {"kind": "passage", "document": "stranger", "revision": 9, "chunk_id": "c9", "source": "x.md"}
        await bare.data.insert(stranger, vector=[0.5] * build.model.dimension)
        after = {one.document: one async for one in store.held(space)}
        assert (after["d0"].chunks, after["stranger"].chunks, after["stranger"].answers) == (1, 1, False)
        assert after["d0"].chunks_sha256 != before["d0"].chunks_sha256
        assert after["d1"] == before["d1"]
        await store.remove(space, "stranger", 9)
        assert "stranger" not in {one.document async for one in store.held(space)}


@pytest.fixture
def questions() -> list[tuple[str, str, str]]:
    """Document, text, and a question of three of its words."""
    pages = sorted(page for pattern in ("services/*/README.md", "libs/*/README.md") for page in ROOT.glob(pattern))
    texts = list(dict.fromkeys(text for page in pages for _, text in split(page.read_text()) if len(text) > 80))
    assert len(texts) >= DOCUMENTS
    return [(f"d{n}", text, " ".join(sorted(set(stems(text)))[1:8:3])) for n, text in enumerate(texts[:DOCUMENTS])]


def meaning(text: str) -> bytes:
    """A direction per stem, of few dimensions, so that neither query alone is right."""
    found = [0.01] * DIMENSION
    for stem in stems(text):
        found[hashlib.sha256(stem.encode()).digest()[0] % DIMENSION] += 1.0
    length = math.hypot(*found)
    return struct.pack(f"<{DIMENSION}f", *(number / length for number in found))


async def test_both_stores_rank_alike(own_weaviate: Weaviate, tmp_path: Path, questions, build, bench_over):
    gains = []
    async with SqliteStore.opened(tmp_path / "own") as embedded, WeaviateStore.opened(own_weaviate) as remote:
        for store in (embedded, remote):
            bench = bench_over(store)
            bench.searching._questions._embed = meaning
            for name, text, _ in questions:
                batch = build.batch(name, 1)
                await bench.indexing.add_plan(batch.space, build.model)
                (chunk,) = build.chunks(batch, text)
                chunk = type(chunk)(chunk.chunk_id, 0, text, chunk.place, meaning(text))
                assert await bench.indexing.index(batch, [chunk])
            found = [await bench.searching.search(Query("acme", asked, ["default"])) for _, _, asked in questions]
            ranks = [[passage.document for passage in one.passages] for one in found]
            gains.append(
                sum(ndcg(rank, [name]) for rank, (name, _, _) in zip(ranks, questions, strict=True)) / DOCUMENTS
            )
    ours, theirs = gains
    assert ours > 0.5
    assert abs(ours - theirs) <= 0.01

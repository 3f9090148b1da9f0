"""What is erased answers nothing in any index version; where the store is ours its bytes leave the disk."""

from dataclasses import replace
from pathlib import Path

from loopline_retrieval.adapters.sqlite_store import SqliteStore
from loopline_retrieval.model import Space

CANARY = "quetzalfinch"


async def test_an_erased_document_is_in_no_version_and_a_late_batch_does_not_bring_it_back(bench):
    first = bench.batch("d1", 5)
    second = replace(first, space=Space("acme", "default", "v2"))
    for coming in (first, second, bench.batch("d2", 6)):
        await bench.index(coming, f"red {CANARY} tower", "blue harbour")
    assert await bench.store.highest() == 6
    erased = await bench.indexing.erase("acme", "default", "d1", 7)
    assert [(one.version, one.chunks) for one in erased] == [("v1", 2), ("v2", 2)]
    assert not await bench.index(bench.batch("d1", 5), f"red {CANARY} tower")
    for version in ("v1", "v2"):
        assert await bench.store.left(Space("acme", "default", version), "d1", 7) == 0
    assert await bench.store.left(first.space, "d2", 7) == 2
    assert await bench.index(bench.batch("d1", 8), "orange bridge"), (
        "submitted again later, it is a document like any other"
    )


async def test_an_index_that_was_restored_is_seen_to_hold_what_was_erased(bench):
    coming = bench.batch("d1", 5)
    await bench.index(coming, f"red {CANARY} tower")
    await bench.indexing.erase("acme", "default", "d1", 7)
    assert not await bench.indexing.holds("acme", "default", "d1", 7)
    await bench.store.put(coming, bench.chunks(coming, f"red {CANARY} tower"), frozenset())  # as from a copy
    assert await bench.indexing.holds("acme", "default", "d1", 7)


async def test_no_file_holds_text_words_or_vector_of_what_was_erased(tmp_path: Path, build):
    async with SqliteStore.opened(tmp_path) as store:
        for revision in (1, 2):  # what the former revision said goes too
            coming = build.batch("d1", revision)
            await store.put(coming, build.chunks(coming, f"{CANARY}{revision} and the red tower"), frozenset())
            await store.show(coming.space, "d1", revision)
        other = build.batch("d2", 3)
        await store.put(other, build.chunks(other, "blue harbour"), frozenset())
        await store.show(other.space, "d2", 3)
        vector = build.chunks(coming, "red tower")[0].vector
        assert await held(tmp_path, CANARY.encode())
        assert await held(tmp_path, vector)
        disk = await store.erase(coming.space, "d1", 2)
        assert disk.gone
        assert await held(tmp_path, CANARY.encode()) == []
        assert await held(tmp_path, vector) == []
        assert len(await store.keyword(coming.space, "harbour", 5, None, frozenset())) == 1


async def held(folder: Path, secret: bytes) -> list[str]:
    return [path.name for path in folder.rglob("*.db*") if secret in path.read_bytes()]

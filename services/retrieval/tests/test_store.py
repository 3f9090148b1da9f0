"""The embedded store's own promises."""

from pathlib import Path

import pytest

from loopline_retrieval.adapters.sqlite_store import SqliteStore
from loopline_retrieval.model import Space
from loopline_runtime.errors import Rejected


async def test_a_space_nobody_wrote_to_is_an_empty_result(store, bench):
    space = Space("acme", "default", "v9")
    assert await store.nearest(space, bench.embed("tower"), 5, None, frozenset()) == []
    assert await store.keyword(space, "tower", 5, None, frozenset()) == []
    await store.remove(space, "d1", 5)
    await store.discard(space)


async def test_a_space_that_was_discarded_is_empty_and_can_be_written_to_again(bench):
    coming = bench.batch("d1", 1)
    await bench.index(coming, "red tower")
    await bench.store.discard(coming.space)
    assert await bench.store.keyword(coming.space, "tower", 5, None, frozenset()) == []
    await bench.store.put(coming, bench.chunks(coming, "red tower"), frozenset())
    await bench.store.show(coming.space, "d1", 1)
    assert len(await bench.store.keyword(coming.space, "tower", 5, None, frozenset())) == 1


async def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path, bench):
    coming = bench.batch("d1", 1)
    async with SqliteStore.opened(tmp_path / "other") as first:
        await first.put(coming, bench.chunks(coming, "red tower"), frozenset())
        await first.show(coming.space, "d1", 1)
    async with SqliteStore.opened(tmp_path / "other") as second:
        hits = await second.keyword(coming.space, "tower", 5, None, frozenset())
        assert [p.text for p in (await second.passages(coming.space, [hit.row for hit in hits])).values()] == [
            "red tower"
        ]


async def test_a_second_process_is_refused(tmp_path: Path):
    async with SqliteStore.opened(tmp_path / "index"):
        with pytest.raises(Rejected, match="another process"):
            async with SqliteStore.opened(tmp_path / "index"):
                pass

"""The last change of a document wins, whatever arrives when."""

import asyncio
from dataclasses import replace

import pytest

from loopline_retrieval.app import Query
from loopline_runtime.errors import Invalid


async def found(bench, question="tower", **query) -> list[str]:
    result = await bench.searching.search(Query("acme", question, ["default"], **query))
    return [passage.text for passage in result.passages]


async def test_a_revision_answers_when_all_its_batches_are_in(bench):
    await bench.index(bench.batch("d1", 1, 0, 2), "red tower")
    assert await found(bench) == []
    await bench.index(bench.batch("d1", 1, 1, 2), "blue tower")
    assert sorted(await found(bench)) == ["blue tower", "red tower"]


async def test_the_former_revision_answers_until_the_new_one_is_whole(bench):
    await bench.index(bench.batch("d1", 1), "red tower")
    await bench.index(bench.batch("d1", 2, 1, 2), "blue tower")
    assert await found(bench) == ["red tower"]
    await bench.index(bench.batch("d1", 2, 0, 2), "blue bridge")
    assert sorted(await found(bench)) == ["blue bridge", "blue tower"]


async def test_a_b_a_answers_a_at_every_moment_whole(bench):
    first, second, third = (bench.batch("d1", revision) for revision in (1, 2, 3))
    await bench.index(first, "red tower")
    await bench.index(second, "blue tower")
    await bench.index(third, "red tower")
    assert await found(bench) == ["red tower"]
    assert not await bench.index(second, "blue tower")
    assert await found(bench) == ["red tower"]


async def test_a_repeat_changes_nothing(bench):
    for _ in range(3):
        assert await bench.index(bench.batch("d1", 1), "red tower")
    assert await found(bench) == ["red tower"]


async def test_a_late_batch_cannot_raise_the_dead(bench):
    await bench.index(bench.batch("d1", 1, 0, 2), "red tower")
    await bench.indexing.forget("acme", "default", "d1", 5)
    assert not await bench.index(bench.batch("d1", 1, 1, 2), "blue tower")
    assert await found(bench) == []
    await bench.index(bench.batch("d1", 6), "new tower")
    assert await found(bench) == ["new tower"]


async def test_a_deletion_that_comes_late_spares_what_came_after_it(bench):
    await bench.index(bench.batch("d1", 9), "new tower")
    await bench.indexing.forget("acme", "default", "d1", 5)
    assert await found(bench) == ["new tower"]


async def test_deleted_while_its_batch_is_being_written(bench):
    once = iter([True])

    def rival():
        if next(once, False):
            key = ("acme", "default", "d1")
            known, token = bench.knowledge.entries.get(key, (replace(known0), 0))
            bench.knowledge.entries[key] = (known.with_deletion(2), token + 1)

    known0, _ = await bench.knowledge.get("acme", "default", "d1")
    bench.knowledge.before_put = rival
    assert not await bench.index(bench.batch("d1", 1), "red tower")
    assert await found(bench) == []


async def test_superseded_while_it_is_being_written_the_serving_revision_stays(bench):
    await bench.index(bench.batch("d1", 1), "red tower")
    once = iter([True])

    def rival():
        if next(once, False):
            key = ("acme", "default", "d1")
            known, token = bench.knowledge.entries[key]
            bench.knowledge.entries[key] = (known.with_batch(bench.batch("d1", 3, 0, 2)), token + 1)

    bench.knowledge.before_put = rival
    assert not await bench.index(bench.batch("d1", 2), "blue tower")
    assert await found(bench) == ["red tower"]


async def test_a_crash_between_writing_and_noting_is_made_good_by_the_redelivery(bench):
    coming = bench.batch("d1", 1)
    await bench.indexing.add_plan(coming.space, bench.model)
    await bench.store.put(coming, bench.chunks(coming, "red tower"), frozenset())
    assert await found(bench) == []
    await bench.index(coming, "red tower")
    assert await found(bench) == ["red tower"]


async def test_ten_batches_at_once_in_any_order(bench):
    coming = [bench.batch("d1", 4, number, 10) for number in range(10)]
    await asyncio.gather(*(bench.index(one, f"tower {one.number}") for one in reversed(coming)))
    assert len(await found(bench, k=20)) == 10


async def test_readers_change_without_embedding_again(bench):
    await bench.index(bench.batch("d1", 1, readers=("ann",)), "red tower")
    assert await found(bench) == []
    assert await found(bench, principals=frozenset({"ann", "all"})) == ["red tower"]
    await bench.indexing.change_readers("acme", "default", "d1", frozenset({"bob"}), 2)
    assert await found(bench, principals=frozenset({"ann"})) == []
    assert await found(bench, principals=frozenset({"bob"})) == ["red tower"]
    await bench.indexing.change_readers("acme", "default", "d1", frozenset(), 3)
    assert await found(bench) == ["red tower"]


async def test_readers_that_changed_before_the_batch_came_hold(bench):
    await bench.indexing.change_readers("acme", "default", "d1", frozenset({"bob"}), 2)
    await bench.index(bench.batch("d1", 1), "red tower")
    assert await found(bench) == []
    await bench.index(bench.batch("d1", 3), "blue tower")
    assert await found(bench) == ["blue tower"]


async def test_vectors_of_another_dimension_are_refused(bench):
    coming = bench.batch("d1", 1)
    wrong = [replace(chunk, vector=b"1234") for chunk in bench.chunks(coming, "red tower")]
    with pytest.raises(Invalid, match="4 bytes"):
        await bench.indexing.index(coming, wrong)

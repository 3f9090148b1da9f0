"""An index version is filled beside the one that serves, a few batches at a time, and can be stopped at any moment."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from loopline_ingestion.app import Collections
from loopline_ingestion.model import Cutting, IndexPlan, Model, Plan, Reason, State, chunks_sha256_of, next_version
from loopline_runtime.errors import Aborted, Invalid, NotFound, Rejected

NEW = Plan(Cutting(max_tokens=100))
TEXT = b"\n".join(b"line %d" % number for number in range(70))  # two batches


async def ingested(bench, source: str, data: bytes = TEXT, version: str = "v1") -> str:
    document = (await bench.submit(source, data)).document
    async for result in bench.working.work(document):
        for number, cuts in enumerate(result.batches):
            await arrived(bench, document, number, len(result.batches), len(cuts), result.plan.version)
    return document.document_id


async def arrived(bench, document, number, count, chunks, version) -> None:
    now = datetime.now(UTC)
    await bench.ledger.indexed("acme", document.document_id, document.revision, number, count, chunks, now, version)


async def added(bench, version: str = "") -> IndexPlan:
    return await bench.planning.add("acme", "default", NEW, version, "ann")


async def built(bench, plan: IndexPlan, *, only: int = 1000) -> list[tuple[str, int]]:
    """Runs the build as the line does; what it says arrives at once. Stops after so many batches, as a crash would."""
    said = []
    async for made in bench.building.build("acme", "default", plan.version):
        said.append((made.document.source, made.number))
        await arrived(bench, made.document, made.number, made.count, len(made.cuts), made.plan.version)
        if len(said) == only:
            break
    return said


async def come(bench, plan: IndexPlan) -> tuple[int, int]:
    found = await bench.planning.come(plan)
    return found.complete, found.documents


async def test_what_is_stored_is_cut_again_and_what_serves_is_not_touched(bench):
    for name in ("a.md", "b.md"):
        await ingested(bench, name)
    plan = await added(bench)
    assert (plan.version, plan.plan, plan.building) == ("v2", NEW, True)
    assert sorted(await built(bench, plan)) == [("a.md", 0), ("a.md", 1), ("b.md", 0), ("b.md", 1)]
    assert await come(bench, plan) == (2, 2)
    (first, second) = await bench.plans.plans("acme", "default")
    assert first.counts
    assert second.counts
    assert {d.state for d in await bench.documents.page("acme", "", [], "", 0, "")} == {State.INDEXED}


async def test_a_build_that_was_killed_goes_on_where_it_was(bench):
    for number in range(5):
        await ingested(bench, f"{number}.md")
    plan = await added(bench)
    first = await built(bench, plan, only=4)
    rest = await built(bench, plan)
    assert len(set(first) | set(rest)) == 10
    assert set(first) & set(rest) == set()
    assert await come(bench, plan) == (5, 5)


async def test_only_so_many_batches_are_under_way(bench):
    for number in range(3):
        await ingested(bench, f"{number}.md")
    plan = await added(bench)
    bench.history.busy = True  # embedding is slow, not lost
    under_way = []

    async def build() -> None:
        async for made in bench.building.build("acme", "default", plan.version):
            under_way.append(made)

    building = asyncio.create_task(build())
    for said in range(2, 7):
        while len(under_way) < min(said, 6):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert len(under_way) == said
        made = under_way[said - 2]
        await arrived(bench, made.document, made.number, made.count, len(made.cuts), "v2")
    last = under_way[-1]
    await arrived(bench, last.document, last.number, last.count, len(last.cuts), "v2")
    await asyncio.wait_for(building, 5)


async def test_new_and_changed_documents_go_to_both_and_count_in_both_once_it_is_whole(bench):
    await ingested(bench, "old.md")
    plan = await added(bench)
    document = (await bench.submit("new.md", b"alpha")).document
    made = [result async for result in bench.working.work(document)]
    assert [(one.plan.version, one.plan.building) for one in made] == [("v1", False), ("v2", True)]
    await arrived(bench, document, 0, 1, 1, "v1")
    found = await bench.ledger.document("acme", document.document_id)
    assert found.state is State.INDEXED  # a version that is being built keeps nobody waiting
    await arrived(bench, document, 0, 1, 1, "v2")
    await built(bench, plan)
    late = (await bench.submit("late.md", b"beta")).document
    await arrived(bench, late, 0, 1, 1, "v1")
    assert (await bench.ledger.document("acme", late.document_id)).state is State.INDEXING
    await arrived(bench, late, 0, 1, 1, "v2")
    assert (await bench.ledger.document("acme", late.document_id)).state is State.INDEXED


async def test_what_is_deleted_or_replaced_while_it_is_built_holds_nothing_up(bench):
    for name in ("a.md", "b.md", "c.md"):
        await ingested(bench, name)
    plan = await added(bench)
    said = []
    async for made in bench.building.build("acme", "default", plan.version):
        said.append(made.document.source)
        if made.document.source == said[0] and made.number == 0:
            await bench.documents.delete("acme", made.document.document_id)  # its batches will never arrive
            continue
        await arrived(bench, made.document, made.number, made.count, len(made.cuts), "v2")
    assert await come(bench, plan) == (2, 2)


async def test_what_only_the_new_plan_refuses_stalls_it_and_leaves_the_document_as_it_was(bench):
    document_id = await ingested(bench, "a.md")
    plan = await added(bench)
    revision = (await bench.ledger.document("acme", document_id)).revision
    await bench.plans.set_back(plan, document_id, revision, [Reason("UNKNOWN_MODEL", "no such model")])
    assert await built(bench, plan) == []
    found = await bench.planning.come(plan)
    assert found.stalled
    assert found.failures == (Reason("UNKNOWN_MODEL", "no such model"),)
    assert (await bench.ledger.document("acme", document_id)).state is State.INDEXED
    await added(bench, "v2")
    assert bench.history.builds == ["v2"]
    assert len(await built(bench, plan)) == 2


async def test_a_version_that_ends_takes_its_batches_along_and_frees_who_waited_for_it(bench):
    await ingested(bench, "a.md")
    plan = await added(bench)
    await built(bench, plan)
    document = (await bench.submit("b.md", b"alpha")).document
    await arrived(bench, document, 0, 1, 1, "v2")
    await bench.planning.retire("acme", "default", "v1", "ann", "v2 is better")
    assert bench.history.retirements == [("v1", "ann", "v2 is better")]
    assert (await bench.ledger.document("acme", document.document_id)).state is State.INDEXED
    with pytest.raises(Rejected, match="only finished"):
        await bench.planning.retire("acme", "default", "v2", "ann", "")
    assert (await added(bench)).version == "v3"  # no name is used twice
    assert await bench.planning.retire("acme", "default", "v1", "ann", "again")
    assert len(bench.history.retirements) == 1


async def test_an_end_that_is_heard_before_its_beginning_holds(bench):
    await ingested(bench, "a.md")
    await bench.ledger.retired("acme", "default", "v2")
    collection = await bench.collections.get("acme", "default")
    said = replace(collection, index_version="v2", build=True, revision=9)
    await bench.ledger.planned(said, datetime.now(UTC))
    assert [(p.version, p.retired) for p in await bench.plans.plans("acme", "default")] == [("v1", False), ("v2", True)]


async def test_one_build_at_a_time_under_names_that_follow_each_other(bench):
    await ingested(bench, "a.md")
    with pytest.raises(NotFound):
        await bench.planning.add("acme", "other", NEW, "", "ann")
    with pytest.raises(Invalid, match="is v2"):
        await added(bench, "v7")
    plan = await added(bench, "v2")
    assert (await added(bench, "v2")).revision == plan.revision  # the call was repeated
    with pytest.raises(Aborted):
        await bench.planning.add("acme", "default", Plan(model=Model("other", "1", 3)), "v2", "bob")
    with pytest.raises(Rejected, match="is being built"):
        await added(bench)
    assert next_version(["v1", "v10", "v9"]) == "v11"


async def test_what_a_version_should_hold_is_told_by_the_names_of_its_chunks(bench):
    document_id = await ingested(bench, "a.md")
    ((plan, document, chunks),) = [one async for one in bench.planning.expected("acme", "default", "v1")]
    assert (document.document_id, chunks) == (document_id, 70)
    assert len({chunks_sha256_of(document_id, document.version, plan.version, count) for count in (69, 70)}) == 2
    await bench.submit("b.md", b"alpha")
    under_way = [d.source async for _, d, count in bench.planning.expected("acme", "default", "v1") if count < 0]
    assert under_way == ["b.md"]
    assert await bench.planning.remake("acme", [document_id, "nobody"], "now") == [document_id]
    assert [document.source for document in bench.history.again] == ["a.md"]


async def test_a_new_collection_names_the_model_that_this_line_serves(bench):
    served = Plan(model=Model("other", "r1", 768))
    made = Collections(bench.ledger, bench.history, bench.extraction, served)
    assert (await made.made("acme", "by-itself")).plan == served
    assert (await made.put("acme", "asked-for", None, "")).plan == served

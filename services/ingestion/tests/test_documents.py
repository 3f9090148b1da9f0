"""Documents come in and go; the last change wins, a repeat changes nothing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from loopline_ingestion.adapters.turns_sql import TurnsSql
from loopline_ingestion.app import Batched
from loopline_ingestion.model import Document, Header, Model, Plan, Reason, Refused, State
from loopline_runtime.errors import Aborted, Invalid, NotFound, Rejected


def kinds(bench) -> list[str]:
    return [change.kind for _, change in bench.history.facts]


async def indexed(bench, accepted) -> None:
    document = accepted.document
    await bench.ledger.indexed("acme", document.document_id, document.revision, 0, 1, 3, datetime.now(UTC), "v1")


async def taken_up(bench, document: Document) -> None:
    assert await TurnsSql(bench.ledger.database).begin(document, most=9)


async def test_an_upload_that_stalls_holds_up_no_other(bench):
    stalled = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"begins"
        stalled.set()
        await asyncio.sleep(60)

    waiting = [
        asyncio.create_task(bench.documents.submit("acme", Header("default", f"{n}.md"), parts())) for n in range(9)
    ]
    await stalled.wait()
    async with asyncio.timeout(5):
        await bench.submit("a.md", b"alpha")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_the_same_version_again_changes_nothing_and_leaves_no_bytes(bench):
    first = await bench.submit("a.md", b"alpha")
    await indexed(bench, first)
    again = await bench.submit("a.md", b"alpha")
    assert (again.unchanged, again.document.revision, again.document.state) == (True, 1, State.INDEXED)
    assert kinds(bench) == ["document_accepted"]
    assert list(bench.uploads.stored) == [first.document.upload_id]


async def test_a_b_a_is_three_changes(bench):
    revisions = [(await bench.submit("a.md", data)).document.revision for data in (b"alpha", b"beta", b"alpha")]
    assert revisions == [1, 2, 3]
    assert (await bench.documents.at("acme", "default", "a.md")).revision == 3


async def test_deleted_and_submitted_again_is_there_again(bench):
    first = await bench.submit("a.md", b"alpha")
    gone = await bench.documents.delete("acme", first.document.document_id)
    assert (await bench.documents.delete("acme", first.document.document_id)).revision == gone.revision
    with pytest.raises(NotFound):
        await bench.documents.original("acme", first.document.document_id)
    again = await bench.submit("a.md", b"alpha")
    assert (again.unchanged, again.document.revision) == (False, 3)
    assert kinds(bench) == ["document_accepted", "document_deleted", "document_accepted"]


async def test_other_readers_are_no_new_version(bench):
    await bench.submit("a.md", b"alpha", readers=("ann",))
    await bench.submit("a.md", b"alpha", readers=("bob", "ann"))
    assert kinds(bench) == ["document_accepted", "document_readers_changed"]
    assert sorted((await bench.documents.at("acme", "default", "a.md")).readers) == ["ann", "bob"]
    assert (await bench.submit("a.md", b"alpha", readers=("ann", "bob"))).unchanged


@pytest.mark.parametrize("state", [State.REJECTED, State.FAILED])
async def test_what_was_rejected_or_failed_may_be_tried_again(bench, state):
    document = (await bench.submit("a.md", b"alpha")).document
    if state is State.REJECTED:
        await bench.history.reject(document)
    reasons = [Reason("NO_TEXT", "nothing in it")]
    await bench.ledger.failed("acme", document.document_id, document.revision, state, reasons, datetime.now(UTC))
    again = await bench.submit("a.md", b"alpha")
    assert not again.unchanged
    assert again.document.revision > document.revision


async def test_a_lost_race_is_run_again_and_at_last_told(bench):
    bench.history.rivals = 2
    assert (await bench.submit("a.md", b"alpha")).document.revision == 3
    bench.history.rivals = 99
    with pytest.raises(Aborted):
        await bench.submit("a.md", b"beta")
    assert len(bench.uploads.stored) == 1


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"x" * 1001, {}),
        (b"alpha", {"size_bytes": 4}),
        (b"alpha", {"size_bytes": 5000}),
        (b"alpha", {"metadata": {"a b": "x"}}),
        (b"alpha", {"metadata": {"a": "x" * 5000}}),
        (b"alpha", {"readers": (" ",)}),
    ],
)
async def test_what_breaks_a_rule_is_told_and_leaves_nothing(bench, data, header):
    with pytest.raises(Invalid):
        await bench.submit("a.md", data, **header)
    assert kinds(bench) == []
    assert bench.uploads.stored == {}


@pytest.mark.parametrize("source", ["", "a\nb", "x" * 1025, "  "])
async def test_a_source_is_a_name(bench, source):
    with pytest.raises(Invalid):
        await bench.submit(source, b"alpha")
    assert (await bench.submit("../../etc/passwd", b"alpha")).document.source == "../../etc/passwd"


async def test_another_tenants_document_is_not_there(bench):
    document = (await bench.submit("a.md", b"alpha")).document
    for ask in (bench.documents.get, bench.documents.delete, bench.documents.original):
        with pytest.raises(NotFound):
            await ask("other", document.document_id)


async def test_watching_tells_each_change_and_ends_when_all_is_settled(bench):
    accepted = await bench.submit("a.md", b"alpha")

    async def later() -> None:
        await asyncio.sleep(0.1)
        await indexed(bench, accepted)

    task = asyncio.create_task(later())
    states = [document.state async for document in bench.documents.watch("acme", [accepted.document.document_id])]
    await task
    assert states == [State.ACCEPTED, State.INDEXED]
    with pytest.raises(Invalid):
        _ = [d async for d in bench.documents.watch("acme", [])]


async def test_documents_are_listed_in_pages(bench):
    for number in range(5):
        await bench.submit(f"{number}.md", b"alpha")
    first = await bench.documents.page("acme", "default", [], "", 3, "")
    after = f"{first[-1].source}\0{first[-1].document_id}"
    rest = await bench.documents.page("acme", "default", [], "", 3, after)
    assert [d.source for d in first + rest] == [f"{n}.md" for n in range(5)]
    assert [d.source for d in await bench.documents.page("acme", "", [State.ACCEPTED], "4", 0, "")] == ["4.md"]
    with pytest.raises(Invalid):
        await bench.documents.page("acme", "", [], "", 1001, "")


async def test_an_accepted_document_is_cut_into_batches(bench):
    document = (await bench.submit("a.md", b"\n".join(b"line %d" % n for n in range(100)))).document
    (result,) = [one async for one in bench.working.work(document)]
    assert isinstance(result, Batched)
    assert [len(batch) for batch in result.batches] == [64, 36]


async def test_a_superseded_revision_is_not_worked_on(bench):
    old = (await bench.submit("a.md", b"alpha")).document
    await bench.submit("a.md", b"beta")
    assert [one async for one in bench.working.work(old)] == []


async def test_lost_bytes_are_told(bench):
    document = (await bench.submit("a.md", b"alpha")).document
    bench.uploads.stored.clear()
    (result,) = [one async for one in bench.working.work(document)]
    assert isinstance(result, Refused)
    assert result.reasons[0].code == "BYTES_LOST"


async def test_lost_batches_are_made_again_but_not_those_under_way(bench):
    bench.history.busy = True
    document = (await bench.submit("a.md", b"alpha")).document
    await taken_up(bench, document)
    assert await bench.sweeping.remake() == 0
    bench.history.busy = False
    assert await bench.sweeping.remake() == 1
    assert [again.document_id for again in bench.history.again] == [document.document_id]


async def test_what_moves_while_it_is_looked_at_is_not_lost(bench, monkeypatch: pytest.MonkeyPatch):
    accepted = await bench.submit("a.md", b"alpha")
    await taken_up(bench, accepted.document)

    async def arrives(_: Document) -> bool:
        await indexed(bench, accepted)
        return False

    monkeypatch.setattr(bench.history, "under_way", arrives)
    assert await bench.sweeping.remake() == 0


async def test_uploads_that_nobody_names_are_removed_after_a_while(bench):
    document = (await bench.submit("a.md", b"alpha")).document
    bench.uploads.stored["orphan"] = b"x"
    assert await bench.sweeping.tidy() == 0
    bench.uploads.age_s = 7200
    assert await bench.sweeping.tidy() == 1
    assert list(bench.uploads.stored) == [document.upload_id]


async def test_a_collection_is_made_by_its_first_document_and_keeps_its_plan(bench):
    await bench.submit("a.md", b"alpha")
    await bench.submit("b.md", b"beta")
    assert len(bench.history.plans) == 1
    assert (await bench.collections.get("acme", "default")).document_count == 2
    changed = await bench.collections.put("acme", "default", None, '{"expectations": []}')
    assert changed.expectations_json
    with pytest.raises(Rejected, match="another plan"):
        await bench.collections.put("acme", "default", Plan(model=Model("other", "r", 3)), "")
    with pytest.raises(Invalid):
        await bench.collections.put("acme", "default", None, "wrong")
    with pytest.raises(Invalid):
        await bench.collections.put("acme", "No Good", None, "")
    with pytest.raises(NotFound):
        await bench.collections.get("other", "default")

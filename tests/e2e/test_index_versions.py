"""An index version is built, compared, switched to and back while people search; what was changed behind our back is found and mended."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopline_client import Loopline
from loopline_runtime.errors import Rejected
from loopline_testing.line import LocalLine
from loopline_text import split

ROOT = Path(__file__).parents[2]
DOCUMENTS, SENTENCES = 40, 3


def texts() -> list[str]:
    """Our own pages, in documents of a few sentences each."""
    pages = sorted(page for pattern in ("services/*/README.md", "libs/*/README.md") for page in ROOT.glob(pattern))
    said = [text for page in pages for _, text in split(page.read_text()) if len(text) > 80]
    parts = [" ".join(said[start : start + SENTENCES]) for start in range(0, len(said), SENTENCES)]
    assert len(parts) >= DOCUMENTS
    return parts[:DOCUMENTS]


@pytest.fixture
def collection(local: LocalLine) -> Iterator[str]:
    name = "versions"

    async def ingest() -> None:
        async with Loopline.local(local.home) as line:
            said = [await line.submit(f"{n}.md", text.encode(), collection=name) for n, text in enumerate(texts())]
            async for document in line.watch([one.document_id for one in said]):
                assert not document.settled or document.state == "INDEXED", document.reasons

    asyncio.run(ingest())
    return name


async def built(line: Loopline, collection: str, **plan: object) -> str:
    begun = await line.indexes.build(collection, **plan)
    async for now in line.indexes.watch(collection, begun.version):
        last = now
    assert (last.state, last.complete) == ("BUILT", last.documents), last
    return begun.version


async def through(local: LocalLine, collection: str) -> None:
    """Build, switch by force, roll back and drop, under a load of searches, with an upload in the middle."""
    over, versions, asked = asyncio.Event(), set(), []

    async def ask() -> None:
        async with Loopline.local(local.home) as line:
            while not over.is_set():
                found = await line.search("Who acknowledges a fact?", collections=[collection], k=5)
                asked.append(len(found))

    asking = [asyncio.create_task(ask()) for _ in range(2)]
    async with Loopline.local(local.home) as line:
        building = asyncio.create_task(built(line, collection, model="all-MiniLM-L6-v2-first-16"))
        said = await line.submit("late.md", b"Philippa Bellamy painted the lighthouse.", collection=collection)
        async for document in line.watch([said.document_id]):
            assert document.state not in ("REJECTED", "FAILED")
        versions.add(await building)
        with pytest.raises(Rejected, match=r"v2 (is|may be) worse than v1") as refused:
            await line.indexes.switch(collection, "v2")
        assert refused.value.reason == "WORSE"
        switched = await line.indexes.switch(collection, "v2", force=True, reason="a trial")
        assert (switched.serving, switched.previous) == ("v2", "v1")
        late = await line.search("Who painted the lighthouse?", collections=[collection], k=3)
        assert "late.md" in {passage.source for passage in late}
        with pytest.raises(Rejected, match="serves; switch"):
            await line.indexes.drop(collection, "v2")
        assert (await line.indexes.rollback(collection, reason="it was one")).serving == "v1"
        await line.indexes.drop(collection, "v2")
        changes = [change.switched for change in await line.indexes.history(collection)]
        assert [(one.to_version, one.forced, one.reason, one.by) for one in changes] == [
            ("v2", True, "a trial", "admin"),
            ("v1", False, "it was one", "admin"),
        ]
        assert changes[0].comparison.worse
        states = {one.version: (one.role, one.state) for one in await line.indexes.versions(collection)}
        assert states == {"v1": ("serving", "BUILT"), "v2": ("dropped", "RETIRED")}
    over.set()
    await asyncio.gather(*asking)  # raises what a search raised
    assert set(asked) == {5}


def test_a_worse_model_refuses_itself_and_searches_never_notice(local: LocalLine, collection: str):
    asyncio.run(through(local, collection))
    told = local.command("index", "list", "--json").stdout
    assert {row["version"]: row["role"] for row in json.loads(told) if row["collection"] == collection}[
        "v1"
    ] == "serving"
    said = local.command("events", "tail", "--since", "2026-01-01", "--quiet-s", "1").stdout
    assert said.count("index_switched") >= 2
    assert "plan_retired" in said


def test_what_was_removed_and_added_behind_our_back_is_named_and_mended(local: LocalLine, collection: str):
    assert "store and ledger agree" in local.command("index", "verify", "--collection", collection).stdout
    file = local.home / "data" / "index" / "local" / collection / "v1.db"
    with sqlite3.connect(file) as db:
        ((gone, revision),) = db.execute("select document, revision from revision order by document limit 1").fetchall()
        db.execute("delete from chunk where document = ? and ordinal = 0", (gone,))
        db.execute(
            "insert into revision (document, revision, shown, source, title, metadata, readers)"
            " values ('ff00', ?, 1, 'stranger.md', '', '{}', null)",
            (revision,),
        )
    db.close()
    found = local.command("index", "verify", "--collection", collection, "--json", check=False)
    assert found.returncode == 1
    assert {(row["kind"], row["document_id"]) for row in json.loads(found.stdout)} == {
        ("missing", gone),
        ("stray", "ff00"),
    }
    mended = local.command("index", "repair", "--collection", collection)
    assert "2 of 2 repaired" in mended.stdout
    assert "store and ledger agree" in local.command("index", "verify", "--collection", collection).stdout

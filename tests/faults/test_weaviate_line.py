"""The whole line on Weaviate: its server dies and is away, its objects are changed behind our back, a document is erased from it."""

import asyncio
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from pydantic import SecretStr
from weaviate.classes.query import Filter

from loopline.ingestion.v1.ingestion_service_pb2 import DocumentState
from loopline_client import Loopline
from loopline_local.weaviate import binary
from loopline_retrieval.adapters.weaviate_filter import heads_of, passages_of
from loopline_retrieval.adapters.weaviate_store import WeaviateStore
from loopline_retrieval.model import Space
from loopline_retrieval.settings import Weaviate
from loopline_runtime.errors import Unavailable
from loopline_testing.fixtures import NOT_RUN
from loopline_testing.line import SETTLED, LocalLine

CANARY = "The quetzalfinch of Ombrelune was sold to the glazier Thessaly Vantongeren in 1871"
DOCUMENTS = 12
ANSWERS_WITHIN_S = 8.0


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLine]:
    try:
        binary()
    except Unavailable as error:
        pytest.skip(f"{NOT_RUN} on the whole line: {error}")
    line = LocalLine(tmp_path_factory.mktemp("weaviate-line"))
    line.up("--engine", "quote", "--store", "weaviate")
    try:
        yield line
    finally:
        line.down()


def verified(local: LocalLine, collection: str) -> set[tuple[str, str]]:
    """What `index verify` names: kind and document."""
    done = local.command("index", "verify", "--collection", collection, "--json", check=False)
    found = {(one["kind"], one["document_id"]) for one in json.loads(done.stdout)}
    assert done.returncode == bool(found)
    return found


async def test_killed_in_the_middle_and_away_for_a_while_it_loses_nothing(local: LocalLine):
    for number in range(DOCUMENTS):
        await local.submit(f"{number}.md", f"# Log {number}\n\nThe ferry carried crate {number}.\n".encode(), "logs")
        if number == DOCUMENTS // 2:
            os.kill(local.profile["pids"]["weaviate"], signal.SIGKILL)
    await local.settled("logs", DOCUMENTS)

    local.command("stop", "weaviate")
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await local.search("Who carried the crate?", "logs")
    assert time.monotonic() - began < ANSWERS_WITHIN_S
    await local.submit("late.md", b"# Late\n\nThe harbour captain paints lighthouses.\n", "logs")
    await asyncio.sleep(1.5)
    (late,) = [one for one in await local.documents("logs") if one.source == "late.md"]
    assert late.state not in SETTLED
    local.command("start", "weaviate")
    documents = await local.settled("logs", DOCUMENTS + 1)
    assert {document.state for document in documents} == {DocumentState.DOCUMENT_STATE_INDEXED}
    assert "late.md" in {passage.source for passage in await local.search("Who paints lighthouses?", "logs")}
    assert verified(local, "logs") == set()


@asynccontextmanager
async def behind_our_back(local: LocalLine, collection: str):
    """Weaviate's own client, in the tenant of the collection's first version."""
    ports = json.loads((local.home / "ports.json").read_text())
    key = json.loads((local.home / "data" / "store-key.json").read_text())
    settings = Weaviate(port=ports["weaviate-http"], grpc_port=ports["weaviate-grpc"], key=SecretStr(key))
    async with WeaviateStore.opened(settings) as store:
        yield await store._found(Space("local", collection, "v1"))


async def test_what_was_removed_and_added_behind_our_back_is_named_and_mended(local: LocalLine):
    names = ("mill", "well", "inn")
    mill, well, inn = [
        (await local.submit(f"{name}.md", f"# {name}\n\nThe {name} of Brackwater burnt down.\n".encode(), "towns"))
        for name in names
    ]
    await local.settled("towns", len(names))
    assert verified(local, "towns") == set()
    async with behind_our_back(local, "towns") as place:
        await place.data.delete_many(where=passages_of(mill.document_id))
        await place.data.delete_many(where=heads_of(well.document_id))
        stranger = {"document": "ff00", "revision": 7, "source": "stranger.md", "chunk_id": "c"}
        await place.data.insert({"kind": "passage", **stranger}, uuid=str(uuid.uuid4()), vector=[0.05] * 384)
    assert verified(local, "towns") == {
        ("missing", mill.document_id),
        ("missing", well.document_id),
        ("stray", "ff00"),
    }
    assert "3 of 3 repaired" in local.command("index", "repair", "--collection", "towns").stdout
    assert verified(local, "towns") == set()
    found = await local.search("What burnt down in Brackwater?", "towns", k=50)
    assert {passage.document_id for passage in found} == {mill.document_id, well.document_id, inn.document_id}
    async with behind_our_back(local, "towns") as place:
        assert not (await place.query.fetch_objects(filters=Filter.by_property("document").equal("ff00"))).objects


def scanned(folder: Path) -> bool:
    """Whether a file holds the canary, or a word of it as it is indexed."""
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return any(word in file for file in files for word in (CANARY.encode(), b"vantongeren"))


async def test_an_erased_document_stays_gone_when_the_store_alone_is_restored_and_its_bytes_go_with_the_version(
    local: LocalLine,
):
    data, copy = local.home / "data" / "weaviate", local.home.parent / "weaviate-copy"
    async with Loopline.local(local.home) as line:
        said = await line.submit("bird.md", f"# Bird\n\n{CANARY}.\n".encode(), collection="birds")
        other = await line.submit("wren.md", b"# Wren\n\nThe wren of Ombrelune was kept.\n", collection="birds")
        async for _ in line.watch([said.document_id, other.document_id]):
            pass
        for name in ("retrieval", "weaviate"):
            local.command("stop", name)
        shutil.copytree(data, copy)
        for name in ("weaviate", "retrieval"):
            local.command("start", name)
        ordered = local.command("documents", "erase", said.document_id, "--wait", "--json")
        (chunks,) = [
            removal
            for owner in json.loads(ordered.stdout)["owners"]
            for removal in owner["removals"]
            if removal["what"] == "chunks"
        ]
        assert chunks["count"] == 1
        assert chunks["gone_by"] is None
        assert "when the index version is dropped" in chunks["disk"]
        assert json.loads(ordered.stdout)["gone_by"] is None

        for name in ("retrieval", "weaviate"):
            local.command("stop", name)
        shutil.rmtree(data)
        shutil.copytree(copy, data)
        for name in ("weaviate", "retrieval"):
            local.command("start", name)
        found = 0
        async with asyncio.timeout(30):  # it is looked through before the door opens, or as soon as it answers
            while found != 1:
                await asyncio.sleep(0.1)
                with suppress(Unavailable):  # we are connected to a process that is no more
                    question = "Who bought the quetzalfinch of Ombrelune?"
                    found = len(await line.search(question, collections=["birds"], k=9))
        assert scanned(data), "as the receipt says"

        local.command("index", "build", "--collection", "birds")
        local.command("index", "switch", "v2", "--collection", "birds", "--force", "--reason", "erasures")
        local.command("index", "drop", "v1", "--collection", "birds", "--reason", "erasures")
        kept = await line.search("What was kept?", collections=["birds"])
        assert [passage.document_id for passage in kept] == [other.document_id]
    assert not scanned(data)

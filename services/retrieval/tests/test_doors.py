"""Both doors: batches come over a real bus, questions over gRPC, and what was served is said afterwards."""

import asyncio
from pathlib import Path

import pytest

from loopline.embedding.v1.events_pb2 import ChunksEmbedded
from loopline.ingestion.v1.events_pb2 import BatchOf, Chunk, DocumentDeleted, EmbeddingModel, Place, Plan, PlanAdded
from loopline.retrieval.v1.events_pb2 import ChunksIndexed, QueryServed
from loopline.retrieval.v1.retrieval_service_pb2 import SearchRequest
from loopline.retrieval.v1.retrieval_service_pb2_grpc import (
    RetrievalServiceStub,
    add_RetrievalServiceServicer_to_server,
)
from loopline_contracts.channels import CHUNKS_EMBEDDED, CHUNKS_INDEXED, DOCUMENT_DELETED, PLAN_ADDED, QUERY_SERVED
from loopline_grpc.client import calling, connect
from loopline_grpc.server import Door, serving
from loopline_nats.content import Content, Contents
from loopline_nats.line import Fact, Heard, Line, open_line
from loopline_retrieval import events
from loopline_retrieval.adapters.fakes import FakeQuestions
from loopline_retrieval.adapters.knowledge_kv import KnowledgeKv
from loopline_retrieval.adapters.serving_kv import ServingKv
from loopline_retrieval.adapters.sqlite_store import SqliteStore
from loopline_retrieval.app import Comparing, Indexing, Searching, Switching
from loopline_retrieval.rpc import RetrievalRpc
from loopline_retrieval.served import Served
from loopline_retrieval.switched import Switched
from loopline_runtime.errors import Invalid, NotFound
from loopline_runtime.settings import Grpc
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer

MODEL = EmbeddingModel(name="words", revision="r1", dimension=8)
SERVICE = "loopline.retrieval.v1.RetrievalService"


async def said(line: Line, channel, document: str = "*") -> Heard:
    async with asyncio.timeout(10):
        while not (heard := await line.last_on(channel, "local", document)):
            await asyncio.sleep(0.02)
    return heard


async def index(provisioned: NatsServer, embed) -> None:
    batch = BatchOf(
        document_id="d1",
        collection="default",
        source="d1.md",
        revision=7,
        index_version="v1",
        batch_count=1,
        model=MODEL,
    )
    batch.title = "Tower"
    chunk = Chunk(chunk_id="c1", text="the red tower", place=Place(page=3, headings=["A", "B"]))
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:
        await ingestion.say(
            Fact(PLAN_ADDED, PlanAdded(collection="default", index_version="v1", plan=Plan(model=MODEL)), "p", "local")
        )
    async with open_line(bus_settings(provisioned), "embedding") as embedding:
        body = ChunksEmbedded(batch=batch, chunks=[chunk], vectors=[embed(chunk.text)])
        await embedding.say(Fact(CHUNKS_EMBEDDED, body, "d1/7/v1/0", "local", "d1"))


async def test_from_a_batch_to_a_served_question(provisioned: NatsServer, line: Line, bench, tmp_path: Path):
    async with (
        SqliteStore.opened(tmp_path / "own") as store,
        open_line(bus_settings(provisioned), "retrieval") as retrieval,
    ):
        versions = ServingKv(retrieval)
        knowledge = KnowledgeKv(retrieval)
        searching = Searching(store, FakeQuestions(bench.embed), versions)
        switching = Switching(
            store, knowledge, versions, Comparing(store, searching), Switched(retrieval, versions).tell
        )
        events.bind(retrieval, Indexing(store, knowledge, versions), switching, store)
        served = Served(retrieval, Contents(retrieval))
        rpc = RetrievalRpc(searching, switching, served.note)
        saying = asyncio.create_task(served.say())
        await retrieval.start()
        await index(provisioned, bench.embed)
        indexed = (await said(line, CHUNKS_INDEXED, "d1")).event
        assert isinstance(indexed, ChunksIndexed)
        assert (indexed.batch.revision, indexed.batch.title, indexed.chunk_count) == (7, "", 1)
        await Contents(line).put("local", Content.HASHED)
        door = Door(add_RetrievalServiceServicer_to_server, rpc, SERVICE)
        async with (
            serving(Grpc(port=0), keys=None, doors=[door]) as server,
            connect(f"127.0.0.1:{server.port}") as channel,
        ):
            stub = RetrievalServiceStub(channel)
            async with calling("retrieval"):
                found = await stub.Search(SearchRequest(question="red tower?", collections=["default"]))
            (passage,) = found.passages
            assert (passage.title, passage.place.page, list(passage.place.headings)) == ("Tower", 3, ["A", "B"])
            assert found.searched[0].index_version == "v1"
            event = (await said(line, QUERY_SERVED)).event
            assert isinstance(event, QueryServed)
            assert (event.query_id, event.passages[0].chunk_id, event.vector) == (found.query_id, "c1", b"")
            assert event.question.startswith("sha256:")
            for request, kind in (
                (SearchRequest(question="x", collections=["nowhere"]), NotFound),
                (SearchRequest(question="x", collections=["default"], filter="a ="), Invalid),
            ):
                with pytest.raises(kind):
                    async with calling("retrieval"):
                        await stub.Search(request)
            await deleted(provisioned, stub)
        saying.cancel()


async def deleted(provisioned: NatsServer, stub) -> None:
    """A deletion older than the revision is old news; one that is newer is not."""
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:
        for number in range(8):
            body = DocumentDeleted(document_id="d1", collection="default")
            await ingestion.say(Fact(DOCUMENT_DELETED, body, f"x{number}", "local", "d1"))
    async with asyncio.timeout(10):
        while (await stub.Search(SearchRequest(question="red tower?", collections=["default"]))).passages:
            await asyncio.sleep(0.02)

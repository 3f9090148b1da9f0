"""The two doors over a fake model: calls over gRPC, batches over a real bus."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest, EmbedRequest
from loopline.embedding.v1.embedding_service_pb2_grpc import (
    EmbeddingServiceStub,
    add_EmbeddingServiceServicer_to_server,
)
from loopline.embedding.v1.events_pb2 import ChunksEmbedded
from loopline.ingestion.v1.events_pb2 import BatchOf, Chunk, DocumentChunked, EmbeddingModel
from loopline_contracts.channels import CHUNKS_EMBEDDED, DOCUMENT_CHUNKED
from loopline_embedding import events
from loopline_embedding.adapters.fake_embedder import FakeEmbedder
from loopline_embedding.app import Embedding
from loopline_embedding.rpc import EmbeddingRpc
from loopline_embedding.turns import Turns
from loopline_grpc.client import calling, connect
from loopline_grpc.server import Door, serving
from loopline_nats.line import Fact, Line, open_line
from loopline_runtime.errors import Invalid
from loopline_runtime.settings import Grpc
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer

SERVICE = "loopline.embedding.v1.EmbeddingService"


@pytest.fixture
async def embedding() -> AsyncIterator[Embedding]:
    fake = FakeEmbedder()
    async with Turns.taken(fake.embed, threads=1) as turns:
        yield Embedding(fake, turns)


async def test_callers_get_vectors_with_the_model_that_made_them(embedding: Embedding):
    door = Door(add_EmbeddingServiceServicer_to_server, EmbeddingRpc(embedding), SERVICE)
    async with (
        serving(Grpc(port=0), keys=None, doors=[door]) as server,
        connect(f"127.0.0.1:{server.port}") as channel,
        calling("embedding"),
    ):
        stub = EmbeddingServiceStub(channel)
        one = await stub.EmbedQuery(EmbedQueryRequest(text="why?"))
        assert (len(one.vector), one.model) == (8, EmbeddingModel(name="fake", revision="r1", dimension=2))
        assert len((await stub.Embed(EmbedRequest(texts=["a", "b"]))).vectors) == 2
        with pytest.raises(Invalid):
            async with calling("embedding"):
                await stub.EmbedQuery(EmbedQueryRequest(text=" "))


async def test_a_batch_of_chunks_becomes_a_batch_of_vectors(embedding: Embedding, provisioned: NatsServer, line: Line):
    batch = BatchOf(
        document_id="d1", revision=7, number=1, batch_count=2, model=EmbeddingModel(name="fake", revision="r1")
    )
    said = DocumentChunked(batch=batch, chunks=[Chunk(chunk_id="c1", text="hello"), Chunk(chunk_id="c2", text="hi")])
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:
        await ingestion.say(Fact(DOCUMENT_CHUNKED, said, "d1/7/v1/1", "acme", "d1"))
    async with open_line(bus_settings(provisioned), "embedding") as service:
        events.bind(service, embedding)
        await service.start()
        heard = None
        while heard is None:
            heard = await line.last_on(CHUNKS_EMBEDDED, "acme", "d1")
            await asyncio.sleep(0.02)
    assert isinstance(heard.event, ChunksEmbedded)
    assert heard.delivery.id == "d1/7/v1/1"
    assert (heard.event.batch, list(heard.event.chunks)) == (batch, list(said.chunks))
    assert [len(vector) for vector in heard.event.vectors] == [8, 8]

"""A question's way over three services, each behind its own door: one trace from the question to the model's last word."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import loopline_generation
from loopline.embedding.v1.embedding_service_pb2_grpc import add_EmbeddingServiceServicer_to_server
from loopline.generation.v1.generation_service_pb2 import AnswerRequest
from loopline.generation.v1.generation_service_pb2_grpc import (
    GenerationServiceStub,
    add_GenerationServiceServicer_to_server,
)
from loopline.retrieval.v1.retrieval_service_pb2_grpc import add_RetrievalServiceServicer_to_server
from loopline_embedding.adapters.fake_embedder import FakeEmbedder
from loopline_embedding.app import Embedding
from loopline_embedding.rpc import EmbeddingRpc
from loopline_embedding.turns import Turns
from loopline_generation.adapters.chat_openai import OpenAiChat
from loopline_generation.adapters.fakes import FakeAnnouncer, FakeRecords
from loopline_generation.adapters.prompts_files import PromptFiles
from loopline_generation.adapters.retrieval_grpc import EmbedderGrpc, SearcherGrpc
from loopline_generation.app import Answering, Policy
from loopline_generation.rpc import GenerationRpc
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_retrieval.adapters.fakes import FakeKnowledge, FakeServing, untold
from loopline_retrieval.adapters.questions_grpc import QuestionsGrpc
from loopline_retrieval.adapters.sqlite_store import SqliteStore
from loopline_retrieval.app import Comparing, Searching, Switching
from loopline_retrieval.model import Batch, Chunk, Model, Place, Space
from loopline_retrieval.rpc import RetrievalRpc
from loopline_runtime.settings import Grpc
from loopline_testing.model_server import scripted_server, usage, word

MODEL = Model("fake", "r1", 2)
SPACE = Space("local", "default", "v1")
PROMPTS = Path(loopline_generation.__file__).parent / "prompts"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


@pytest.fixture
async def generation(tmp_path: Path) -> AsyncIterator[GenerationServiceStub]:
    embedder, versions = FakeEmbedder(), FakeServing()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context

        async def open_door(add, servicer, name: str):
            running = await enter(serving(Grpc(port=0), keys=None, doors=[Door(add, servicer, name)]))
            return await enter(connect(f"127.0.0.1:{running.port}"))

        turns = await enter(Turns.taken(embedder.embed, threads=1))
        embedding = await open_door(
            add_EmbeddingServiceServicer_to_server,
            EmbeddingRpc(Embedding(embedder, turns)),
            "loopline.embedding.v1.EmbeddingService",
        )
        store = await enter(SqliteStore.opened(tmp_path / "index"))
        await versions.begin("local", "default", "v1", MODEL)
        batch = Batch(SPACE, "d1", 1, 0, 1, MODEL, "d1.md", "Tower")
        text = "The tower was built by Ada Moreland."
        await store.put(batch, [Chunk("c1", 0, text, Place(), embedder.embed([text])[0])], frozenset())
        await store.show(SPACE, "d1", 1)
        searching = Searching(store, QuestionsGrpc(embedding), versions)
        switching = Switching(store, FakeKnowledge(), versions, Comparing(store, searching), untold)
        retrieval = await open_door(
            add_RetrievalServiceServicer_to_server,
            RetrievalRpc(searching, switching, lambda *_: None),
            "loopline.retrieval.v1.RetrievalService",
        )
        server = await enter(scripted_server())
        server.scripts.append((200, [word("Ada Moreland built it. "), usage(9, 4), b"[DONE]"]))
        records = FakeRecords()
        answering = Answering(
            SearcherGrpc(retrieval),
            EmbedderGrpc(embedding),
            OpenAiChat(server.url),
            PromptFiles(PROMPTS),
            records,
            FakeAnnouncer(),
            Policy(threshold=0.1, model="small"),
        )
        channel = await open_door(
            add_GenerationServiceServicer_to_server,
            GenerationRpc(answering, records),
            "loopline.generation.v1.GenerationService",
        )
        yield GenerationServiceStub(channel)


async def test_one_trace_leads_from_the_question_to_the_last_word(
    generation: GenerationServiceStub, spans: InMemorySpanExporter
):
    steps = [step async for step in generation.Answer(AnswerRequest(question="Who built the tower?"))]
    assert "Ada Moreland" in steps[-1].finished.text
    trace_id = int(steps[0].started.trace_id, 16)
    ours = [span for span in spans.get_finished_spans() if span.context.trace_id == trace_id]
    kinds = {(span.name.rsplit("/", 1)[-1], span.kind.name) for span in ours}
    for edge in (
        ("Answer", "SERVER"),
        ("Search", "CLIENT"),
        ("Search", "SERVER"),
        ("EmbedQuery", "SERVER"),
        ("Embed", "SERVER"),
    ):
        assert edge in kinds
    (chat,) = [span for span in ours if span.name == "chat small"]
    assert (chat.attributes["gen_ai.usage.input_tokens"], chat.attributes["gen_ai.usage.output_tokens"]) == (9, 4)

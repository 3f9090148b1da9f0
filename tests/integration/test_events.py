"""The event sides of all services in one process, over a real nats-server: what no service can show alone."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from loopline_contracts.channels import CHANNELS, OWNERS
from loopline_embedding import events as embedding_events
from loopline_embedding.adapters.fake_embedder import FakeEmbedder
from loopline_embedding.app import Embedding
from loopline_embedding.model import ModelId
from loopline_embedding.turns import Turns
from loopline_ingestion import events as ingestion_events
from loopline_ingestion.adapters.fakes import FakeExtraction
from loopline_ingestion.adapters.history_nats import HistoryNats
from loopline_ingestion.adapters.journal_file import JournalFile
from loopline_ingestion.adapters.ledger_sql import LedgerSql
from loopline_ingestion.adapters.plans_sql import PlansSql
from loopline_ingestion.adapters.receipts_sql import ReceiptsSql
from loopline_ingestion.adapters.traces_nats import TracesNats
from loopline_ingestion.adapters.uploads_objects import UploadsObjects
from loopline_ingestion.app import Building, Collections, Documents, Erasing, Working
from loopline_ingestion.model import Document, Header, State
from loopline_nats.dead_letters import DeadLetters
from loopline_nats.line import Line, open_line
from loopline_nats.objects import Objects
from loopline_retrieval import events as retrieval_events
from loopline_retrieval.adapters.fakes import FakeQuestions, untold
from loopline_retrieval.adapters.knowledge_kv import KnowledgeKv
from loopline_retrieval.adapters.serving_kv import ServingKv
from loopline_retrieval.adapters.sqlite_store import SqliteStore
from loopline_retrieval.app import Comparing, Indexing, Searching, Switching
from loopline_runtime.errors import Invalid
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer

tracer = trace.get_tracer("test")


class NamedEmbedder(FakeEmbedder):
    @property
    def model(self) -> ModelId:
        return ModelId("all-MiniLM-L6-v2", "53aa51172d14", 384)

    def embed(self, texts):
        super().embed(texts)
        return [bytes(4 * 383) + b"\0\0\x80\x3f" for _ in texts]


class Whole:
    """Ingestion, embedding and retrieval, each with its own connection."""

    def __init__(self, documents: Documents, embedder: FakeEmbedder) -> None:
        self.documents = documents
        self.embedder = embedder

    async def submit(self, source: str, text: bytes) -> Document:
        async def parts() -> AsyncIterator[bytes]:
            yield text

        return (await self.documents.submit("acme", Header("default", source), parts())).document

    async def settled(self, document: Document) -> Document:
        async with asyncio.timeout(20):
            return [state async for state in self.documents.watch("acme", [document.document_id])][-1]


async def always() -> None:
    return


@pytest.fixture
async def whole(provisioned: NatsServer, tmp_path: Path) -> AsyncIterator[Whole]:
    settings = bus_settings(provisioned)
    embedder = NamedEmbedder()
    async with (
        LedgerSql.opened(f"sqlite:///{tmp_path}/ledger.db") as ledger,
        SqliteStore.opened(tmp_path / "index") as store,
        Turns.taken(embedder.embed, threads=1) as turns,
        open_line(settings, "ingestion") as ingestion,
        open_line(settings, "embedding") as embedding,
        open_line(settings, "retrieval") as retrieval,
    ):
        extraction, history, uploads = FakeExtraction(), HistoryNats(ingestion), UploadsObjects(Objects(ingestion))
        collections = Collections(ledger, history, extraction)
        documents = Documents(ledger, history, uploads, collections, most_bytes=10_000)
        plans, receipts = PlansSql(ledger), ReceiptsSql(ledger.database)
        working = Working(uploads, history, extraction, collections, plans)
        building = Building(plans, history, working, in_flight=2, lost_after_s=60)
        traces, journal = TracesNats(ingestion), JournalFile(tmp_path / "erasures.jsonl")
        erasing = Erasing(history, ledger, uploads, traces, receipts, journal, OWNERS)
        ingestion_events.bind(ingestion, working, building, erasing, ledger, plans, receipts, always, always)
        embedding_events.bind(embedding, Embedding(embedder, turns))
        knowledge, serving = KnowledgeKv(retrieval), ServingKv(retrieval)
        searching = Searching(store, FakeQuestions(lambda _: b""), serving)
        switching = Switching(store, knowledge, serving, Comparing(store, searching), untold)
        retrieval_events.bind(retrieval, Indexing(store, knowledge, serving), switching, store)
        for line in (ingestion, embedding, retrieval):
            await line.start()
        yield Whole(documents, embedder)


async def test_random_bytes_on_every_subject_harm_nothing_and_are_kept(whole: Whole, line: Line):
    for channel in CHANNELS:
        for _ in range(3):
            await line.publish(channel.of("acme", "f" * 32), b"\xff" + os.urandom(64), {}, stream=channel.stream)
    settled = await whole.settled(await whole.submit("good.txt", b"one line\nanother line"))
    assert (settled.state, settled.chunk_count) == (State.INDEXED, 2)
    heard = 3 * (1 + 6 + 1 + 1 + 1 + 1 + 4)  # by extract, ledger, build, progress, embed, index, documents
    letters = []
    async with asyncio.timeout(20):
        while len(letters) < heard:
            letters = [letter async for letter in DeadLetters(line).list()]
            await asyncio.sleep(0.1)
    assert {letter.reason for letter in letters} == {"UNREADABLE"}
    assert all(letter.body is None for letter in letters)


async def test_a_refused_document_is_told_with_its_reason(whole: Whole):
    settled = await whole.settled(await whole.submit("bad.txt", b"refuse"))
    assert (settled.state, settled.reasons[0].code) == (State.REJECTED, "NO_TEXT")


async def test_a_buried_batch_fails_its_document_until_it_is_replayed(whole: Whole, line: Line):
    whole.embedder.fails = Invalid("the model cannot read this", reason="UNREADABLE_TEXT")
    failed = await whole.settled(await whole.submit("hard.txt", b"a line"))
    assert failed.state is State.FAILED
    assert failed.reasons[0].code == "UNREADABLE_TEXT"
    assert "embedding-embed" in failed.reasons[0].text
    whole.embedder.fails = None
    (letter,) = [letter async for letter in DeadLetters(line).list()]
    assert (letter.durable, letter.document) == ("embedding-embed", failed.document_id)
    await DeadLetters(line).replay(letter.sequence)
    async with asyncio.timeout(10):
        while (await whole.documents.get("acme", failed.document_id)).state is not State.INDEXED:
            await asyncio.sleep(0.05)
    assert [letter async for letter in DeadLetters(line).list()] == []


async def test_one_trace_leads_from_the_upload_to_the_index(whole: Whole):
    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with tracer.start_as_current_span("upload") as upload:
        document = await whole.submit("traced.txt", b"a line")
    await whole.settled(document)
    ours = [
        span for span in exporter.get_finished_spans() if span.context.trace_id == upload.get_span_context().trace_id
    ]
    edges = {span.name for span in ours}
    for step in (
        "publish document_accepted",
        "process ingestion-extract",
        "process embedding-embed",
        "process retrieval-index",
    ):
        assert step in edges
    names = {span.context.span_id: span.name for span in ours}
    parents = {span.name: names.get(span.parent.span_id) for span in ours if span.parent}
    assert parents["process embedding-embed"] == "publish document_chunked"
    assert parents["process retrieval-index"] == "publish chunks_embedded"
    assert parents["process ingestion-progress"] == "publish chunks_indexed"

"""The event sides of all services in one process, over any bus."""

import asyncio
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from opentelemetry import trace

from loopline_contracts.channels import OWNERS
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
from loopline_ingestion.adapters.turns_sql import TurnsSql
from loopline_ingestion.adapters.uploads_objects import UploadsObjects
from loopline_ingestion.app import Building, Collections, Documents, Erasing, Working
from loopline_ingestion.app import Turns as WaitingTurns
from loopline_ingestion.model import Document, Header
from loopline_nats.line import open_line
from loopline_nats.objects import Objects
from loopline_retrieval import events as retrieval_events
from loopline_retrieval.adapters.fakes import FakeQuestions, untold
from loopline_retrieval.adapters.knowledge_kv import KnowledgeKv
from loopline_retrieval.adapters.serving_kv import ServingKv
from loopline_retrieval.adapters.sqlite_store import SqliteStore
from loopline_retrieval.app import Comparing, Indexing, Searching, Switching
from loopline_runtime.errors import LooplineError
from loopline_runtime.lifecycle import background
from loopline_runtime.settings import Nats
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer, free_port

MODELS = Path(__file__).parents[2] / ".models"
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

    def __init__(self, documents: Documents, embedder: FakeEmbedder, store: SqliteStore, turns: Turns) -> None:
        self.turns = turns
        self.documents = documents
        self.store = store
        self.embedder = embedder

    async def submit(self, source: str, text: bytes, tenant: str = "acme") -> Document:
        async def parts() -> AsyncIterator[bytes]:
            yield text

        return (await self.documents.submit(tenant, Header("default", source), parts())).document

    async def settled(self, document: Document) -> Document:
        async with asyncio.timeout(20):
            return [state async for state in self.documents.watch("acme", [document.document_id])][-1]

    async def submit_in_spite(self, source: str, text: bytes) -> Document:
        """As a patient client does."""
        async with asyncio.timeout(60):
            while True:
                try:
                    return await self.submit(source, text)
                except LooplineError:
                    await asyncio.sleep(0.2)


async def given(turns: WaitingTurns) -> None:
    while True:
        with suppress(LooplineError):
            await turns.give()
        await turns.wait()


async def always() -> None:
    return


@asynccontextmanager
async def wholly(settings: Nats, tmp_path: Path) -> AsyncIterator[Whole]:
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
        documents = Documents(ledger, history, uploads, collections, most_bytes=10_000, at_once=4)
        plans, receipts = PlansSql(ledger), ReceiptsSql(ledger.database)
        working = Working(uploads, history, extraction, collections, plans)
        building = Building(plans, history, working, in_flight=2, lost_after_s=60)
        traces, journal = TracesNats(ingestion), JournalFile(tmp_path / "erasures.jsonl")
        erasing = Erasing(history, ledger, uploads, traces, receipts, journal, OWNERS)
        turns_of_tenants = WaitingTurns(TurnsSql(ledger.database), plans, history, at_once=4, lost_after_s=60)
        ingestion_events.bind(
            ingestion, working, turns_of_tenants, building, erasing, ledger, plans, receipts, always, always
        )
        embedding_events.bind(embedding, Embedding(embedder, turns))
        knowledge, serving = KnowledgeKv(retrieval), ServingKv(retrieval)
        searching = Searching(store, FakeQuestions(lambda _: b""), serving)
        switching = Switching(store, knowledge, serving, Comparing(store, searching), untold)
        retrieval_events.bind(retrieval, Indexing(store, knowledge, serving), switching, store)
        for line in (ingestion, embedding, retrieval):
            await line.start()
        async with background(given(turns_of_tenants), name="turns"):
            yield Whole(documents, embedder, store, turns)


@pytest.fixture
async def whole(provisioned: NatsServer, tmp_path: Path) -> AsyncIterator[Whole]:
    async with wholly(bus_settings(provisioned), tmp_path) as made:
        yield made


@pytest.fixture
def open_whole():
    """For a bus of the test's own."""
    return wholly


@pytest.fixture(scope="session")
def llama() -> Iterator[str]:
    """llama.cpp's server around the small model."""
    (model,) = (MODELS / "SmolLM2-135M-Instruct").glob("*.gguf")
    port = free_port()
    words = [
        "-m",
        "loopline_local.model_server",
        "--model",
        str(model),
        "--port",
        str(port),
        "--context",
        "1024",
        "--threads",
        "1",
    ]
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=1).close()
            break
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline, "llama.cpp's server did not start"
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait(10)

"""The store under test and small documents for it."""

import math
import struct
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from loopline_local.weaviate import WeaviateServer, binary, weaviate_server
from loopline_retrieval.adapters.fakes import FakeKnowledge, FakeQuestions, FakeServing
from loopline_retrieval.adapters.sqlite_store import SqliteStore
from loopline_retrieval.adapters.weaviate_store import WeaviateStore
from loopline_retrieval.app import Indexing, Searching
from loopline_retrieval.model import Batch, Chunk, Model, Place, Space
from loopline_retrieval.ports import Store
from loopline_retrieval.settings import Weaviate
from loopline_runtime.errors import Unavailable
from loopline_testing.fixtures import NOT_RUN

WORDS = ("red", "blue", "tower", "harbour", "captain", "orange", "winter", "bridge")
MODEL = Model("words", "r1", len(WORDS))


def embed(text: str) -> bytes:
    """A direction per known word; a little of everything, so that no vector is zero."""
    counts = [0.01 + text.lower().count(word) for word in WORDS]
    length = math.sqrt(sum(count * count for count in counts))
    return struct.pack(f"<{len(WORDS)}f", *(count / length for count in counts))


def batch(
    document: str,
    revision: int,
    number: int = 0,
    count: int = 1,
    *,
    tenant: str = "acme",
    collection: str = "default",
    readers: tuple[str, ...] = (),
    **metadata: str,
) -> Batch:
    space = Space(tenant, collection, "v1")
    return Batch(
        space,
        document,
        revision,
        number,
        count,
        MODEL,
        f"{document}.md",
        document.title(),
        metadata,
        frozenset(readers),
    )


def chunks(of: Batch, *texts: str) -> list[Chunk]:
    return [
        Chunk(
            str(uuid.uuid5(uuid.NAMESPACE_URL, f"{of.document}/{text}")),
            of.number * 64 + n,
            text,
            Place(page=1),
            embed(text),
        )
        for n, text in enumerate(texts)
    ]


class Bench:
    """The two apps over one store, and a short way to use them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.knowledge = FakeKnowledge()
        self.serving = FakeServing()
        self.indexing = Indexing(store, self.knowledge, self.serving)
        self.searching = Searching(store, FakeQuestions(embed), self.serving)
        self.batch, self.chunks, self.embed, self.model = batch, chunks, embed, MODEL

    async def index(self, of: Batch, *texts: str) -> bool:
        await self.indexing.add_plan(of.space, MODEL)
        return await self.indexing.index(of, chunks(of, *texts))


@pytest.fixture(scope="session")
def weaviate() -> Iterator[WeaviateServer]:
    try:
        binary()
    except Unavailable as error:
        pytest.skip(f"{NOT_RUN} over Weaviate: {error}")
    with weaviate_server() as server:
        yield server


def reached(server: WeaviateServer) -> Weaviate:
    """Settings of a store with collections of its own."""
    ports = server.ports
    return Weaviate(
        port=ports["http"], grpc_port=ports["grpc"], key=SecretStr(server.key), prefix=f"T{uuid.uuid4().hex[:12]}"
    )


@pytest.fixture(params=["embedded", "weaviate"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "embedded":
        async with SqliteStore.opened(tmp_path / "index") as embedded:
            yield embedded
        return
    async with WeaviateStore.opened(reached(request.getfixturevalue("weaviate"))) as remote:
        yield remote


@pytest.fixture
def build() -> SimpleNamespace:
    """Batches and chunks for any store."""
    return SimpleNamespace(batch=batch, chunks=chunks, model=MODEL)


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


@pytest.fixture
def bench_over() -> type[Bench]:
    """The two apps over any store."""
    return Bench


@pytest.fixture
def own_weaviate(weaviate: WeaviateServer) -> Weaviate:
    """Settings of a store with collections of its own."""
    return reached(weaviate)

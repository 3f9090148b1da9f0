"""Weaviate through Loopline against the bare client, at 10,000 and at 50,000 passages, vectors ready.

Search: over gRPC, fused, the ten best as passages whose document answers; against the two queries it is made of, near_vector and bm25, sent side by
side by weaviate's own client in the same process: a hundred candidates each, the same readers' filter, the same consistency, and the properties that
a passage has (the client, that fuses nothing, does not know which ten it will need).

Ingest: documents of 64 passages, eight at a time as the service takes them, known and shown as the line does it, over a real bus; against insert_many
of the same objects, words stemmed as ours are, into a tenant as large, 512 in a request, which are as many in flight. Interleaved.
"""

import argparse
import asyncio
import random
import sys
import time
import uuid

import numpy as np
from interleaved import percentile, report, spread
from pydantic import SecretStr
from weaviate.classes.query import MetadataQuery

from loopline.retrieval.v1.retrieval_service_pb2 import SearchRequest
from loopline.retrieval.v1.retrieval_service_pb2_grpc import (
    RetrievalServiceStub,
    add_RetrievalServiceServicer_to_server,
)
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_local.weaviate import WeaviateServer, binary, weaviate_server
from loopline_nats.line import Line, open_line
from loopline_nats.provision import apply
from loopline_retrieval.adapters.fakes import FakeServing, untold
from loopline_retrieval.adapters.knowledge_kv import KnowledgeKv
from loopline_retrieval.adapters.stems import asked
from loopline_retrieval.adapters.weaviate_filter import answering
from loopline_retrieval.adapters.weaviate_objects import SHOWN, objects_of
from loopline_retrieval.adapters.weaviate_schema import collection_name, facets, tenant_name
from loopline_retrieval.adapters.weaviate_store import WeaviateStore
from loopline_retrieval.app import Comparing, Indexing, Searching, Switching
from loopline_retrieval.model import Batch, Chunk, Model, Place, Space
from loopline_retrieval.rpc import RetrievalRpc
from loopline_retrieval.settings import Weaviate
from loopline_runtime.errors import Unavailable
from loopline_runtime.settings import Grpc, Nats
from loopline_testing.nats import nats_server

MODEL = Model("random", "r1", 384)
SPACE, BARE = Space("local", "bench", "v1"), Space("local", "bare", "v1")
PASSAGES, AT_ONCE, PART = 64, 8, 512
_FIRST = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u")]
WORDS = [f"{first}{second}" for second in _FIRST for first in _FIRST]
NOBODY: frozenset[str] = frozenset()


_NUMBERS = np.random.default_rng(3)
MEANINGS = {word: _NUMBERS.standard_normal(MODEL.dimension) for word in WORDS}


class Ready:
    """The port `Questions`: vectors that are there already."""

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}

    async def embed(self, question: str, model: Model) -> bytes:
        return self.known.setdefault(question, vector(question))


def vector(text: str) -> bytes:
    """Near for texts with the same words, as a model's are, and blurred, as a model's are."""
    found = sum((MEANINGS[word] for word in set(text.split())), 3 * _NUMBERS.standard_normal(MODEL.dimension))
    return (found / np.linalg.norm(found)).astype("<f4").tobytes()


def text(chance: random.Random, words: int) -> str:
    """Words as unevenly common as those of a language, and one of its own."""
    return " ".join(WORDS[min(int(chance.paretovariate(0.6)), len(WORDS)) - 1] for _ in range(words))


def document(space: Space, chance: random.Random) -> tuple[Batch, list[Chunk]]:
    """One document in one batch."""
    batch = Batch(
        space, uuid.UUID(int=chance.getrandbits(128)).hex, 1, 0, 1, MODEL, "source.md", "Title", {"lang": "en"}
    )
    texts = [text(chance, 120) for _ in range(PASSAGES)]
    chunks = [
        Chunk(str(uuid.UUID(int=chance.getrandbits(128))), n, said, Place(page=n), vector(said))
        for n, said in enumerate(texts)
    ]
    return batch, chunks


class Bench:
    """Both sides over one server."""

    def __init__(self, store: WeaviateStore, line: Line, stub: object, questions: Ready, chance: random.Random) -> None:
        self.store, self.questions, self.chance, self.stub = store, questions, chance, stub
        self.indexing = Indexing(store, KnowledgeKv(line), FakeServing())
        self.held = 0

    async def ours(self, documents: list[tuple[Batch, list[Chunk]]]) -> float:
        """Passages a second."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def index(batch: Batch, chunks: list[Chunk]) -> None:
            async with limit:
                await self.indexing.index(batch, chunks)

        began = time.perf_counter()
        await asyncio.gather(*(index(*one) for one in documents))
        self.held += PASSAGES * len(documents)
        return PASSAGES * len(documents) / (time.perf_counter() - began)

    async def theirs(self, documents: list[tuple[Batch, list[Chunk]]]) -> float:
        """The same, by the bare client."""
        place = await self.place(BARE)
        began = time.perf_counter()
        found = [
            one
            for batch, chunks in documents
            for one in objects_of(
                batch, chunks, NOBODY, facets(batch.source, batch.title, batch.document, batch.metadata)
            )
        ]
        for start in range(0, len(found), PART):
            result = await place.data.insert_many(found[start : start + PART])
            assert not result.errors
        return len(found) / (time.perf_counter() - began)

    async def place(self, space: Space):
        client = await self.store._connected()
        return client.collections.use(collection_name("Bench", MODEL)).with_tenant(tenant_name(space))

    async def ingest(self, documents: int, rounds: int) -> None:
        ratios, rates = [], []
        for _ in range(rounds):
            made = [document(SPACE, self.chance) for _ in range(documents)]
            also = [document(BARE, self.chance) for _ in range(documents)]
            ours, theirs = await self.ours(made), await self.theirs(also)
            ratios.append(ours / theirs)
            rates.append(ours)
        report(
            f"ingest, passages/s / the bare client's batch import, up to {self.held:,} passages",
            ">= 0.8",
            ratio=spread(ratios),
            passages_s=spread(rates, 0),
        )

    async def fill(self, passages: int) -> None:
        """Both sides up to so many, unmeasured."""
        while self.held < passages:
            wanted = min(16, -(-(passages - self.held) // PASSAGES))
            await self.ours([document(SPACE, self.chance) for _ in range(wanted)])
            await self.theirs([document(BARE, self.chance) for _ in range(wanted)])

    async def asked_of_us(self, question: str) -> float:
        """Milliseconds."""
        began = time.perf_counter()
        reply = await self.stub.Search(SearchRequest(question=question, collections=["bench"], k=10))
        took = (time.perf_counter() - began) * 1000
        assert len(reply.passages) == 10
        return took

    async def asked_of_them(self, question: str) -> float:
        """Milliseconds."""
        place, readers = await self.place(SPACE), answering(None, NOBODY, set())
        ready = np.frombuffer(await self.questions.embed(question, MODEL), "<f4").tolist()
        words = asked(question)
        began = time.perf_counter()
        near, said = await asyncio.gather(
            place.query.near_vector(
                ready,
                limit=100,
                filters=readers,
                return_metadata=MetadataQuery(distance=True),
                return_properties=SHOWN,
            ),
            place.query.bm25(
                words,
                query_properties=["words"],
                limit=100,
                filters=readers,
                return_metadata=MetadataQuery(score=True),
                return_properties=SHOWN,
            ),
        )
        took = (time.perf_counter() - began) * 1000
        assert (len(near.objects), len(said.objects)) == (100, 100)
        return took

    async def search(self, rounds: int, questions: int) -> None:
        asked_for = [text(self.chance, 6) for _ in range(questions)]
        ratios, more, took = [], [], []
        for number in range(rounds + 1):  # the first round warms
            ours, theirs = [], []
            for place, question in enumerate(asked_for):
                # Who comes second finds the server's caches warm: in turns.
                for whose in (ours, theirs) if (place + number) % 2 else (theirs, ours):
                    ask = self.asked_of_us if whose is ours else self.asked_of_them
                    whose.append(await ask(question))
            if number:
                ratios.append(percentile(ours, 0.5) / percentile(theirs, 0.5))
                more.append(percentile(ours, 0.5) - percentile(theirs, 0.5))
                took.append(percentile(ours, 0.5))
        report(
            f"Search p50 over Weaviate / the bare client's two queries, {self.held:,} passages",
            "<= 1.3, and <= 3 ms more",
            ratio=spread(ratios),
            more_ms=spread(more),
            p50_ms=spread(took),
        )


async def measure(server: WeaviateServer, bus: str, options: argparse.Namespace) -> None:
    settings = Weaviate(
        port=server.ports["http"],
        grpc_port=server.ports["grpc"],
        key=SecretStr(server.key),
        prefix="Bench",
        timeout_s=60,
        write_timeout_s=120,
    )
    chance = random.Random(5)
    questions, serves = Ready(), FakeServing()
    async with WeaviateStore.opened(settings) as store, open_line(Nats(url=bus), "retrieval") as line:
        await apply(line, scale=1 / 64)
        await serves.begin("local", "bench", "v1", MODEL)
        searching = Searching(store, questions, serves)
        switching = Switching(store, KnowledgeKv(line), serves, Comparing(store, searching), untold)
        rpc = RetrievalRpc(searching, switching, lambda *_: None)
        door = Door(add_RetrievalServiceServicer_to_server, rpc, "loopline.retrieval.v1.RetrievalService")
        async with (
            serving(Grpc(port=0), keys=None, doors=[door]) as running,
            connect(f"127.0.0.1:{running.port}") as channel,
        ):
            bench = Bench(store, line, RetrievalServiceStub(channel), questions, chance)
            await bench.ours([document(SPACE, chance)])  # makes the collection
            await bench.theirs([document(BARE, chance)])
            for passages in options.passages:
                await bench.fill(passages - 2 * options.rounds * 8 * PASSAGES)
                await bench.ingest(8, options.rounds)
                await bench.fill(passages)
                await bench.search(options.rounds, options.questions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 50_000])
    options = parser.parse_args()
    try:
        binary()
    except Unavailable as error:
        sys.stdout.write(f"bench_weaviate: NOT RUN, {error}\n")
        return
    with weaviate_server() as server, nats_server() as bus:
        asyncio.run(measure(server, bus.url, options))


if __name__ == "__main__":
    main()

"""Search over gRPC against embedding and both store queries in one process, at 10,000 passages; and how well Search ranks.

Interleaved: each question is asked both ways in turn. nDCG@10 on SciFact's test questions and on XQuAD English, whose hit@1 is
printed beside it, as it is and reranked by sentences.
"""

import argparse
import asyncio
import math
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from interleaved import percentile, report, spread
from questions import DATA, scifact, xquad, xquad_titles

from loopline.embedding.v1.embedding_service_pb2_grpc import add_EmbeddingServiceServicer_to_server
from loopline.retrieval.v1.retrieval_service_pb2 import SearchRequest
from loopline.retrieval.v1.retrieval_service_pb2_grpc import (
    RetrievalServiceStub,
    add_RetrievalServiceServicer_to_server,
)
from loopline_embedding.adapters.onnx import OnnxEmbedder, load
from loopline_embedding.app import Embedding
from loopline_embedding.rpc import EmbeddingRpc
from loopline_embedding.turns import Turns
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_retrieval.adapters.fakes import FakeKnowledge, FakeServing, untold
from loopline_retrieval.adapters.questions_grpc import QuestionsGrpc
from loopline_retrieval.adapters.reranker_sentences import SentenceReranker
from loopline_retrieval.adapters.sqlite_store import SqliteStore
from loopline_retrieval.app import Comparing, Searching, Switching
from loopline_retrieval.model import Batch, Chunk, Model, Place, Space
from loopline_retrieval.rpc import RetrievalRpc
from loopline_runtime.settings import Grpc

ROOT = Path(__file__).parents[2]
MODEL = Model("all-MiniLM-L6-v2", "53aa51172d14", 384)
TENANT = "local"
NOBODY: frozenset[str] = frozenset()


class Bench:
    """Embedding and retrieval with their doors, in this process, over loopback."""

    def __init__(
        self, store: SqliteStore, turns: Turns, searching: Searching, stub: object, embedder: OnnxEmbedder
    ) -> None:
        self.store, self.turns, self.searching, self.stub, self.embedder = store, turns, searching, stub, embedder
        self.versions: FakeServing = searching._serving

    async def fill(self, collection: str, texts: dict[str, str], titles: dict[str, str] | None = None) -> None:
        """One passage per text; the text's name is its source."""
        space = Space(TENANT, collection, "v1")
        await self.versions.begin(TENANT, collection, "v1", MODEL)
        names = list(texts)
        for start in range(0, len(names), 256):
            part = names[start : start + 256]
            vectors = await self.turns.batch([texts[name] for name in part])
            for name, vector in zip(part, vectors, strict=True):
                batch = Batch(
                    space, uuid.uuid5(uuid.NAMESPACE_URL, name).hex, 1, 0, 1, MODEL, name, (titles or {}).get(name, "")
                )
                await self.store.put(batch, [Chunk(name, 0, texts[name], Place(), vector)], NOBODY)
                await self.store.show(space, batch.document, 1)

    async def search(self, question: str, collection: str, k: int) -> list[str]:
        request = SearchRequest(question=question, collections=[collection], k=k)
        return [passage.source for passage in (await self.stub.Search(request)).passages]

    async def raw(self, question: str, collection: str) -> None:
        """What Search is made of, with nothing around it."""
        space = Space(TENANT, collection, "v1")
        vector = await asyncio.to_thread(lambda: self.embedder.embed([question])[0])
        await self.store.nearest(space, vector, 100, None, NOBODY)
        await self.store.keyword(space, question, 100, None, NOBODY)


def ndcg(found: Sequence[str], relevant: dict[str, int]) -> float:
    gain = sum((2 ** relevant.get(name, 0) - 1) / math.log2(place + 2) for place, name in enumerate(found[:10]))
    best = sorted(relevant.values(), reverse=True)[:10]
    return gain / sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(best))


async def overhead(bench: Bench, questions: list[str], collection: str, passages: int, rounds: int) -> None:
    ratios, more = [], []
    for _ in range(rounds):
        ours, theirs = [], []
        for question in questions:
            began = time.perf_counter()
            await bench.search(question, collection, 10)
            middle = time.perf_counter()
            await bench.raw(question, collection)
            ours.append((middle - began) * 1000)
            theirs.append((time.perf_counter() - middle) * 1000)
        ratios.append(percentile(ours, 0.5) / percentile(theirs, 0.5))
        more.append(percentile(ours, 0.5) - percentile(theirs, 0.5))
    report(
        f"Search p50 / (embed + both queries in one process), {passages:,} passages",
        "<= 1.5, and <= 2.5 ms more",
        ratio=spread(ratios),
        more_ms=spread(more),
    )


async def measure(folder: Path, rounds: int) -> None:
    embedder = load(ROOT / ".models/all-MiniLM-L6-v2", ROOT / ".models/graphs")
    versions = FakeServing()
    async with SqliteStore.opened(folder) as store, Turns.taken(embedder.embed, threads=2) as turns:
        embedding_door = Door(
            add_EmbeddingServiceServicer_to_server,
            EmbeddingRpc(Embedding(embedder, turns)),
            "loopline.embedding.v1.EmbeddingService",
        )
        async with (
            serving(Grpc(port=0), keys=None, doors=[embedding_door]) as embedding,
            connect(f"127.0.0.1:{embedding.port}") as channel,
        ):
            searching = Searching(store, QuestionsGrpc(channel), versions)
            switching = Switching(store, FakeKnowledge(), versions, Comparing(store, searching), untold)
            rpc = RetrievalRpc(searching, switching, lambda *_: None)
            door = Door(add_RetrievalServiceServicer_to_server, rpc, "loopline.retrieval.v1.RetrievalService")
            async with (
                serving(Grpc(port=0), keys=None, doors=[door]) as retrieval,
                connect(f"127.0.0.1:{retrieval.port}") as searched,
            ):
                await stories(Bench(store, turns, searching, RetrievalServiceStub(searched), embedder), rounds)


async def stories(bench: Bench, rounds: int) -> None:
    paragraphs, questions = xquad()
    titles = {str(number): title for number, title in enumerate(xquad_titles())}
    await bench.fill("xquad", {str(number): text for number, text in enumerate(paragraphs)}, titles)
    for how, reranker in (("", None), (", reranked by sentences", SentenceReranker(bench.searching._questions))):
        bench.searching._reranker = reranker
        ranks = [await bench.search(question.text, "xquad", 10) for question in questions]
        gains = [ndcg(found, {str(q.paragraph): 1}) for found, q in zip(ranks, questions, strict=True)]
        hits = [found[0] == str(q.paragraph) for found, q in zip(ranks, questions, strict=True)]
        report(
            f"XQuAD English through Search{how}",
            "hit@1 >= .97",
            hit_at_1=f"{sum(hits) / len(hits):.3f} of {len(hits)}",
            ndcg_at_10=f"{sum(gains) / len(gains):.3f}",
        )
    bench.searching._reranker = None
    documents, queries, relevant = scifact()
    await bench.fill("scifact", documents)
    gains = [ndcg(await bench.search(text, "scifact", 10), relevant[query]) for query, text in queries.items()]
    report("nDCG@10 on SciFact through Search", ">= .725", value=f"{sum(gains) / len(gains):.3f} of {len(gains)}")
    extra = {f"again-{name}": text for name, text in documents.items()}
    wanted = 10_000 - len(documents)
    await bench.fill("scifact", dict(list(extra.items())[:wanted]))
    await overhead(bench, list(queries.values())[:100], "scifact", 10_000, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.stdout.write("bench_search: NOT RUN, the data is not there\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder) / "index", options.rounds))


if __name__ == "__main__":
    main()

"""What comparing says with the real model: a worse one is told, a better one passes, the same again is no worse whatever the seed."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from loopline_embedding.adapters.onnx import OnnxEmbedder, load
from loopline_embedding.model import cut
from loopline_retrieval.adapters.fakes import FakeServing
from loopline_retrieval.adapters.sqlite_store import SqliteStore
from loopline_retrieval.app import Comparing, Searched, Searching
from loopline_retrieval.model import Batch, Chunk, Model, Place, Space
from loopline_retrieval.versions import Comparison, Trial

ROOT = Path(__file__).parents[2]
WHOLE = Model("all-MiniLM-L6-v2", "53aa51172d14", 384)
SHORT = Model("all-MiniLM-L6-v2-first-16", "53aa51172d14", 16)
THINGS = (
    "The lighthouse at Skerry Point",
    "The ferry between Alderwick and the islands",
    "The municipal library behind the market hall",
    "The cathedral organ of Lowmere",
    "The cooperative dairy in the upper valley",
    "The observatory on Marrow Hill",
    "The old sawmill below the dam",
    "The cable car to the glacier",
    "The weekly market on the harbour square",
)
FACTS = (
    "was built by the engineer Ada Moreland with granite from the quarry nearby",
    "is closed for repairs every winter, from November until the middle of March",
    "charges half the price to children, students and people out of work",
    "lost its roof in the storm of 1953 and was insured for only a part of it",
    "employs eleven people, most of whom have learned their trade in the same place",
    "may be visited with a guide on the first Friday of each month after dark",
    "needs a new electric motor, for which the town has set aside forty thousand",
    "appears on the oldest map of the region, drawn by a monk of the abbey",
    "is said to be haunted by a sailor who never paid what he owed there",
    "was sold twice in the same year and belongs to a foundation since then",
)
SENTENCES = [f"{thing} {fact}." for thing in THINGS for fact in FACTS]


class Questions:
    """The port `Questions`; each question is embedded once."""

    def __init__(self, embedder: OnnxEmbedder) -> None:
        self._embedder = embedder
        self._known: dict[str, bytes] = {}

    async def embed(self, question: str, model: Model) -> bytes:
        if question not in self._known:
            self._known[question] = self._embedder.embed([question])[0]
        return self._known[question] if model == WHOLE else cut(self._known[question], model.dimension)


@dataclass
class Whole:
    comparing: Comparing
    store: SqliteStore
    passages: list[str]
    vectors: list[bytes]

    async def version(self, name: str, model: Model = WHOLE, *, backwards: bool = False) -> Searched:
        """An index version of these passages, one per document."""
        space = Space("local", "pages", name)
        pairs = list(enumerate(zip(self.passages, self.vectors, strict=True)))
        for number, (text, vector) in reversed(pairs) if backwards else pairs:
            batch = Batch(space, f"d{number}", 1, 0, 1, model, f"{number}.md")
            chunk = uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{number}")
            own = vector if model == WHOLE else cut(vector, model.dimension)
            await self.store.put(batch, [Chunk(str(chunk), 0, text, Place(end=len(text)), own)], frozenset())
            await self.store.show(space, batch.document, 1)
        return Searched(space, model)

    async def compare(self, baseline: Searched, candidate: Searched, count: int, seed: int = 0) -> Comparison:
        return await self.comparing.compare(baseline, candidate, Trial(count=count, seed=seed))


@dataclass
class Corpus:
    """Sentences, each like many others, embedded once."""

    questions: Questions
    passages: list[str]
    vectors: list[bytes]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    embedder = load(ROOT / ".models/all-MiniLM-L6-v2", ROOT / ".models/graphs")
    return Corpus(Questions(embedder), SENTENCES, embedder.embed(SENTENCES))


@pytest.fixture
async def whole(corpus: Corpus, tmp_path: Path) -> AsyncIterator[Whole]:
    async with SqliteStore.opened(tmp_path / "index") as store:
        comparing = Comparing(store, Searching(store, corpus.questions, FakeServing()))
        yield Whole(comparing, store, corpus.passages, corpus.vectors)


async def test_a_worse_model_is_told_and_a_better_one_passes(whole: Whole):
    long, short = await whole.version("v1"), await whole.version("v2", SHORT)
    worse = await whole.compare(long, short, len(SENTENCES))
    assert worse.worse
    assert " worse than v1: nDCG@10 " in worse.verdict
    better = await whole.compare(short, long, len(SENTENCES))
    assert not better.worse
    assert better.verdict.startswith("v1 is better than v2: nDCG@10 ")
    assert [metric.name for metric in better.metrics] == ["nDCG@10", "recall@10", "MRR"]
    assert all(metric.low <= metric.difference <= metric.high for metric in better.metrics)


async def test_the_same_plan_again_is_refused_in_at_most_one_of_twenty(whole: Whole):
    first, again = await whole.version("v1"), await whole.version("v2", backwards=True)
    refused = [seed for seed in range(20) if (await whole.compare(first, again, 30, seed)).worse]
    assert len(refused) <= 1

"""Questions go first, batches come back in order, what cannot be embedded is told."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from loopline_embedding.adapters.fake_embedder import FakeEmbedder
from loopline_embedding.app import Embedding
from loopline_embedding.model import cut
from loopline_embedding.turns import SLICE_CHARACTERS, Turns
from loopline_runtime.errors import Invalid, NotFound, Unavailable


@pytest.fixture
def fake() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
async def embedding(fake: FakeEmbedder) -> AsyncIterator[Embedding]:
    async with Turns.taken(fake.embed, threads=1) as turns:
        yield Embedding(fake, turns)


def lengths(vectors: list[bytes]) -> list[float]:
    return [struct.unpack("<2f", vector)[0] for vector in vectors]


async def test_vectors_come_in_the_order_of_their_texts(embedding: Embedding):
    made = await embedding.of_texts(["four", "a", "three", "to"])
    assert lengths(made.vectors) == [4, 1, 5, 2]
    assert made.model.name == "fake"


async def test_a_question_waits_for_one_slice_not_for_a_batch(embedding: Embedding, fake: FakeEmbedder):
    fake.seconds = 0.02
    batch = asyncio.create_task(embedding.of_texts(["x" * SLICE_CHARACTERS] * 50))
    await asyncio.sleep(0.05)
    began = asyncio.get_running_loop().time()
    await embedding.of_question("why?")
    assert asyncio.get_running_loop().time() - began < 0.5  # the batch takes a second
    assert not batch.done()
    assert len((await batch).vectors) == 50


async def test_a_slice_is_small(embedding: Embedding, fake: FakeEmbedder):
    await embedding.of_texts(["y" * 500] * 20)
    assert max(sum(map(len, texts)) for texts in fake.seen) <= SLICE_CHARACTERS


@pytest.mark.parametrize("texts", [["fine", " \n"], ["a"] * 257, ["a" * 40_000]])
async def test_what_cannot_be_embedded_is_invalid(embedding: Embedding, texts: list[str]):
    with pytest.raises(Invalid):
        await embedding.of_texts(texts)


async def test_another_model_is_not_found(embedding: Embedding):
    with pytest.raises(NotFound, match="served: fake r1"):
        await embedding.of_question("why?", model="fake", revision="r2")
    assert (await embedding.of_question("why?", model="fake")).model.revision == "r1"


async def test_a_failure_reaches_who_asked_and_nobody_else(embedding: Embedding, fake: FakeEmbedder):
    fake.fails = Unavailable("no memory")
    with pytest.raises(Unavailable):
        await embedding.of_question("why?")
    fake.fails = None
    await embedding.ready()


async def test_who_leaves_is_not_worked_for(embedding: Embedding, fake: FakeEmbedder):
    fake.seconds = 0.1
    first = asyncio.create_task(embedding.of_texts(["first"]))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(embedding.of_texts(["second"]))
    await asyncio.sleep(0.01)
    second.cancel()
    await first
    await embedding.of_question("third")
    assert ["second"] not in fake.seen


async def test_a_shorter_model_is_one_of_its_own(fake: FakeEmbedder):
    async with Turns.taken(fake.embed, 1) as turns:
        embedding = Embedding(fake, turns, [1])
        assert (await embedding.of_question("tower")).model == fake.model
        short = await embedding.of_question("tower", "fake-first-1")
        assert (short.model.name, short.model.revision, short.model.dimension) == ("fake-first-1", "r1", 1)
        assert short.vectors == [struct.pack("<f", 1.0)]


def test_a_vector_that_is_cut_keeps_its_direction():
    assert struct.unpack("<2f", cut(struct.pack("<3f", 3, 4, 12), 2)) == pytest.approx((0.6, 0.8))


async def test_a_build_gives_way_to_what_was_just_submitted():
    order: list[str] = []

    def embed(texts: Sequence[str]) -> list[bytes]:
        order.extend(texts)
        time.sleep(0.01)
        return [b"" for _ in texts]

    long = "x" * 1200
    async with Turns.taken(embed, 1) as turns:
        building = asyncio.create_task(turns.batch([f"build {n} {long}" for n in range(4)], build=True))
        await asyncio.sleep(0.005)
        await turns.batch([f"live {n} {long}" for n in range(3)])
        await building
    assert [text.split()[0] for text in order] == ["build", "live", "live", "live", "build", "build", "build"]

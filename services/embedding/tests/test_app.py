"""Questions go first, batches come back in order, what cannot be embedded is told."""

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest

from loopline_embedding.adapters.fake_embedder import FakeEmbedder
from loopline_embedding.app import Embedding
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
    with pytest.raises(NotFound, match="fake r1 is"):
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

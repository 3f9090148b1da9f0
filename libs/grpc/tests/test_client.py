"""Repeats where it is safe, within a budget; finds its way back to a service that was away."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest, EmbedQueryResponse
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline.generation.v1.generation_service_pb2 import AnswerRequest, AnswerResponse
from loopline_grpc.client import calling, connect
from loopline_grpc.methods import method_at
from loopline_grpc.server import serving
from loopline_runtime.errors import Invalid, Unavailable
from loopline_runtime.settings import Grpc


async def test_a_safe_call_is_repeated_when_the_service_is_unavailable(house: Any, embedding: Any) -> None:
    tries = 0

    async def twice_down(_: Any) -> EmbedQueryResponse:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unavailable("not now")
        return EmbedQueryResponse(vector=b"at last")

    house.embed_query = twice_down
    assert (await embedding.EmbedQuery(EmbedQueryRequest())).vector == b"at last"


async def test_what_the_caller_must_change_is_not_repeated(house: Any, embedding: Any) -> None:
    tries = 0

    async def refuses(_: Any) -> EmbedQueryResponse:
        nonlocal tries
        tries += 1
        raise Invalid("no")

    house.embed_query = refuses
    with pytest.raises(Invalid):
        async with calling("embedding"):
            await embedding.EmbedQuery(EmbedQueryRequest())
    assert tries == 1


async def test_a_call_that_may_have_effects_is_not_repeated(house: Any, generation: Any) -> None:
    tries = 0

    async def answer(_: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries:
            raise Unavailable("not now")
        yield AnswerResponse()

    house.answer = answer
    with pytest.raises(Unavailable):
        async with calling("generation"):
            await generation.Answer(AnswerRequest()).read()
    assert tries == 1


async def test_repeats_end_when_their_budget_is_spent(build: Callable[..., Any]) -> None:
    house = await build()
    tries = 0

    async def down(_: Any) -> EmbedQueryResponse:
        nonlocal tries
        tries += 1
        raise Unavailable("down for long")

    async def ask() -> None:
        with pytest.raises(Unavailable):
            async with calling("embedding"):
                await stub.EmbedQuery(EmbedQueryRequest())

    house.embed_query = down
    async with connect(house.target) as channel:
        stub = EmbeddingServiceStub(channel)
        await asyncio.gather(*(ask() for _ in range(60)))
        tries = 0
        await asyncio.gather(*(ask() for _ in range(20)))
    assert tries == 20


async def test_a_service_that_comes_back_is_found_again(build: Callable[..., Any]) -> None:
    house = await build()
    async with serving(Grpc(port=0, grace_s=0), keys=None, doors=house.doors()) as server:
        port = server.port
        async with connect(f"127.0.0.1:{port}") as channel:
            await EmbeddingServiceStub(channel).EmbedQuery(EmbedQueryRequest())
    channel = connect(f"127.0.0.1:{port}")
    stub = EmbeddingServiceStub(channel)
    with pytest.raises(Unavailable):
        async with calling("embedding"):
            await stub.EmbedQuery(EmbedQueryRequest(), timeout=2)
    async with serving(Grpc(port=port, grace_s=0), keys=None, doors=house.doors()):
        async with asyncio.timeout(5):
            while True:
                try:
                    async with calling("embedding"):
                        await stub.EmbedQuery(EmbedQueryRequest(), timeout=2)
                except Unavailable:
                    await asyncio.sleep(0.05)
                else:
                    break
        await channel.close()


def test_what_is_safe_is_read_from_the_protos() -> None:
    assert method_at("/loopline.embedding.v1.EmbeddingService/EmbedQuery").safe
    assert not method_at("/loopline.generation.v1.GenerationService/Answer").safe
    assert method_at("/loopline.generation.v1.GenerationService/DeleteConversation").safe
    assert not method_at("/unknown.Service/Do").safe

"""What is too much is refused at once."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest, EmbedQueryResponse, EmbedRequest
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline_grpc.client import calling, connect
from loopline_runtime.access import Right
from loopline_runtime.errors import Invalid, Overloaded


@pytest.fixture
async def busy(build: Callable[..., Any], keys: Any) -> Any:
    """A house whose EmbedQuery ends when `house.gate` is set."""
    house = await build(keys=keys, at_once=3, at_once_per_tenant=2)
    house.gate = asyncio.Event()

    async def held(_: Any) -> EmbedQueryResponse:
        await house.gate.wait()
        return EmbedQueryResponse()

    house.embed_query = held
    return house


async def test_a_full_house_refuses_within_ten_milliseconds_and_a_tenant_cannot_fill_it_alone(
    busy: Any, keys: Any
) -> None:
    async with AsyncExitStack() as stack:
        stubs = {
            tenant: EmbeddingServiceStub(
                await stack.enter_async_context(connect(busy.target, key=keys.add(tenant, Right.READ)))
            )
            for tenant in ("acme", "globex", "initech")
        }
        held = [asyncio.ensure_future(stubs[tenant].EmbedQuery(EmbedQueryRequest())) for tenant in ("acme", "acme")]
        await asyncio.sleep(0.05)
        assert await refusal(stubs["acme"]) == "TENANT_OVERLOADED"
        held.append(asyncio.ensure_future(stubs["globex"].EmbedQuery(EmbedQueryRequest())))
        await asyncio.sleep(0.05)
        assert await refusal(stubs["initech"]) == "OVERLOADED"
        seconds = []
        for _ in range(20):
            started = time.perf_counter()
            await refusal(stubs["initech"])
            seconds.append(time.perf_counter() - started)
        assert sorted(seconds)[10] < 0.010
        busy.gate.set()
        await asyncio.gather(*held)
        await stubs["acme"].EmbedQuery(EmbedQueryRequest())


async def test_a_caller_who_leaves_gives_its_place_back(busy: Any, keys: Any, until: Any) -> None:
    async with connect(busy.target, key=keys.add("acme", Right.READ)) as channel:
        stub = EmbeddingServiceStub(channel)
        calls = [stub.EmbedQuery(EmbedQueryRequest()) for _ in range(2)]
        await asyncio.sleep(0.05)
        for call in calls:
            call.cancel()
        busy.gate.set()
        async with asyncio.timeout(2):
            while True:
                try:
                    async with calling("embedding"):
                        await stub.EmbedQuery(EmbedQueryRequest())
                except Overloaded:
                    await asyncio.sleep(0.01)
                else:
                    break


async def test_a_message_over_the_limit_is_refused_and_harms_nothing(build: Callable[..., Any]) -> None:
    house = await build(max_message_bytes=100_000)
    async with connect(house.target) as channel:
        stub = EmbeddingServiceStub(channel)
        with pytest.raises(Invalid, match="larger than max") as caught:
            async with calling("embedding"):
                await stub.Embed(EmbedRequest(texts=["x" * 200_000]))
        assert caught.value.reason == "MESSAGE_TOO_LARGE"
        with pytest.raises(Invalid, match="larger than max"):
            async with connect(house.target, max_message_bytes=1000) as narrow, calling("embedding"):
                await EmbeddingServiceStub(narrow).Embed(EmbedRequest(texts=["x" * 2000]))
        assert len((await stub.Embed(EmbedRequest(texts=["x" * 50_000]))).vectors[0]) == 50_000


async def refusal(stub: Any) -> str:
    with pytest.raises(Overloaded) as caught:
        async with calling("embedding"):
            await stub.EmbedQuery(EmbedQueryRequest())
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s > 0
    return caught.value.reason

"""A deadline holds along the whole way, and a call does not outlive it."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest, EmbedQueryResponse
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline.generation.v1.generation_service_pb2 import AnswerRequest, AnswerResponse
from loopline.generation.v1.generation_service_pb2_grpc import GenerationServiceStub
from loopline_grpc.client import calling, connect
from loopline_grpc.deadline import due_in, remaining_s
from loopline_runtime.errors import TimedOut


async def left(_: Any) -> EmbedQueryResponse:
    return EmbedQueryResponse(vector=str(remaining_s()).encode())


async def test_what_is_left_goes_on_over_two_hops(build: Callable[..., Any]) -> None:
    far, near = await build(), await build()
    far.embed_query = left
    async with connect(far.target) as inner, connect(near.target) as outer:

        async def hop(request: Any) -> EmbedQueryResponse:
            await asyncio.sleep(0.1)
            answered: EmbedQueryResponse = await EmbeddingServiceStub(inner).EmbedQuery(request, timeout=20)
            return answered

        near.embed_query = hop
        answer = await EmbeddingServiceStub(outer).EmbedQuery(EmbedQueryRequest(), timeout=3)
    assert 2 < float(answer.vector) < 2.95


async def test_a_call_without_a_deadline_is_given_one(build: Callable[..., Any]) -> None:
    house = await build(default_deadline_s=7)
    house.embed_query = left
    async with grpc.aio.insecure_channel(house.target) as channel:
        answer = await EmbeddingServiceStub(channel).EmbedQuery(EmbedQueryRequest())
    assert 6 < float(answer.vector) <= 7


async def test_a_servicer_past_the_deadline_is_cancelled(build: Callable[..., Any]) -> None:
    house = await build(default_deadline_s=0.1)
    cancelled = asyncio.Event()

    async def slow(_: Any) -> EmbedQueryResponse:
        try:
            await asyncio.sleep(30)
        finally:
            cancelled.set()
        return EmbedQueryResponse()

    house.embed_query = slow
    async with connect(house.target, timeout_s=None) as channel:
        with pytest.raises(TimedOut) as caught:
            async with calling("embedding"):
                await EmbeddingServiceStub(channel).EmbedQuery(EmbedQueryRequest())
    assert caught.value.reason == "DEADLINE_PASSED"
    await asyncio.wait_for(cancelled.wait(), 1)


async def test_the_callers_own_deadline_is_timed_out_too(house: Any, embedding: Any) -> None:
    async def slow(_: Any) -> EmbedQueryResponse:
        await asyncio.sleep(30)
        return EmbedQueryResponse()

    house.embed_query = slow
    with pytest.raises(TimedOut):
        async with calling("embedding"):
            await embedding.EmbedQuery(EmbedQueryRequest(), timeout=0.1)


async def test_a_servicers_own_timeout_is_not_taken_for_the_deadline(house: Any, embedding: Any, capsys: Any) -> None:
    async def untranslated(_: Any) -> EmbedQueryResponse:
        raise TimeoutError

    house.embed_query = untranslated
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await embedding.EmbedQuery(EmbedQueryRequest())
    assert caught.value.code() is grpc.StatusCode.INTERNAL


async def test_no_time_left_fails_at_once(embedding: Any) -> None:
    with due_in(0), pytest.raises(TimedOut):
        async with calling("embedding"):
            await embedding.EmbedQuery(EmbedQueryRequest())


async def test_a_stream_has_no_deadline_but_the_callers(build: Callable[..., Any]) -> None:
    house = await build(default_deadline_s=0.05)
    seen: list[float | None] = []

    async def answer(_: Any) -> Any:
        seen.append(remaining_s())
        await asyncio.sleep(0.2)
        yield AnswerResponse()

    house.answer = answer
    async with connect(house.target) as channel:
        stub = GenerationServiceStub(channel)
        assert len([step async for step in stub.Answer(AnswerRequest())]) == 1
        assert len([step async for step in stub.Answer(AnswerRequest(), timeout=5)]) == 1
    assert seen[0] is None
    assert seen[1] is not None
    assert 4 < seen[1] < 5.1


def test_outside_of_a_call_there_is_no_deadline() -> None:
    assert remaining_s() is None

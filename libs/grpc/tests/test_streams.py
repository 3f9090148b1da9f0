"""Streams: a cancel reaches the generator, wherever it waits; a stop lets it finish."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from loopline.generation.v1.generation_service_pb2 import AnswerRequest, AnswerResponse, Heartbeat, Token
from loopline.generation.v1.generation_service_pb2_grpc import GenerationServiceStub
from loopline.ingestion.v1.ingestion_service_pb2 import SubmitDocumentRequest, SubmitDocumentResponse
from loopline_grpc.access import caller
from loopline_grpc.client import connect
from loopline_grpc.server import serving
from loopline_runtime.errors import Unavailable
from loopline_runtime.settings import Grpc


@pytest.mark.parametrize("size", [10, 100_000])
async def test_a_cancel_is_seen_by_the_generator(house: Any, generation: Any, size: int) -> None:
    """Small messages: it waits at an await of its own. Large ones: it waits at its yield, for the caller reads no more."""
    seen: list[str] = []
    ended = asyncio.Event()

    async def answer(_: Any) -> Any:
        try:
            while True:
                yield AnswerResponse(token=Token(text="x" * size))
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            seen.append("cancelled")
            await asyncio.sleep(0.01)
            seen.append(f"said so for {caller().tenant}")
            raise
        finally:
            ended.set()

    house.answer = answer
    call = generation.Answer(AnswerRequest())
    assert (await call.read()).token.text
    await asyncio.sleep(0.1)
    call.cancel()
    await asyncio.wait_for(ended.wait(), 2)
    assert seen == ["cancelled", "said so for local"]


async def test_a_servicer_that_fails_after_its_caller_left_harms_nothing(
    house: Any, generation: Any, caplog: Any
) -> None:
    ended = asyncio.Event()

    async def answer(_: Any) -> Any:
        try:
            while True:
                yield AnswerResponse(heartbeat=Heartbeat())
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            ended.set()
            raise Unavailable("cannot say so") from None

    house.answer = answer
    call = generation.Answer(AnswerRequest())
    await call.read()
    call.cancel()
    await asyncio.wait_for(ended.wait(), 2)
    await asyncio.sleep(0.05)
    assert not caplog.records


async def test_a_generator_that_never_waits_is_left_too(house: Any, generation: Any) -> None:
    ended = asyncio.Event()

    async def answer(_: Any) -> Any:
        try:
            while True:
                yield AnswerResponse(token=Token(text="x" * 100_000))
        finally:
            ended.set()

    house.answer = answer
    call = generation.Answer(AnswerRequest())
    await call.read()
    await asyncio.sleep(0.05)
    call.cancel()
    await asyncio.wait_for(ended.wait(), 2)


async def test_leaving_the_loop_early_cancels(house: Any, generation: Any) -> None:
    ended = asyncio.Event()

    async def answer(_: Any) -> Any:
        try:
            while True:
                yield AnswerResponse(heartbeat=Heartbeat())
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    house.answer = answer
    call = generation.Answer(AnswerRequest())
    async for _ in call:
        break
    call.cancel()
    await asyncio.wait_for(ended.wait(), 2)


async def test_an_upload_flows_part_by_part(house: Any, ingestion: Any) -> None:
    async def submit(parts: Any) -> Any:
        total = 0
        async for part in parts:
            total += len(part.data)
        return SubmitDocumentResponse(document_id=str(total))

    async def parts() -> Any:
        for _ in range(10):
            yield SubmitDocumentRequest(data=b"x" * 1000)

    house.submit = submit
    assert (await ingestion.SubmitDocument(parts())).document_id == "10000"


async def test_a_stop_lets_a_stream_finish_and_takes_no_new_calls(build: Callable[..., Any]) -> None:
    house = await build()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_: Any) -> Any:
        yield AnswerResponse(token=Token(text="a"))
        begun.set()
        await go_on.wait()
        yield AnswerResponse(token=Token(text="b"))

    house.answer = answer
    stop = asyncio.Event()

    async def run(port: asyncio.Future[int]) -> None:
        async with serving(Grpc(port=0, grace_s=5), keys=None, doors=house.doors()) as server:
            port.set_result(server.port)
            await stop.wait()

    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run(bound))
    async with connect(f"127.0.0.1:{await bound}") as channel:
        call = GenerationServiceStub(channel).Answer(AnswerRequest())
        steps = aiter(call)
        heard = [(await anext(steps)).token.text]
        await begun.wait()
        stop.set()
        await asyncio.sleep(0.1)
        assert not running.done()
        go_on.set()
        heard += [step.token.text async for step in steps]
        assert heard == ["a", "b"]
        await asyncio.wait_for(running, 2)


async def test_after_the_grace_a_stream_gets_its_last_words(build: Callable[..., Any]) -> None:
    house = await build()
    words: list[str] = []

    async def answer(_: Any) -> Any:
        try:
            while True:
                yield AnswerResponse(heartbeat=Heartbeat())
                await asyncio.sleep(0.01)
        finally:
            await asyncio.sleep(0.1)
            words.append("the answer was cancelled")

    house.answer = answer
    async with (
        serving(Grpc(port=0, grace_s=0.1), keys=None, doors=house.doors()) as server,
        connect(f"127.0.0.1:{server.port}") as channel,
    ):
        call = GenerationServiceStub(channel).Answer(AnswerRequest())
        await call.read()
    assert words == ["the answer was cancelled"]

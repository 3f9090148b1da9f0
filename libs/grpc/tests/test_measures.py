"""One trace over all hops; every call counted."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from prometheus_client import REGISTRY

from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest, EmbedQueryResponse
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline.generation.v1.generation_service_pb2 import AnswerRequest, AnswerResponse
from loopline.retrieval.v1 import retrieval_service_pb2
from loopline_grpc.client import calling, connect
from loopline_grpc.measures import at_rest
from loopline_grpc.methods import methods_of
from loopline_runtime.errors import NotFound

METHOD = {"service": "loopline.embedding.v1.EmbeddingService", "method": "EmbedQuery"}


async def test_a_trace_goes_on_over_two_hops(build: Callable[..., Any], spans: Any, until: Any) -> None:
    far, near = await build(), await build()
    async with connect(far.target) as inner, connect(near.target) as outer:

        async def hop(request: Any) -> EmbedQueryResponse:
            answered: EmbedQueryResponse = await EmbeddingServiceStub(inner).EmbedQuery(request)
            return answered

        near.embed_query = hop
        with trace.get_tracer("test").start_as_current_span("question") as root:
            await EmbeddingServiceStub(outer).EmbedQuery(EmbedQueryRequest())
        await until(lambda: len(spans.get_finished_spans()) == 5)
    finished = {span.context.span_id: span for span in spans.get_finished_spans()}
    assert {span.context.trace_id for span in finished.values()} == {root.get_span_context().trace_id}
    leaf = next(
        span
        for span in finished.values()
        if span.context.span_id not in {s.parent.span_id for s in finished.values() if s.parent}
    )
    kinds = []
    while leaf.parent:
        kinds.append(leaf.kind.name)
        leaf = finished[leaf.parent.span_id]
    assert kinds == ["SERVER", "CLIENT", "SERVER", "CLIENT"]


async def test_a_span_tells_method_code_and_reason(house: Any, embedding: Any, spans: Any, until: Any) -> None:
    async def absent(_: Any) -> Any:
        raise NotFound("no such model", reason="MODEL_UNKNOWN")

    house.embed_query = absent
    with pytest.raises(NotFound):
        async with calling("embedding"):
            await embedding.EmbedQuery(EmbedQueryRequest())
    await until(lambda: len(spans.get_finished_spans()) == 2)
    server = next(span for span in spans.get_finished_spans() if span.kind is trace.SpanKind.SERVER)
    assert server.name == "loopline.embedding.v1.EmbeddingService/EmbedQuery"
    assert server.attributes["rpc.grpc.status_code"] == 5
    assert server.attributes["loopline.reason"] == "MODEL_UNKNOWN"
    assert server.attributes["loopline.tenant"] == "local"
    # The caller's fault is no error of the server.
    assert server.status.status_code is trace.StatusCode.UNSET


async def test_calls_are_counted_by_method_and_code(house: Any, embedding: Any, generation: Any, until: Any) -> None:
    def count(side: str, code: str) -> float:
        return REGISTRY.get_sample_value(f"loopline_rpc_{side}requests_total", {**METHOD, "code": code}) or 0.0

    before = count("", "OK"), count("client_", "OK"), count("", "NOT_FOUND")

    async def absent(_: Any) -> Any:
        raise NotFound("no")

    await embedding.EmbedQuery(EmbedQueryRequest())
    house.embed_query = absent
    with pytest.raises(grpc.aio.AioRpcError):
        await embedding.EmbedQuery(EmbedQueryRequest())
    await until(
        lambda: (count("", "OK"), count("client_", "OK"), count("", "NOT_FOUND")) == tuple(one + 1 for one in before)
    )
    assert REGISTRY.get_sample_value("loopline_rpc_in_flight", METHOD) == 0


async def test_a_stream_is_in_flight_until_it_ends(house: Any, generation: Any, until: Any) -> None:
    labels = {"service": "loopline.generation.v1.GenerationService", "method": "Answer"}

    async def answer(_: Any) -> Any:
        yield AnswerResponse()
        assert REGISTRY.get_sample_value("loopline_rpc_in_flight", labels) == 1

    house.answer = answer
    assert len([step async for step in generation.Answer(AnswerRequest())]) == 1
    await until(lambda: REGISTRY.get_sample_value("loopline_rpc_in_flight", labels) == 0)


async def test_calls_in_flight_are_told_before_the_first_call(house: Any) -> None:
    service = retrieval_service_pb2.DESCRIPTOR.services_by_name["RetrievalService"].full_name
    labels = {"service": service, "method": "Search"}
    assert REGISTRY.get_sample_value("loopline_rpc_in_flight", labels) is None
    at_rest(methods_of(service).values())
    assert REGISTRY.get_sample_value("loopline_rpc_in_flight", labels) == 0

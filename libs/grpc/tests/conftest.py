"""Real servers and channels on loopback, with servicers whose behaviour a test gives."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from loopline.embedding.v1 import embedding_service_pb2_grpc
from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest, EmbedQueryResponse, EmbedResponse
from loopline.generation.v1 import generation_service_pb2_grpc
from loopline.ingestion.v1 import ingestion_service_pb2_grpc
from loopline_grpc.client import connect
from loopline_grpc.health import ReadyCheck
from loopline_grpc.server import Door, Serving, serving
from loopline_runtime.access import Key, Right, hash_of
from loopline_runtime.settings import Grpc

EMBEDDING = "loopline.embedding.v1.EmbeddingService"


class KeyChain:
    """Keys in memory; `add` gives the plain key."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    def add(self, tenant: str, *rights: Right) -> str:
        plain = f"ll_{tenant}_{len(self._keys)}"
        self._keys[hash_of(plain)] = Key(
            name=f"key of {tenant}", tenant=tenant, rights=frozenset(rights), created_at="", hint=plain[:6]
        )
        return plain

    def revoke(self, plain: str) -> None:
        del self._keys[hash_of(plain)]

    def find(self, hashed: str) -> Key | None:
        return self._keys.get(hashed)


async def _empty(*_: Any) -> EmbedQueryResponse:
    return EmbedQueryResponse()


class Servicer:
    """What a test does not need is not there."""

    def __getattr__(self, name: str) -> Any:
        return _empty


@dataclass
class House:
    """One server with three doors; a test replaces what they do."""

    server: Serving = field(init=False)
    embed_query: Callable[[EmbedQueryRequest], Awaitable[EmbedQueryResponse]] = _empty
    answer: Callable[[Any], AsyncIterator[Any]] = field(init=False)
    submit: Callable[[AsyncIterator[Any]], Awaitable[Any]] = field(init=False)
    collection: Callable[[Any], Awaitable[Any]] = field(init=False)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def doors(self) -> list[Door]:
        house = self

        class Embedding(Servicer):
            async def EmbedQuery(self, request: Any, context: Any) -> Any:  # noqa: N802
                return await house.embed_query(request)

            async def Embed(self, request: Any, context: Any) -> Any:  # noqa: N802
                return EmbedResponse(vectors=[text.encode() for text in request.texts])

        class Generation(Servicer):
            async def Answer(self, request: Any, context: Any) -> Any:  # noqa: N802
                async for step in house.answer(request):
                    yield step

        class Ingestion(Servicer):
            async def SubmitDocument(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
                return await house.submit(request_iterator)

            async def PutCollection(self, request: Any, context: Any) -> Any:  # noqa: N802
                return await house.collection(request)

        return [
            Door(embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server, Embedding(), EMBEDDING),
            Door(
                generation_service_pb2_grpc.add_GenerationServiceServicer_to_server,
                Generation(),
                "loopline.generation.v1.GenerationService",
            ),
            Door(
                ingestion_service_pb2_grpc.add_IngestionServiceServicer_to_server,
                Ingestion(),
                "loopline.ingestion.v1.IngestionService",
            ),
        ]


@pytest.fixture
def keys() -> KeyChain:
    return KeyChain()


@pytest.fixture
async def build() -> AsyncIterator[Callable[..., Awaitable[House]]]:
    """Opens houses: `await build(keys=..., ready=..., at_once=...)`; they close with the test."""
    async with AsyncExitStack() as stack:

        async def build(
            keys: KeyChain | None = None, ready: dict[str, ReadyCheck] | None = None, **settings: Any
        ) -> House:
            house = House()
            house.server = await stack.enter_async_context(
                serving(Grpc(port=0, **{"grace_s": 1.0, **settings}), keys=keys, doors=house.doors(), ready=ready)
            )
            return house

        yield build


@pytest.fixture
async def house(build: Callable[..., Awaitable[House]]) -> House:
    return await build()


@pytest.fixture
async def channel(house: House) -> AsyncIterator[Any]:
    async with connect(house.target) as open_channel:
        yield open_channel


@pytest.fixture
def embedding(channel: Any) -> Any:
    return embedding_service_pb2_grpc.EmbeddingServiceStub(channel)


@pytest.fixture
def generation(channel: Any) -> Any:
    return generation_service_pb2_grpc.GenerationServiceStub(channel)


@pytest.fixture
def ingestion(channel: Any) -> Any:
    return ingestion_service_pb2_grpc.IngestionServiceStub(channel)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """What was traced since the test began."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """Waits until a condition holds that nothing announces."""

    async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.005)

    return until

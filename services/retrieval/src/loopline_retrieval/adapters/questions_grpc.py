"""The embedding service, over gRPC."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc

from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest, EmbedRequest
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline.ingestion.v1.events_pb2 import EmbeddingModel
from loopline_grpc.client import calling
from loopline_retrieval.model import Model, Vector
from loopline_runtime.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub

MOST_TEXTS = 256


class QuestionsGrpc:
    """The port `Questions`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: EmbeddingServiceAsyncStub = EmbeddingServiceStub(channel)

    async def embed(self, question: str, model: Model) -> Vector:
        """See the port."""
        request = EmbedQueryRequest(text=question, model=_named(model))
        with _served():
            async with calling("embedding"):
                vector = (await self._stub.EmbedQuery(request)).vector
        if len(vector) != 4 * model.dimension:
            raise Unavailable(
                f"the embedding service's {model.name} makes vectors of {len(vector) // 4} numbers; the index has {model.dimension}",
                reason="WRONG_DIMENSION",
            )
        return vector

    async def embed_all(self, texts: Sequence[str], model: Model) -> Sequence[Vector]:
        """See the port."""
        vectors: list[Vector] = []
        for start in range(0, len(texts), MOST_TEXTS):
            request = EmbedRequest(texts=texts[start : start + MOST_TEXTS], model=_named(model))
            with _served():
                async with calling("embedding"):
                    vectors += (await self._stub.Embed(request)).vectors
        return vectors


def _named(model: Model) -> EmbeddingModel:
    return EmbeddingModel(name=model.name, revision=model.revision)


@contextmanager
def _served() -> Iterator[None]:
    """A model that is not served there is our configuration's fault, not the asker's."""
    try:
        yield
    except NotFound as error:
        raise Unavailable(
            f"no embedding service has the model of this index: {error}", reason="UNKNOWN_MODEL"
        ) from error

"""The embedding service, over gRPC."""

from typing import TYPE_CHECKING

import grpc

from loopline.embedding.v1.embedding_service_pb2 import EmbedQueryRequest
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline.ingestion.v1.events_pb2 import EmbeddingModel
from loopline_grpc.client import calling
from loopline_retrieval.model import Model, Vector
from loopline_runtime.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub


class QuestionsGrpc:
    """The port `Questions`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: EmbeddingServiceAsyncStub = EmbeddingServiceStub(channel)

    async def embed(self, question: str, model: Model) -> Vector:
        """See the port. A model that is not served there is our configuration's fault, not the asker's."""
        request = EmbedQueryRequest(text=question, model=EmbeddingModel(name=model.name, revision=model.revision))
        try:
            async with calling("embedding"):
                return (await self._stub.EmbedQuery(request)).vector
        except NotFound as error:
            raise Unavailable(
                f"no embedding service has the model of this index: {error}", reason="UNKNOWN_MODEL"
            ) from error

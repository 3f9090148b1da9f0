"""Questions in, answers out."""

import grpc

from loopline.embedding.v1.embedding_service_pb2 import (
    EmbedQueryRequest,
    EmbedQueryResponse,
    EmbedRequest,
    EmbedResponse,
)
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer
from loopline.ingestion.v1.events_pb2 import EmbeddingModel
from loopline_embedding.app import Embedded, Embedding


class EmbeddingRpc(EmbeddingServiceServicer):
    """The door for callers."""

    def __init__(self, embedding: Embedding) -> None:
        self._embedding = embedding

    async def EmbedQuery(
        self, request: EmbedQueryRequest, context: grpc.aio.ServicerContext[EmbedQueryRequest, EmbedQueryResponse]
    ) -> EmbedQueryResponse:
        made = await self._embedding.of_question(request.text, request.model.name, request.model.revision)
        return EmbedQueryResponse(vector=made.vectors[0], model=_model(made))

    async def Embed(
        self, request: EmbedRequest, context: grpc.aio.ServicerContext[EmbedRequest, EmbedResponse]
    ) -> EmbedResponse:
        made = await self._embedding.of_texts(request.texts, request.model.name, request.model.revision)
        return EmbedResponse(vectors=made.vectors, model=_model(made))


def _model(made: Embedded) -> EmbeddingModel:
    return EmbeddingModel(name=made.model.name, revision=made.model.revision, dimension=made.model.dimension)

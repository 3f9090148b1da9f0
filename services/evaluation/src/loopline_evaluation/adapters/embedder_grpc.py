"""The embedding service, over gRPC."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc

from loopline.embedding.v1.embedding_service_pb2 import EmbedRequest
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline_grpc.client import acting_for, calling

if TYPE_CHECKING:
    from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub

MOST_AT_ONCE = 256


class EmbedderGrpc:
    """The port `Embedder`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: EmbeddingServiceAsyncStub = EmbeddingServiceStub(channel)

    async def embed(self, tenant: str, texts: Sequence[str]) -> list[bytes]:
        """See the port."""
        found: list[bytes] = []
        for start in range(0, len(texts), MOST_AT_ONCE):
            with acting_for(tenant):
                async with calling("embedding"):
                    reply = await self._stub.Embed(EmbedRequest(texts=texts[start : start + MOST_AT_ONCE]))
            found += reply.vectors
        return found

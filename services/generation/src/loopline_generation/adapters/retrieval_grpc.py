"""The retrieval and the embedding service, over gRPC."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc

from loopline.embedding.v1.embedding_service_pb2 import EmbedRequest
from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from loopline.ingestion.v1.events_pb2 import EmbeddingModel
from loopline.retrieval.v1 import retrieval_service_pb2 as retrieval
from loopline.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from loopline_generation.model import Ask, Passage, Place, Searched
from loopline_grpc.client import calling

if TYPE_CHECKING:
    from loopline.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub
    from loopline.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceAsyncStub

MOST_TEXTS = 256


class SearcherGrpc:
    """The port `Searcher`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: RetrievalServiceAsyncStub = RetrievalServiceStub(channel)

    async def search(self, ask: Ask, question: str, k: int) -> Searched:
        """See the port."""
        request = retrieval.SearchRequest(
            question=question,
            collections=ask.collections,
            k=k,
            filter=ask.filter,
            principals=ask.principals,
            index_versions=ask.indexes,
        )
        async with calling("retrieval"):
            found = await self._stub.Search(request)
        model = found.searched[0].model
        return Searched(
            tuple(passage_of(passage) for passage in found.passages),
            tuple(sorted(f"{one.collection}={one.index_version}" for one in found.searched)),
            model.name,
            model.revision,
        )


class EmbedderGrpc:
    """The port `Embedder`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: EmbeddingServiceAsyncStub = EmbeddingServiceStub(channel)

    async def embed(self, texts: Sequence[str], model: str, revision: str) -> list[bytes]:
        """See the port."""
        which = EmbeddingModel(name=model, revision=revision)
        async with calling("embedding"):
            return list((await self._stub.Embed(EmbedRequest(texts=texts[:MOST_TEXTS], model=which))).vectors)


def passage_of(passage: retrieval.Passage) -> Passage:
    """A passage from its message."""
    place, scores = passage.place, passage.scores
    return Passage(
        passage.chunk_id,
        passage.document_id,
        passage.collection,
        passage.source,
        passage.title,
        passage.revision,
        passage.text,
        Place(place.page, place.sheet, tuple(place.headings), place.start, place.end),
        dict(passage.metadata),
        scores.fused,
        scores.cosine,
        scores.keyword,
    )

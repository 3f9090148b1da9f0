"""The documents of a collection, through the doors of ingestion and retrieval."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc

from loopline.ingestion.v1.ingestion_service_pb2 import DocumentState, ListDocumentsRequest
from loopline.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceStub
from loopline.retrieval.v1.retrieval_service_pb2 import SearchRequest
from loopline.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from loopline_evaluation.datasets.rows import Reference
from loopline_grpc.client import acting_for, calling

if TYPE_CHECKING:
    from loopline.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceAsyncStub
    from loopline.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceAsyncStub

MOST_DOCUMENTS, PER_DOCUMENT = 500, 10


class CorpusGrpc:
    """The port `Corpus`. Passages of a document are found by its title, for no door lists them."""

    def __init__(self, ingestion: grpc.aio.Channel, retrieval: grpc.aio.Channel) -> None:
        self._ingestion: IngestionServiceAsyncStub = IngestionServiceStub(ingestion)
        self._retrieval: RetrievalServiceAsyncStub = RetrievalServiceStub(retrieval)

    async def passages(self, tenant: str, collection: str, most: int) -> list[Reference]:
        """See the port."""
        with acting_for(tenant):
            sources = await self._sources(collection)
            each = max(1, min(PER_DOCUMENT, -(-most // max(1, len(sources)))))
            found: list[Reference] = []
            for source in sources:
                if len(found) >= most:
                    break
                found += await self._of(collection, source, each)
        return found[:most]

    async def _sources(self, collection: str) -> Sequence[str]:
        indexed = [DocumentState.DOCUMENT_STATE_INDEXED]
        request = ListDocumentsRequest(collection=collection, states=indexed, page_size=MOST_DOCUMENTS)
        async with calling("ingestion"):
            return [one.source for one in (await self._ingestion.ListDocuments(request)).documents]

    async def _of(self, collection: str, source: str, most: int) -> list[Reference]:
        quoted = source.replace("\\", "\\\\").replace('"', '\\"')
        asked = SearchRequest(question=source, collections=[collection], k=most, filter=f'source = "{quoted}"')
        async with calling("retrieval"):
            passages = (await self._retrieval.Search(asked)).passages
        return [Reference(one.document_id, one.source, one.chunk_id, one.text, one.revision) for one in passages]

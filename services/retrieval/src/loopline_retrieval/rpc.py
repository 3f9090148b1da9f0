"""Questions in, passages out."""

from collections.abc import Callable

import grpc

from loopline.ingestion.v1 import events_pb2 as ingestion
from loopline.retrieval.v1 import retrieval_service_pb2 as messages
from loopline.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceServicer
from loopline_grpc.access import caller
from loopline_retrieval.app import Found, Query, Searched, Searching
from loopline_retrieval.model import Passage


class RetrievalRpc(RetrievalServiceServicer):
    """The door for callers. `served` hears of every answer after it was made."""

    def __init__(self, searching: Searching, served: Callable[[Query, Found], None]) -> None:
        self._searching = searching
        self._served = served

    async def Search(
        self,
        request: messages.SearchRequest,
        context: grpc.aio.ServicerContext[messages.SearchRequest, messages.SearchResponse],
    ) -> messages.SearchResponse:
        query = Query(
            caller().tenant,
            request.question,
            list(request.collections),
            request.k,
            request.filter,
            frozenset(request.principals),
        )
        found = await self._searching.search(query)
        self._served(query, found)
        return messages.SearchResponse(
            query_id=found.query_id,
            passages=[_passage(passage) for passage in found.passages],
            searched=[_searched(searched) for searched in found.searched],
        )


def _passage(passage: Passage) -> messages.Passage:
    place, scores = passage.place, passage.scores
    return messages.Passage(
        chunk_id=passage.chunk_id,
        document_id=passage.document,
        collection=passage.collection,
        source=passage.source,
        title=passage.title,
        revision=passage.revision,
        text=passage.text,
        place=ingestion.Place(
            page=place.page, sheet=place.sheet, headings=place.headings, start=place.start, end=place.end
        ),
        metadata=passage.metadata,
        scores=messages.Scores(
            fused=scores.fused, cosine=scores.cosine, keyword=scores.keyword, reranked=scores.reranked
        ),
    )


def _searched(searched: Searched) -> messages.SearchedIndex:
    space, model = searched.space, searched.model
    return messages.SearchedIndex(
        collection=space.collection,
        index_version=space.version,
        model=ingestion.EmbeddingModel(name=model.name, revision=model.revision, dimension=model.dimension),
    )

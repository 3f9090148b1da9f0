"""Questions in, passages out; index versions compared, switched, dropped."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc

from loopline.ingestion.v1 import events_pb2 as ingestion
from loopline.retrieval.v1 import retrieval_service_pb2 as messages
from loopline.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceServicer
from loopline_grpc.access import caller, demand
from loopline_retrieval import facts
from loopline_retrieval.app import Found, Query, Searched, Searching, Switching
from loopline_retrieval.model import Passage, Space
from loopline_runtime.access import Right
from loopline_runtime.errors import Invalid

Context = grpc.aio.ServicerContext[Any, Any]


class RetrievalRpc(RetrievalServiceServicer):
    """The door for callers. `served` hears of every answer after it was made."""

    def __init__(self, searching: Searching, switching: Switching, served: Callable[[Query, Found], None]) -> None:
        self._searching = searching
        self._switching = switching
        self._served = served

    async def Search(self, request: messages.SearchRequest, context: Context) -> messages.SearchResponse:
        if request.index_versions and not caller().allows(Right.ACT_FOR):
            demand(caller(), Right.ADMIN)
        query = Query(
            caller().tenant,
            request.question,
            list(request.collections),
            request.k,
            request.filter,
            frozenset(request.principals),
            _versions(request.index_versions),
        )
        found = await self._searching.search(query)
        self._served(query, found)
        return messages.SearchResponse(
            query_id=found.query_id,
            passages=[_passage(passage) for passage in found.passages],
            searched=[_searched(searched) for searched in found.searched],
        )

    async def GetIndex(self, request: messages.GetIndexRequest, context: Context) -> messages.GetIndexResponse:
        index = await self._switching.index(caller().tenant, request.collection)
        return messages.GetIndexResponse(index=facts.index(request.collection, index))

    async def Compare(self, request: messages.CompareRequest, context: Context) -> messages.CompareResponse:
        comparison, completeness = await self._switching.compare(
            caller().tenant, request.collection, request.candidate, request.baseline, facts.trial_of(request.trial)
        )
        return messages.CompareResponse(
            comparison=facts.comparison(comparison), completeness=facts.completeness(completeness)
        )

    async def Switch(self, request: messages.SwitchRequest, context: Context) -> messages.SwitchResponse:
        who, collection = caller(), request.collection
        index, comparison, completeness = await self._switching.switch(
            who.tenant,
            collection,
            request.index_version,
            facts.trial_of(request.trial),
            by=who.key_name,
            reason=request.reason,
            force=request.force,
        )
        return messages.SwitchResponse(
            index=facts.index(collection, index),
            comparison=facts.comparison(comparison) if comparison else None,
            completeness=facts.completeness(completeness),
        )

    async def Rollback(self, request: messages.RollbackRequest, context: Context) -> messages.RollbackResponse:
        who, collection = caller(), request.collection
        index = await self._switching.rollback(
            who.tenant, collection, request.from_version, by=who.key_name, reason=request.reason
        )
        return messages.RollbackResponse(index=facts.index(collection, index))

    async def Drop(self, request: messages.DropRequest, context: Context) -> messages.DropResponse:
        index = await self._switching.drop(caller().tenant, request.collection, request.index_version)
        return messages.DropResponse(index=facts.index(request.collection, index))

    async def ListHeld(
        self, request: messages.ListHeldRequest, context: Context
    ) -> AsyncIterator[messages.ListHeldResponse]:
        space = Space(caller().tenant, request.collection, request.index_version)
        async for held in self._switching.held(space):
            yield facts.held(held)

    async def ClearDocuments(
        self, request: messages.ClearDocumentsRequest, context: Context
    ) -> messages.ClearDocumentsResponse:
        space = Space(caller().tenant, request.collection, request.index_version)
        for one in request.documents:
            await self._switching.clear(space, one.document_id, one.revision)
        return messages.ClearDocumentsResponse()


def _versions(named: Sequence[str]) -> dict[str, str]:
    """`collection=version` by collection."""
    if any("=" not in one for one in named):
        raise Invalid("an index version is named as collection=version", field="index_versions")
    return {collection: version for collection, _, version in (one.partition("=") for one in named)}


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
        model=facts.model(model),
    )

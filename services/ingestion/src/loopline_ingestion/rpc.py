"""Documents and questions about them in, answers out."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from loopline.ingestion.v1 import events_pb2 as events
from loopline.ingestion.v1 import ingestion_service_pb2 as messages
from loopline.ingestion.v1.ingestion_service_pb2_grpc import IngestionServiceServicer
from loopline_grpc.access import caller
from loopline_ingestion import facts
from loopline_ingestion.app import Collections, Documents, Erasing, Planning
from loopline_ingestion.model import Collection, Come, Document, Header, IndexPlan, State, chunks_sha256_of
from loopline_ingestion.receipts import Receipt
from loopline_runtime.errors import Invalid

Context = grpc.aio.ServicerContext[Any, Any]
_STATES = {state: messages.DocumentState.Value(f"DOCUMENT_STATE_{state.name}") for state in State}
_STATE_OF = {value: state for state, value in _STATES.items()}


class IngestionRpc(IngestionServiceServicer):
    """The door for callers."""

    def __init__(self, documents: Documents, collections: Collections, planning: Planning, erasing: Erasing) -> None:
        self._documents = documents
        self._erasing = erasing
        self._collections = collections
        self._planning = planning

    async def SubmitDocument(
        self, request_iterator: AsyncIterator[messages.SubmitDocumentRequest], context: Context
    ) -> messages.SubmitDocumentResponse:
        first = await anext(aiter(request_iterator), None)
        if first is None or first.WhichOneof("part") != "header":
            raise Invalid("the first part of an upload is its header", field="header")
        accepted = await self._documents.submit(caller().tenant, _header(first.header), _parts(request_iterator))
        document = accepted.document
        return messages.SubmitDocumentResponse(
            document_id=document.document_id,
            revision=document.revision,
            version=document.version,
            state=_STATES[document.state],
            unchanged=accepted.unchanged,
        )

    async def GetDocument(self, request: messages.GetDocumentRequest, context: Context) -> messages.GetDocumentResponse:
        tenant = caller().tenant
        if request.document_id:
            document = await self._documents.get(tenant, request.document_id)
        else:
            document = await self._documents.at(tenant, request.collection, request.source)
        return messages.GetDocumentResponse(document=_document(document))

    async def ReadDocument(
        self, request: messages.ReadDocumentRequest, context: Context
    ) -> AsyncIterator[messages.ReadDocumentResponse]:
        document, parts = await self._documents.original(caller().tenant, request.document_id)
        yield messages.ReadDocumentResponse(document=_document(document))
        async for part in parts:
            yield messages.ReadDocumentResponse(data=part)

    async def ListDocuments(
        self, request: messages.ListDocumentsRequest, context: Context
    ) -> messages.ListDocumentsResponse:
        states = [_STATE_OF[state] for state in request.states if state in _STATE_OF]
        page = await self._documents.page(
            caller().tenant, request.collection, states, request.source_prefix, request.page_size, request.page_token
        )
        full = len(page) == (request.page_size or 100)
        token = f"{page[-1].source}\0{page[-1].document_id}" if full else ""
        return messages.ListDocumentsResponse(documents=[_document(one) for one in page], next_page_token=token)

    async def WatchDocuments(
        self, request: messages.WatchDocumentsRequest, context: Context
    ) -> AsyncIterator[messages.WatchDocumentsResponse]:
        async for document in self._documents.watch(caller().tenant, request.document_ids):
            yield messages.WatchDocumentsResponse(document=_document(document))

    async def DeleteDocument(
        self, request: messages.DeleteDocumentRequest, context: Context
    ) -> messages.DeleteDocumentResponse:
        document = await self._documents.delete(caller().tenant, request.document_id)
        return messages.DeleteDocumentResponse(document_id=document.document_id, revision=document.revision)

    async def EraseDocument(
        self, request: messages.EraseDocumentRequest, context: Context
    ) -> messages.EraseDocumentResponse:
        order = await self._erasing.order(caller().tenant, request.document_id, request.reason)
        return messages.EraseDocumentResponse(receipt_id=order.receipt_id)

    async def GetErasure(self, request: messages.GetErasureRequest, context: Context) -> messages.GetErasureResponse:
        receipt = await self._erasing.receipt(caller().tenant, request.receipt_id)
        return messages.GetErasureResponse(erasure=_erasure(receipt))

    async def ListErasures(
        self, request: messages.ListErasuresRequest, context: Context
    ) -> messages.ListErasuresResponse:
        if request.page_token and not request.page_token.isdigit():
            raise Invalid("the page token is none of ours", field="page_token")
        page = await self._erasing.page(caller().tenant, request.page_size, int(request.page_token or 0))
        full = len(page) == (request.page_size or 100)
        token = str(page[-1].order.revision) if full else ""
        return messages.ListErasuresResponse(erasures=[_erasure(one) for one in page], next_page_token=token)

    async def PutCollection(
        self, request: messages.PutCollectionRequest, context: Context
    ) -> messages.PutCollectionResponse:
        plan = facts.plan_of(request.plan, self._collections.first) if request.HasField("plan") else None
        made = await self._collections.put(caller().tenant, request.name, plan, request.settings.expectations_json)
        return messages.PutCollectionResponse(collection=_collection(made))

    async def GetCollection(
        self, request: messages.GetCollectionRequest, context: Context
    ) -> messages.GetCollectionResponse:
        return messages.GetCollectionResponse(
            collection=_collection(await self._collections.get(caller().tenant, request.name))
        )

    async def ListCollections(
        self, request: messages.ListCollectionsRequest, context: Context
    ) -> messages.ListCollectionsResponse:
        found = await self._collections.all(caller().tenant)
        return messages.ListCollectionsResponse(collections=[_collection(one) for one in found])

    async def AddPlan(self, request: messages.AddPlanRequest, context: Context) -> messages.AddPlanResponse:
        who = caller()
        plan = facts.plan_of(request.plan, await self._planning.newest(who.tenant, request.collection))
        added = await self._planning.add(who.tenant, request.collection, plan, request.index_version, who.key_name)
        return messages.AddPlanResponse(plan=_plan(added, await self._planning.come(added)))

    async def RetirePlan(self, request: messages.RetirePlanRequest, context: Context) -> messages.RetirePlanResponse:
        who = caller()
        ended = await self._planning.retire(
            who.tenant, request.collection, request.index_version, who.key_name, request.reason
        )
        return messages.RetirePlanResponse(plan=_plan(ended, await self._planning.come(ended)))

    async def ListPlans(self, request: messages.ListPlansRequest, context: Context) -> messages.ListPlansResponse:
        found = await self._planning.all(caller().tenant, request.collection)
        return messages.ListPlansResponse(plans=[_plan(plan, come) for plan, come in found])

    async def ListExpected(
        self, request: messages.ListExpectedRequest, context: Context
    ) -> AsyncIterator[messages.ListExpectedResponse]:
        tenant = caller().tenant
        async for plan, document, chunks in self._planning.expected(tenant, request.collection, request.index_version):
            yield messages.ListExpectedResponse(
                document_id=document.document_id,
                source=document.source,
                revision=document.revision,
                chunk_count=max(chunks, 0),
                chunks_sha256=chunks_sha256_of(document.document_id, document.version, plan.version, max(chunks, 0)),
                under_way=chunks < 0,
            )

    async def RemakeDocuments(
        self, request: messages.RemakeDocumentsRequest, context: Context
    ) -> messages.RemakeDocumentsResponse:
        remade = await self._planning.remake(caller().tenant, request.document_ids, request.attempt)
        return messages.RemakeDocumentsResponse(document_ids=remade)


def _plan(plan: IndexPlan, come: Come) -> messages.IndexPlan:
    state = "RETIRED" if plan.retired else "STALLED" if plan.building and come.stalled else None
    state = state or ("BUILDING" if plan.building else "BUILT")
    made = messages.IndexPlan(
        collection=plan.collection,
        index_version=plan.version,
        plan=facts.plan_message(plan.plan),
        state=messages.PlanState.Value(f"PLAN_STATE_{state}"),
        documents=come.documents,
        complete=come.complete,
        chunks=come.chunks,
        failed=come.failed,
        failures=[events.Reason(code=reason.code, text=reason.text) for reason in come.failures],
    )
    made.added_at.FromDatetime(plan.added_at)
    if plan.built_at:
        made.built_at.FromDatetime(plan.built_at)
    return made


def _header(header: messages.DocumentHeader) -> Header:
    return Header(
        header.collection or "default",
        header.source,
        header.content_type,
        dict(header.metadata),
        tuple(header.readers),
        header.size_bytes,
    )


async def _parts(requests: AsyncIterator[messages.SubmitDocumentRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("part") != "data":
            raise Invalid("after the header, an upload has only data", field="header")
        yield request.data


def _document(document: Document) -> messages.Document:
    made = messages.Document(
        document_id=document.document_id,
        collection=document.collection,
        source=document.source,
        version=document.version,
        revision=document.revision,
        state=_STATES[document.state],
        reasons=[events.Reason(code=reason.code, text=reason.text) for reason in document.reasons],
        batches_indexed=document.batches_indexed,
        batch_count=document.batch_count,
        chunk_count=document.chunk_count,
        size_bytes=document.size_bytes,
        content_type=document.content_type,
        metadata=document.metadata,
        readers=document.readers,
    )
    made.accepted_at.FromDatetime(document.accepted_at)
    made.changed_at.FromDatetime(document.changed_at)
    return made


def _collection(collection: Collection) -> messages.Collection:
    return messages.Collection(
        name=collection.name,
        index_version=collection.index_version,
        plan=facts.plan_message(collection.plan),
        settings=events.CollectionSettings(expectations_json=collection.expectations_json),
        document_count=collection.document_count,
    )


def _erasure(receipt: Receipt) -> messages.Erasure:
    order = receipt.order
    made = messages.Erasure(
        receipt_id=order.receipt_id,
        document_id=order.document_id,
        collection=order.collection,
        reason=order.reason,
        silent=receipt.silent,
        complete=not receipt.silent,
    )
    made.ordered_at.FromDatetime(order.ordered_at)
    if receipt.gone_by:
        made.gone_by.FromDatetime(receipt.gone_by)
    for said in receipt.said:
        removals = [facts.removal(one) for one in said.removals]
        made.owners.add(owner=said.owner, removals=removals).said_at.FromDatetime(said.at)
    return made

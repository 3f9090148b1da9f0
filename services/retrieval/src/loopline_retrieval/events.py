"""Facts in, facts out: batches with vectors become passages that answer."""

from collections.abc import AsyncIterator

from loopline.embedding.v1.events_pb2 import ChunksEmbedded
from loopline.ingestion.v1.events_pb2 import (
    BatchOf,
    DocumentDeleted,
    DocumentErasureOrdered,
    DocumentReadersChanged,
    PlanAdded,
    PlanRetired,
)
from loopline.retrieval.v1.events_pb2 import ChunksIndexed, DocumentErased
from loopline_contracts.channels import CHUNKS_INDEXED, RETRIEVAL_DOCUMENTS, RETRIEVAL_ERASE, RETRIEVAL_INDEX
from loopline_nats.line import Delivery, Fact, Line
from loopline_retrieval.app import Indexing, Switching
from loopline_retrieval.erasing import told
from loopline_retrieval.model import Batch, Chunk, Model, Place, Space
from loopline_retrieval.ports import Store


def bind(line: Line, indexing: Indexing, switching: Switching, store: Store) -> None:
    """Hears what was embedded, and what happened to documents and collections."""

    @line.hears(RETRIEVAL_INDEX, probe=store.ready)
    async def index(event: ChunksEmbedded, delivery: Delivery) -> AsyncIterator[Fact[ChunksIndexed]]:
        batch, chunks = _batch(event.batch, delivery.tenant), _chunks(event)
        if await indexing.index(batch, chunks):
            told = BatchOf()
            told.CopyFrom(event.batch)
            for heavy in ("title", "metadata", "readers"):
                told.ClearField(heavy)
            said = ChunksIndexed(batch=told, chunk_count=len(chunks))
            yield Fact(CHUNKS_INDEXED, said, delivery.id, delivery.tenant, delivery.document)

    @line.hears(RETRIEVAL_DOCUMENTS, probe=store.ready)
    async def follow(
        event: DocumentDeleted | DocumentReadersChanged | PlanAdded | PlanRetired, delivery: Delivery
    ) -> None:
        tenant, revision = delivery.tenant, delivery.revision
        if isinstance(event, DocumentDeleted):
            await indexing.forget(tenant, event.collection, event.document_id, revision)
        elif isinstance(event, DocumentReadersChanged):
            readers = frozenset(event.readers)
            await indexing.change_readers(tenant, event.collection, event.document_id, readers, revision)
        elif isinstance(event, PlanRetired):
            await switching.ended(tenant, event.collection, event.index_version)
        else:
            model = event.plan.model
            space = Space(tenant, event.collection, event.index_version)
            await indexing.add_plan(space, Model(model.name, model.revision, model.dimension))

    @line.hears(RETRIEVAL_ERASE, probe=store.ready)
    async def erase(event: DocumentErasureOrdered, delivery: Delivery) -> AsyncIterator[Fact[DocumentErased]]:
        found = await indexing.erase(delivery.tenant, event.collection, event.document_id, delivery.revision)
        yield told(event, delivery, found)


def _batch(batch: BatchOf, tenant: str) -> Batch:
    return Batch(
        space=Space(tenant, batch.collection, batch.index_version),
        document=batch.document_id,
        revision=batch.revision,
        number=batch.number,
        count=batch.batch_count,
        model=Model(batch.model.name, batch.model.revision, batch.model.dimension),
        source=batch.source,
        title=batch.title,
        metadata=dict(batch.metadata),
        readers=frozenset(batch.readers),
    )


def _chunks(event: ChunksEmbedded) -> list[Chunk]:
    return [
        Chunk(
            chunk.chunk_id,
            chunk.ordinal,
            chunk.text,
            Place(chunk.place.page, chunk.place.sheet, tuple(chunk.place.headings), chunk.place.start, chunk.place.end),
            vector,
        )
        for chunk, vector in zip(event.chunks, event.vectors, strict=True)
    ]

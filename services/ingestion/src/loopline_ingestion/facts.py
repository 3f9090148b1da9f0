"""Facts as messages, and messages as facts: the one place where protobuf and the core meet."""

from collections.abc import Iterable
from datetime import UTC

from loopline.ingestion.v1 import events_pb2 as events
from loopline_ingestion.model import (
    Collection,
    Cut,
    Cutting,
    Document,
    IndexPlan,
    Model,
    Plan,
    Reason,
    State,
    chunk_id_of,
)
from loopline_ingestion.receipts import Order, Removal, Said
from loopline_nats.line import Delivery


def accepted(document: Document) -> events.DocumentAccepted:
    """The fact that it was accepted."""
    return events.DocumentAccepted(
        document_id=document.document_id,
        collection=document.collection,
        source=document.source,
        version=document.version,
        upload_id=document.upload_id,
        size_bytes=document.size_bytes,
        content_type=document.content_type,
        metadata=document.metadata,
        readers=document.readers,
    )


def document_of(event: events.DocumentAccepted, delivery: Delivery) -> Document:
    """The document as it was accepted."""
    return Document(
        tenant=delivery.tenant,
        document_id=event.document_id,
        collection=event.collection,
        source=event.source,
        version=event.version,
        revision=delivery.revision,
        state=State.ACCEPTED,
        accepted_at=delivery.time,
        changed_at=delivery.time,
        size_bytes=event.size_bytes,
        content_type=event.content_type,
        upload_id=event.upload_id,
        metadata=dict(event.metadata),
        readers=tuple(event.readers),
    )


def rejected(document: Document, reasons: Iterable[Reason]) -> events.DocumentRejected:
    """The fact that a revision was rejected."""
    return events.DocumentRejected(
        document_id=document.document_id,
        collection=document.collection,
        source=document.source,
        version=document.version,
        revision=document.revision,
        reasons=[events.Reason(code=reason.code, text=reason.text) for reason in reasons],
    )


def reasons_of(event: events.DocumentRejected) -> tuple[Reason, ...]:
    """Why."""
    return tuple(Reason(reason.code, reason.text) for reason in event.reasons)


def plan_message(plan: Plan) -> events.Plan:
    """A plan as a message."""
    cutting, model = plan.cutting, plan.model
    return events.Plan(
        cutting=events.Cutting(name=cutting.name, max_tokens=cutting.max_tokens, overlap_tokens=cutting.overlap_tokens),
        model=events.EmbeddingModel(name=model.name, revision=model.revision, dimension=model.dimension),
    )


def plan_of(message: events.Plan, default: Plan | None = None) -> Plan:
    """A plan from a message; what is left out is as in the default."""
    default = default or Plan()
    cutting, model = message.cutting, message.model
    return Plan(
        Cutting(
            cutting.name or default.cutting.name,
            cutting.max_tokens or default.cutting.max_tokens,
            cutting.overlap_tokens if message.HasField("cutting") else default.cutting.overlap_tokens,
        ),
        Model(
            model.name or default.model.name,
            model.revision or default.model.revision,
            model.dimension or default.model.dimension,
        ),
    )


def planned(collection: Collection) -> events.PlanAdded:
    """The fact of a collection's plan."""
    return events.PlanAdded(
        collection=collection.name,
        index_version=collection.index_version,
        plan=plan_message(collection.plan),
        settings=events.CollectionSettings(expectations_json=collection.expectations_json),
        build=collection.build,
        by=collection.by,
    )


def collection_of(event: events.PlanAdded, delivery: Delivery) -> Collection:
    """The collection as its fact says."""
    return Collection(
        delivery.tenant,
        event.collection,
        event.index_version,
        plan_of(event.plan),
        event.settings.expectations_json,
        delivery.revision,
        build=event.build,
        by=event.by,
    )


def chunked(
    document: Document, plan: IndexPlan, title: str, number: int, count: int, cuts: Iterable[Cut]
) -> events.DocumentChunked:
    """One batch of a document."""
    batch = events.BatchOf(
        document_id=document.document_id,
        collection=document.collection,
        source=document.source,
        version=document.version,
        revision=document.revision,
        index_version=plan.version,
        number=number,
        batch_count=count,
        model=plan_message(plan.plan).model,
        title=title,
        metadata=document.metadata,
        readers=document.readers,
        build=plan.building,
    )
    chunks = [
        events.Chunk(
            chunk_id=chunk_id_of(document.document_id, document.version, plan.version, cut.ordinal),
            ordinal=cut.ordinal,
            text=cut.text,
            place=events.Place(
                page=cut.place.page,
                sheet=cut.place.sheet,
                headings=cut.place.headings,
                start=cut.place.start,
                end=cut.place.end,
            ),
        )
        for cut in cuts
    ]
    return events.DocumentChunked(batch=batch, chunks=chunks)


def order_of(event: events.DocumentErasureOrdered, delivery: Delivery) -> Order:
    """The order that the fact gives."""
    return Order(delivery.tenant, event.document_id, event.collection, delivery.revision, delivery.time, event.reason)


def erased(order: Order, removals: Iterable[Removal]) -> events.DocumentErased:
    """What this service removed."""
    return events.DocumentErased(
        owner="ingestion",
        document_id=order.document_id,
        collection=order.collection,
        revision=order.revision,
        removals=[removal(one) for one in removals],
    )


def removal(removal: Removal) -> events.Removal:
    """One removal as a message."""
    made = events.Removal(
        what=removal.what, where=removal.where, count=removal.count, verified=removal.verified, disk=removal.disk
    )
    made.removed_at.FromDatetime(removal.removed_at)
    if removal.gone_by:
        made.gone_by.FromDatetime(removal.gone_by)
    return made


def said_of(event: events.DocumentErased, delivery: Delivery) -> Said:
    """What an owner said."""
    removals = tuple(
        Removal(
            one.what,
            one.where,
            one.count,
            one.removed_at.ToDatetime(UTC),
            one.verified,
            one.disk,
            one.gone_by.ToDatetime(UTC) if one.HasField("gone_by") else None,
        )
        for one in event.removals
    )
    return Said(event.owner, delivery.id, delivery.time, removals)

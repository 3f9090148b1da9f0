"""Signals of documents coming in."""

from dataclasses import replace

from loopline.ingestion.v1.events_pb2 import DocumentAccepted, DocumentChunked, DocumentRejected
from loopline_monitoring.model import Observed, Value
from loopline_monitoring.readings.language import language
from loopline_monitoring.readings.times import happened
from loopline_monitoring.readings.words import words
from loopline_nats.envelope import Delivery


def of_accepted(fact: DocumentAccepted, delivery: Delivery) -> Observed:
    """Size and format of what came in."""
    values: dict[str, Value] = {
        "document.size": float(fact.size_bytes),
        "document.format": fact.content_type or "unknown",
    }
    told = _observed(fact.collection, fact.document_id, values, delivery)
    return replace(told, revision=delivery.revision, fingerprint=fact.sha256 or fact.version)


def of_rejected(fact: DocumentRejected, delivery: Delivery) -> Observed:
    """That it was rejected, and why."""
    codes = {reason.code for reason in fact.reasons}
    values: dict[str, Value] = {
        "document.rejected": 1.0,
        "document.unexpected": float("EXPECTATION" in codes),
        "document.rejected_because": min(codes, default="unknown").lower(),
    }
    return _observed(fact.collection, fact.document_id, values, delivery)


def of_chunked(fact: DocumentChunked, delivery: Delivery) -> Observed | None:
    """That it was not rejected, and what its text is like; told by its first batch."""
    batch = fact.batch
    if batch.number:
        return None
    text = " ".join(chunk.text for chunk in fact.chunks[:4])
    values: dict[str, Value] = {
        "document.rejected": 0.0,
        "document.unexpected": 0.0,
        "document.chunk_words": float(len(words(text))) / max(1, len(fact.chunks[:4])),
        "document.language": language(text) or "unclear",
    }
    return _observed(batch.collection, batch.document_id, values, delivery)


def _observed(collection: str, document: str, values: dict[str, Value], delivery: Delivery) -> Observed:
    return Observed(
        id=delivery.id,
        tenant=delivery.tenant,
        collection=collection,
        at=happened(None, delivery),
        told_at=delivery.time.timestamp(),
        about=document,
        values=values,
    )

"""Signals of query_served."""

from collections import Counter

import numpy as np

from loopline.retrieval.v1.events_pb2 import QueryServed
from loopline_monitoring.model import Observed, Value
from loopline_monitoring.readings.language import language
from loopline_monitoring.readings.times import happened
from loopline_monitoring.readings.words import readable, words
from loopline_nats.envelope import Delivery

FLOAT_BYTES = 4


def of_query(fact: QueryServed, delivery: Delivery) -> Observed:
    """One observation of a question and of what was found for it."""
    spoken = ""
    values: dict[str, Value] = {
        "retrieval.empty": float(not fact.passages),
        "retrieval.index_version": fact.index_version,
        "retrieval.took_ms": fact.took_ms,
    }
    scores = sorted((passage.score for passage in fact.passages), reverse=True)
    if scores:
        documents = Counter(passage.document_id for passage in fact.passages)
        values["retrieval.top_score"] = scores[0]
        values["retrieval.concentration"] = documents.most_common(1)[0][1] / len(scores)
    if len(scores) > 1:
        values["retrieval.score_gap"] = scores[0] - scores[1]
    if readable(fact.question):
        values["question.length"] = float(len(words(fact.question)))
        values["question.language"] = spoken = language(fact.question) or "unclear"
    if fact.vector and len(fact.vector) % FLOAT_BYTES == 0:
        values["question.embedding"] = np.frombuffer(fact.vector, "<f4").astype(np.float32)
    return Observed(
        id=delivery.id,
        tenant=delivery.tenant,
        collection=fact.collection,
        at=happened(None, delivery),
        told_at=delivery.time.timestamp(),
        about=fact.query_id,
        values=values,
        slices=(f"language={spoken}",) if spoken else (),
        versions={
            "index": f"{fact.collection}={fact.index_version}",
            "embedding_model": f"{fact.model.name}@{fact.model.revision}".rstrip("@"),
        },
        question=fact.question if readable(fact.question) else "",
    )

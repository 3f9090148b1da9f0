"""Facts in: each stream is read in its order, from the place that was written with the state. Facts out: see `saying`."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from prometheus_client import Counter

from loopline.evaluation.v1.events_pb2 import AnswerEvaluated, FeedbackGiven
from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline.ingestion.v1.events_pb2 import DocumentAccepted, DocumentChunked, DocumentRejected
from loopline.monitoring.v1.events_pb2 import CanaryAnswered, PredictionServed
from loopline.retrieval.v1.events_pb2 import QueryServed
from loopline_contracts.channels import (
    MONITORING_ANSWERS,
    MONITORING_DOCUMENTS,
    MONITORING_EVALUATIONS,
    MONITORING_PREDICTIONS,
    MONITORING_QUERIES,
    MONITORING_TEXTS,
    Reader,
)
from loopline_monitoring.app import Monitor
from loopline_monitoring.model import Observed
from loopline_monitoring.readings.answers import of_answer
from loopline_monitoring.readings.documents import of_accepted, of_chunked, of_rejected
from loopline_monitoring.readings.evaluations import of_evaluated, of_feedback
from loopline_monitoring.readings.predictions import of_canary, of_prediction
from loopline_monitoring.readings.queries import of_query
from loopline_nats.line import Line
from loopline_nats.reading import Batch, reads

READ = Counter("loopline_drift_facts_total", "Facts read, by reader", ["reader"])
UNREADABLE = Counter("loopline_drift_unreadable_total", "Messages that are no facts, by reader", ["reader"])

READINGS: Mapping[type, Callable[[Any, Any], Observed | None]] = {
    AnswerFinished: of_answer,
    AnswerEvaluated: of_evaluated,
    FeedbackGiven: of_feedback,
    QueryServed: of_query,
    DocumentAccepted: of_accepted,
    DocumentRejected: of_rejected,
    DocumentChunked: of_chunked,
    PredictionServed: of_prediction,
    CanaryAnswered: of_canary,
}


def opened(line: Line) -> Mapping[Reader, Callable[..., AsyncGenerator[Batch, None]]]:
    """What this service reads: each reader with how it is begun, after a sequence."""
    return {
        MONITORING_ANSWERS: lambda after, **span: reads(MONITORING_ANSWERS, line, after, **span),
        MONITORING_QUERIES: lambda after, **span: reads(MONITORING_QUERIES, line, after, **span),
        MONITORING_DOCUMENTS: lambda after, **span: reads(MONITORING_DOCUMENTS, line, after, **span),
        MONITORING_TEXTS: lambda after, **span: reads(MONITORING_TEXTS, line, after, **span),
        MONITORING_EVALUATIONS: lambda after, **span: reads(MONITORING_EVALUATIONS, line, after, **span),
        MONITORING_PREDICTIONS: lambda after, **span: reads(MONITORING_PREDICTIONS, line, after, **span),
    }


async def listen(line: Line, monitor: Monitor, places: Mapping[str, int]) -> None:
    """Reads all streams, without end."""
    async with asyncio.TaskGroup() as group:
        for reader, begun in opened(line).items():
            group.create_task(_follow(monitor, begun(places.get(reader.name, 0))), name=reader.name)


async def _follow(monitor: Monitor, batches: AsyncGenerator[Batch, None]) -> None:
    async for batch in batches:
        READ.labels(batch.reader.name).inc(len(batch.facts))
        UNREADABLE.labels(batch.reader.name).inc(batch.unreadable)
        await monitor.hear(batch.reader.name, batch.last, observations(batch), caught_up=batch.caught_up)


def observations(batch: Batch) -> list[Observed]:
    """What the facts of a batch tell."""
    found = (READINGS[type(fact)](fact, delivery) for fact, delivery in batch.facts if type(fact) in READINGS)
    return [observed for observed in found if observed is not None]

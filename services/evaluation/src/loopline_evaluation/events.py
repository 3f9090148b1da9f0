"""Facts in, facts out: every answer that ended is scored, and the scores are said; what people and judges say waits in the outbox."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from loopline.evaluation.v1.events_pb2 import AnswerEvaluated, DocumentErased, FeedbackGiven
from loopline.generation.v1.events_pb2 import AnswerFinished
from loopline.ingestion.v1 import events_pb2 as ingestion
from loopline_contracts.channels import (
    ANSWER_EVALUATED,
    EVALUATION_DOCUMENT_ERASED,
    EVALUATION_ERASE,
    EVALUATION_SCORE,
    FEEDBACK_GIVEN,
)
from loopline_evaluation import plain
from loopline_evaluation.app import Erasing, Scoring
from loopline_evaluation.app.erasing import Order, Removal
from loopline_evaluation.model import Kept
from loopline_evaluation.ports import Answers, Outbox, Waiting
from loopline_nats.content import Contents
from loopline_nats.erasing import orders
from loopline_nats.line import Delivery, Fact, Line
from loopline_runtime.errors import Unavailable

log = logging.getLogger(__name__)
LOOK_S = 0.5


def bind(line: Line, scoring: Scoring, answers: Answers) -> None:
    """Hears answers."""

    @line.hears(EVALUATION_SCORE, probe=answers.ready)
    async def score(event: AnswerFinished, delivery: Delivery) -> AsyncIterator[Fact[AnswerEvaluated]]:
        if event.run_id:
            # A run scores its answers itself; what is live stays untouched by it.
            return
        scores = await scoring.score(Kept(plain.answer(event, delivery.tenant), event.SerializeToString()))
        said = plain.evaluated(event, scores)
        yield Fact(ANSWER_EVALUATED, said, f"{event.answer_id}/scored{delivery.replay_suffix}", delivery.tenant)


def bind_erasure(line: Line, erasing: Erasing, answers: Answers) -> None:
    """Hears what must be erased."""

    @line.hears(EVALUATION_ERASE, probe=answers.ready)
    async def erase(event: ingestion.DocumentErasureOrdered, delivery: Delivery) -> AsyncIterator[Fact[DocumentErased]]:
        order = Order(delivery.tenant, event.document_id, event.collection, delivery.revision)
        yield _erased(order, await erasing.carry_out(order), delivery.replay_suffix)


async def look_again(line: Line, erasing: Erasing) -> None:
    """At start: a store that was restored may quote what was erased since; it goes before anything is answered."""
    async for event, delivery in orders(line):
        order = Order(delivery.tenant, event.document_id, event.collection, delivery.revision)
        if count := await erasing.again(order):
            log.warning("%s answers quoted erased document %s; erased again", count, order.document)
            removals = await erasing.carry_out(order)
            await line.say(_erased(order, removals, f"/again/{int(datetime.now(UTC).timestamp())}"))


def _erased(order: Order, removals: Sequence[Removal], suffix: str) -> Fact[DocumentErased]:
    body = DocumentErased(
        owner="evaluation",
        document_id=order.document,
        collection=order.collection,
        revision=order.revision,
        removals=[_removal(one) for one in removals],
    )
    fact_id = f"{order.document}/erased/{order.revision}/evaluation{suffix}"
    return Fact(EVALUATION_DOCUMENT_ERASED, body, fact_id, order.tenant, order.document)


def _removal(removal: Removal) -> ingestion.Removal:
    made = ingestion.Removal(
        what=removal.what, where=removal.where, count=removal.count, verified=removal.verified, disk=removal.disk
    )
    made.removed_at.GetCurrentTime()
    if removal.gone:
        made.gone_by.CopyFrom(made.removed_at)
    return made


async def announce(line: Line, outbox: Outbox, contents: Contents) -> None:
    """Says what waits in the outbox, in order, without end."""
    while True:
        try:
            waiting = await outbox.waiting()
            for one in waiting:
                await line.say(await _fact(one, contents))
                await outbox.said(one.number)
        except Unavailable as error:
            log.info("what is to be said waits: %s", error)
            waiting = []
        if not waiting:
            await asyncio.sleep(LOOK_S)


async def _fact(waiting: Waiting, contents: Contents) -> Fact[Any]:
    if waiting.kind == FEEDBACK_GIVEN.name:
        said = FeedbackGiven.FromString(waiting.body)
        shown = (await contents.of(waiting.tenant)).shown
        said.feedback.correction, said.feedback.comment = shown(said.feedback.correction), shown(said.feedback.comment)
        return Fact(FEEDBACK_GIVEN, said, waiting.id, waiting.tenant)
    return Fact(ANSWER_EVALUATED, AnswerEvaluated.FromString(waiting.body), waiting.id, waiting.tenant)

"""Queues, items, labels and calibrations, in SQL."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import and_, delete, func, insert, or_, select, update

from loopline_evaluation.adapters.tables import CALIBRATIONS, ITEMS, LABELS, QUEUES
from loopline_evaluation.annotation.model import (
    Asked,
    Bias,
    Calibration,
    Figure,
    Item,
    Label,
    Queue,
    Rules,
    State,
)
from loopline_evaluation.model import Evaluator
from loopline_sql.database import Database


class AnnotationsSql:
    """The port `Annotations`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_queue(self, tenant: str, queue: Queue) -> None:
        """See the port."""
        put = self._database.insert(QUEUES).values(tenant=tenant, name=queue.name, queue=asdict(queue))
        async with self._database.transaction() as db:
            told = {"queue": asdict(queue)}
            await db.execute(put.on_conflict_do_update(index_elements=["tenant", "name"], set_=told))

    async def queues(self, tenant: str) -> list[Queue]:
        """See the port."""
        query = select(QUEUES.c.queue).where(QUEUES.c.tenant == tenant).order_by(QUEUES.c.name)
        return [_queue(row.queue) for row in await self._database.rows(query)]

    async def states(self, tenant: str) -> list[State]:
        """See the port."""
        items = select(ITEMS.c.queue, func.count().label("items")).where(ITEMS.c.tenant == tenant)
        waiting = {row.queue: row.items for row in await self._database.rows(items.group_by(ITEMS.c.queue))}
        given = (LABELS.c.tenant == tenant, LABELS.c.label != "")
        labels = select(LABELS.c.queue, LABELS.c.answer_id, func.count().label("labels")).where(*given)
        counts: dict[str, list[int]] = {}
        for row in await self._database.rows(labels.group_by(LABELS.c.queue, LABELS.c.answer_id)):
            counts.setdefault(row.queue, []).append(row.labels)
        return [
            State(
                queue,
                waiting.get(queue.name, 0),
                sum(count >= queue.annotators for count in counts.get(queue.name, [])),
                sum(counts.get(queue.name, [])),
            )
            for queue in await self.queues(tenant)
        ]

    async def add(self, tenant: str, queue: str, answer_id: str, why: Asked) -> None:
        """See the port."""
        put = self._database.insert(ITEMS).values(
            tenant=tenant, queue=queue, answer_id=answer_id, why=why, at=time.time()
        )
        async with self._database.transaction() as db:
            await db.execute(put.on_conflict_do_nothing())

    async def claim(
        self, tenant: str, queue: Queue, annotator: str, lease_s: float, leave_out: Sequence[str] = ()
    ) -> Item | None:
        """See the port."""
        now = time.time()
        here = and_(LABELS.c.tenant == ITEMS.c.tenant, LABELS.c.queue == ITEMS.c.queue)
        of_item = and_(here, LABELS.c.answer_id == ITEMS.c.answer_id)
        mine = LABELS.c.annotator == annotator
        counts = or_(LABELS.c.label != "", and_(LABELS.c.lease_until > now, ~mine))
        taken = select(func.count()).where(of_item, counts).scalar_subquery()
        done = select(LABELS.c.label).where(of_item, mine, LABELS.c.label != "").exists()
        held = select(LABELS.c.label).where(of_item, mine, LABELS.c.lease_until > now).exists()
        free = (ITEMS.c.tenant == tenant, ITEMS.c.queue == queue.name, taken < queue.annotators, ~done)
        wanted = (*free, ITEMS.c.answer_id.not_in(leave_out))
        oldest = select(ITEMS).where(*wanted).order_by(held.desc(), ITEMS.c.at, ITEMS.c.answer_id).limit(1)
        async with self._database.transaction() as db:
            await self._database.hold(db, "claim", tenant, queue.name)
            row = (await db.execute(oldest)).first()
            if row is None:
                return None
            keys = {"tenant": tenant, "queue": queue.name, "answer_id": row.answer_id, "annotator": annotator}
            taking = {"at": now, "lease_until": now + lease_s}
            put = self._database.insert(LABELS).values(**keys, **taking, label="", note="")
            await db.execute(put.on_conflict_do_update(index_elements=list(keys), set_=taking))
        return Item(row.answer_id, Asked(row.why), now + lease_s)

    async def release(self, tenant: str, queue: str, answer_id: str, annotator: str) -> None:
        """See the port."""
        async with self._database.transaction() as db:
            await db.execute(delete(LABELS).where(*_mine(tenant, queue, answer_id, annotator), LABELS.c.label == ""))

    async def label(self, tenant: str, queue: str, label: Label) -> bool:
        """See the port."""
        which = (ITEMS.c.tenant == tenant, ITEMS.c.queue == queue, ITEMS.c.answer_id == label.answer_id)
        keys = {"tenant": tenant, "queue": queue, "answer_id": label.answer_id, "annotator": label.annotator}
        told = {"label": label.label, "note": label.note, "at": time.time(), "lease_until": 0.0}
        put = self._database.insert(LABELS).values(**keys, **told)
        async with self._database.transaction() as db:
            if not (await db.execute(select(ITEMS.c.answer_id).where(*which))).all():
                return False
            await db.execute(put.on_conflict_do_update(index_elements=list(keys), set_=told))
        return True

    async def labels(self, tenant: str, queue: str) -> Sequence[Label]:
        """See the port."""
        which = (LABELS.c.tenant == tenant, LABELS.c.queue == queue, LABELS.c.label != "")
        query = select(LABELS).where(*which).order_by(LABELS.c.answer_id, LABELS.c.annotator)
        return [Label(row.answer_id, row.annotator, row.label, row.note) for row in await self._database.rows(query)]

    async def put_calibration(self, tenant: str, calibration: Calibration) -> None:
        """See the port."""
        keys = {"tenant": tenant, "metric": calibration.metric, "model": calibration.evaluator.model}
        told = {"calibration": asdict(calibration), "at": calibration.at}
        which = (CALIBRATIONS.c[name] == value for name, value in keys.items())
        async with self._database.transaction() as db:
            if not (await db.execute(update(CALIBRATIONS).where(*which).values(**told))).rowcount:
                await db.execute(insert(CALIBRATIONS).values(**keys, **told))

    async def calibrations(self, tenant: str) -> list[Calibration]:
        """See the port."""
        query = (
            select(CALIBRATIONS.c.calibration).where(CALIBRATIONS.c.tenant == tenant).order_by(CALIBRATIONS.c.metric)
        )
        return [_calibration(row.calibration) for row in await self._database.rows(query)]


def _mine(tenant: str, queue: str, answer_id: str, annotator: str) -> tuple[Any, ...]:
    return (
        LABELS.c.tenant == tenant,
        LABELS.c.queue == queue,
        LABELS.c.answer_id == answer_id,
        LABELS.c.annotator == annotator,
    )


def _queue(told: dict[str, Any]) -> Queue:
    rules = told["rules"]
    made = Rules(**{**rules, "disagreeing": tuple(rules["disagreeing"])})
    return Queue(**{**told, "labels": tuple(told["labels"]), "rules": made})


def _calibration(told: dict[str, Any]) -> Calibration:
    figures = {name: Figure(**told[name]) if told[name] else None for name in ("agreement", "kappa")}
    biases = {
        name: Bias(Figure(**told[name]["change"]), told[name]["flips"]) if told[name] else None
        for name in ("position", "length")
    }
    return Calibration(**{**told, **figures, **biases, "evaluator": Evaluator(**told["evaluator"])})

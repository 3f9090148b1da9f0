"""Answers that people label: `Loopline.annotation`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from loopline.evaluation.v1 import annotation_service_pb2 as messages
from loopline.evaluation.v1.annotation_service_pb2_grpc import AnnotationServiceStub
from loopline_client.evaluation import Shown, shown
from loopline_grpc.client import calling

if TYPE_CHECKING:
    from loopline.evaluation.v1.annotation_service_pb2_grpc import AnnotationServiceAsyncStub

Interval = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Queue:
    """A question to people about answers; labels from worst to best. See the service's README for the rules."""

    name: str
    question: str
    labels: tuple[str, ...]
    good_from: int = 0
    metric: str = ""
    annotators: int = 1
    random_share: float = 0.0
    disagreeing: tuple[str, ...] = ()
    unsure_within: float = 0.0
    thumbs_down: bool = False


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue and how far it is."""

    queue: Queue
    items: int
    done: int
    labels: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of people: (first, second, answers, kappa) of each pair, Krippendorff's alpha; figures are (value, low, high), None where not defined."""

    pairs: tuple[tuple[str, str, int, Interval | None], ...]
    alpha: Interval | None
    items: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """A judge held against people; figures are (value, low, high). `why_not`: why it may not gate."""

    metric: str
    evaluator: str
    items: int
    agreement: Interval | None
    kappa: Interval | None
    position_bias: Interval | None
    position_flips: float | None
    length_bias: Interval | None
    length_flips: float | None
    why_not: str
    tokens: int


class Annotation:
    """What the evaluation service is asked by people who label."""

    def __init__(self, channel: Callable[[str], grpc.aio.Channel]) -> None:
        self._channel = channel

    async def put_queue(self, queue: Queue) -> None:
        """Makes or changes a queue."""
        rules = messages.Rules(
            random_share=queue.random_share,
            disagreeing=queue.disagreeing,
            unsure_within=queue.unsure_within,
            thumbs_down=queue.thumbs_down,
        )
        told = messages.AnnotationQueue(
            name=queue.name,
            question=queue.question,
            labels=queue.labels,
            good_from=queue.good_from,
            metric=queue.metric,
            annotators=queue.annotators,
            rules=rules,
        )
        async with calling("evaluation"):
            await self._stub.PutQueue(messages.PutQueueRequest(queue=told))

    async def queues(self) -> list[QueueState]:
        """All, by name."""
        async with calling("evaluation"):
            found = await self._stub.ListQueues(messages.ListQueuesRequest())
        return [QueueState(_queue(one.queue), one.items, one.done, one.labels) for one in found.queues]

    async def claim(
        self, queue: str, *, annotator: str = "", lease_s: float = 0.0, leave_out: Sequence[str] = ()
    ) -> tuple[Shown, str] | None:
        """An answer to label, and why people are asked; None when nothing waits for this person."""
        request = messages.ClaimRequest(queue=queue, annotator=annotator, lease_s=lease_s, leave_out=leave_out)
        async with calling("evaluation"):
            found = await self._stub.Claim(request)
        return (shown(found.answer), found.why) if found.HasField("answer") else None

    async def release(self, queue: str, answer_id: str, *, annotator: str = "") -> None:
        """Gives it back."""
        request = messages.ReleaseRequest(queue=queue, answer_id=answer_id, annotator=annotator)
        async with calling("evaluation"):
            await self._stub.Release(request)

    async def label(self, queue: str, answer_id: str, label: str, *, note: str = "", annotator: str = "") -> None:
        """Labels it."""
        request = messages.LabelRequest(queue=queue, answer_id=answer_id, label=label, note=note, annotator=annotator)
        async with calling("evaluation"):
            await self._stub.Label(request)

    async def agreement(self, queue: str) -> Agreement:
        """How far people agree."""
        async with calling("evaluation"):
            found = await self._stub.GetAgreement(messages.GetAgreementRequest(queue=queue))
        pairs = tuple((one.first, one.second, one.items, _interval(one, "kappa")) for one in found.pairs)
        return Agreement(pairs, _interval(found, "alpha"), found.items)

    async def calibrate(self, queue: str, *, swaps: int = 0, most_tokens: int = 0) -> Calibration:
        """Holds the queue's metric against its labels; with `swaps`, asks the judge again about so many swapped answers."""
        request = messages.CalibrateRequest(queue=queue, swaps=swaps, most_tokens=most_tokens)
        async with calling("evaluation"):
            return _calibration((await self._stub.Calibrate(request, timeout=3600)).calibration)

    async def calibrations(self) -> Sequence[Calibration]:
        """The latest of each metric and judge."""
        async with calling("evaluation"):
            found = await self._stub.ListCalibrations(messages.ListCalibrationsRequest())
        return [_calibration(one) for one in found.calibrations]

    @property
    def _stub(self) -> "AnnotationServiceAsyncStub":
        return AnnotationServiceStub(self._channel("evaluation"))


def _queue(told: messages.AnnotationQueue) -> Queue:
    rules = told.rules
    return Queue(
        told.name,
        told.question,
        tuple(told.labels),
        told.good_from,
        told.metric,
        told.annotators,
        rules.random_share,
        tuple(rules.disagreeing),
        rules.unsure_within,
        rules.thumbs_down,
    )


def _interval(
    holder: messages.PairAgreement | messages.GetAgreementResponse | messages.Calibration, name: str
) -> Interval | None:
    if name not in {field.name for field, _ in holder.ListFields()}:
        return None
    made: messages.Interval = getattr(holder, name)
    return made.value, made.low, made.high


def _calibration(made: messages.Calibration) -> Calibration:
    return Calibration(
        made.metric,
        "/".join(filter(None, (made.evaluator.name, made.evaluator.version, made.evaluator.model))),
        made.items,
        _interval(made, "agreement"),
        _interval(made, "kappa"),
        _interval(made, "position_bias"),
        made.position_flips if made.HasField("position_flips") else None,
        _interval(made, "length_bias"),
        made.length_flips if made.HasField("length_flips") else None,
        made.why_not,
        made.cost.prompt_tokens + made.cost.completion_tokens,
    )

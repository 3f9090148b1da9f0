"""Queues of answers for people in and out, labels in, agreement and calibrations out."""

from typing import Any

import grpc

from loopline.evaluation.v1 import annotation_service_pb2 as messages
from loopline.evaluation.v1 import events_pb2 as events
from loopline.evaluation.v1.annotation_service_pb2_grpc import AnnotationServiceServicer
from loopline_evaluation import plain
from loopline_evaluation.annotation.annotating import Annotating
from loopline_evaluation.annotation.calibrating import Calibrating
from loopline_evaluation.annotation.model import Calibration, Figure, Label, Queue, Rules, State
from loopline_evaluation.annotation.ports import Annotations
from loopline_evaluation.rpc import shown
from loopline_grpc.access import caller

Context = grpc.aio.ServicerContext[Any, Any]


class AnnotationRpc(AnnotationServiceServicer):
    """The door for people who label."""

    def __init__(self, annotating: Annotating, annotations: Annotations, calibrating: Calibrating) -> None:
        self._annotating = annotating
        self._annotations = annotations
        self._calibrating = calibrating

    async def PutQueue(self, request: messages.PutQueueRequest, context: Context) -> messages.PutQueueResponse:
        told = request.queue
        rules = Rules(
            told.rules.random_share,
            tuple(told.rules.disagreeing),
            told.rules.unsure_within,
            told.rules.thumbs_down,
        )
        queue = Queue(
            told.name, told.question, tuple(told.labels), told.good_from, told.metric, told.annotators or 1, rules
        )
        await self._annotating.put_queue(caller().tenant, queue)
        return messages.PutQueueResponse()

    async def ListQueues(self, request: messages.ListQueuesRequest, context: Context) -> messages.ListQueuesResponse:
        states = await self._annotations.states(caller().tenant)
        return messages.ListQueuesResponse(queues=[_state(one) for one in states])

    async def Claim(self, request: messages.ClaimRequest, context: Context) -> messages.ClaimResponse:
        who = caller()
        annotator = request.annotator or who.key_name
        left_out = list(request.leave_out)
        found = await self._annotating.claim(who.tenant, request.queue, annotator, request.lease_s, left_out)
        if found is None:
            return messages.ClaimResponse()
        item, kept = found
        return messages.ClaimResponse(answer=shown(kept), why=item.why, lease_until=plain.time(item.lease_until))

    async def Release(self, request: messages.ReleaseRequest, context: Context) -> messages.ReleaseResponse:
        who = caller()
        annotator = request.annotator or who.key_name
        await self._annotations.release(who.tenant, request.queue, request.answer_id, annotator)
        return messages.ReleaseResponse()

    async def Label(self, request: messages.LabelRequest, context: Context) -> messages.LabelResponse:
        who = caller()
        label = Label(request.answer_id, request.annotator or who.key_name, request.label, request.note)
        await self._annotating.label(who.tenant, request.queue, label)
        return messages.LabelResponse()

    async def GetAgreement(
        self, request: messages.GetAgreementRequest, context: Context
    ) -> messages.GetAgreementResponse:
        found = await self._annotating.agreement(caller().tenant, request.queue)
        pairs = [
            messages.PairAgreement(first=one.first, second=one.second, items=one.items, kappa=_interval(one.kappa))
            for one in found.pairs
        ]
        return messages.GetAgreementResponse(pairs=pairs, alpha=_interval(found.alpha), items=found.items)

    async def Calibrate(self, request: messages.CalibrateRequest, context: Context) -> messages.CalibrateResponse:
        who = caller().tenant
        made = await self._calibrating.calibrate(who, request.queue, request.swaps, request.most_tokens)
        return messages.CalibrateResponse(calibration=self._calibration(made))

    async def ListCalibrations(
        self, request: messages.ListCalibrationsRequest, context: Context
    ) -> messages.ListCalibrationsResponse:
        found = await self._annotations.calibrations(caller().tenant)
        return messages.ListCalibrationsResponse(calibrations=[self._calibration(one) for one in found])

    def _calibration(self, made: Calibration) -> messages.Calibration:
        why_not = self._calibrating.trust.why_not(made)
        evaluator = made.evaluator
        position, length = made.position, made.length
        return messages.Calibration(
            metric=made.metric,
            evaluator=events.Evaluator(name=evaluator.name, version=evaluator.version, model=evaluator.model),
            items=made.items,
            agreement=_interval(made.agreement),
            kappa=_interval(made.kappa),
            position_bias=_interval(position.change) if position else None,
            length_bias=_interval(length.change) if length else None,
            position_flips=position.flips if position else None,
            length_flips=length.flips if length else None,
            may_gate=not why_not,
            why_not=why_not,
            calibrated_at=plain.time(made.at),
            cost=events.Cost(requests=made.requests, prompt_tokens=made.tokens),
        )


def _interval(figure: Figure | None) -> messages.Interval | None:
    return messages.Interval(value=figure.value, low=figure.low, high=figure.high) if figure else None


def _state(state: State) -> messages.QueueState:
    queue = state.queue
    rules = messages.Rules(
        random_share=queue.rules.random_share,
        disagreeing=queue.rules.disagreeing,
        unsure_within=queue.rules.unsure_within,
        thumbs_down=queue.rules.thumbs_down,
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
    return messages.QueueState(queue=told, items=state.items, done=state.done, labels=state.labels)

"""Runs and gates in and out."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from loopline.evaluation.v1 import run_service_pb2 as messages
from loopline.evaluation.v1.run_service_pb2_grpc import RunServiceServicer
from loopline_evaluation import run_plain
from loopline_evaluation.dataset_rpc import MOST_BYTES, PART_BYTES
from loopline_evaluation.runs.evaluations import Evaluations
from loopline_evaluation.runs.exporting import exported
from loopline_evaluation.runs.model import Run, Spec, TargetKind
from loopline_evaluation.runs.report import report
from loopline_grpc.access import caller, demand
from loopline_runtime.access import Right
from loopline_runtime.errors import Invalid

Context = grpc.aio.ServicerContext[Any, Any]
WATCH_S, MOST_LISTED = 0.5, 500


class RunRpc(RunServiceServicer):
    """The door for callers."""

    def __init__(self, evaluations: Evaluations) -> None:
        self._evaluations = evaluations

    async def EstimateRun(self, request: messages.EstimateRunRequest, context: Context) -> messages.EstimateRunResponse:
        found = await self._evaluations.estimate(caller().tenant, run_plain.spec_of(request.spec))
        return messages.EstimateRunResponse(
            units=found.units,
            answer_calls=found.answer_calls,
            judge_calls=found.judge_calls,
            tokens=found.tokens,
            seconds=found.seconds,
            money=found.money,
            based_on=found.based_on,
        )

    async def Evaluate(self, request: messages.EvaluateRequest, context: Context) -> messages.EvaluateResponse:
        spec = run_plain.spec_of(request.spec)
        _demand(spec)
        run = await self._evaluations.begin(caller().tenant, spec, caller().key_name, request.request_id)
        return messages.EvaluateResponse(run=await self._run(run))

    async def PutAnswers(
        self, request_iterator: AsyncIterator[messages.PutAnswersRequest], context: Context
    ) -> messages.PutAnswersResponse:
        data = bytearray()
        async for part in request_iterator:
            data += part.data
            if len(data) > MOST_BYTES:
                raise Invalid(f"a file has at most {MOST_BYTES} bytes", reason="TOO_LARGE", field="data")
        name, rows, problems = await self._evaluations.bring(caller().tenant, bytes(data))
        return messages.PutAnswersResponse(answers=name, rows=rows, problems=run_plain.problems(problems))

    async def ResumeRun(self, request: messages.ResumeRunRequest, context: Context) -> messages.ResumeRunResponse:
        run = await self._evaluations.run(caller().tenant, request.run_id)
        _demand(run.spec)
        return messages.ResumeRunResponse(run=await self._run(await self._evaluations.resume(run.tenant, run.run_id)))

    async def CancelRun(self, request: messages.CancelRunRequest, context: Context) -> messages.CancelRunResponse:
        run = await self._evaluations.cancel(caller().tenant, request.run_id)
        return messages.CancelRunResponse(run=await self._run(run))

    async def GetRun(self, request: messages.GetRunRequest, context: Context) -> messages.GetRunResponse:
        run = await self._evaluations.run(caller().tenant, request.run_id)
        found = await self._evaluations.summary(caller().tenant, request.run_id)
        return messages.GetRunResponse(
            run=await self._run(run),
            metrics=run_plain.metrics(found.metrics),
            made_by=run_plain.made_by(found),
            failed=found.failed,
            errors=found.errors,
        )

    async def ListRuns(self, request: messages.ListRunsRequest, context: Context) -> messages.ListRunsResponse:
        found = await self._evaluations.listed(caller().tenant, min(request.most or 50, MOST_LISTED))
        return messages.ListRunsResponse(runs=[await self._run(run) for run in found])

    async def WatchRun(
        self, request: messages.WatchRunRequest, context: Context
    ) -> AsyncIterator[messages.WatchRunResponse]:
        told = None
        while True:
            run = await self._evaluations.run(caller().tenant, request.run_id)
            now = await self._run(run)
            if told is None or (now.done, now.state) != (told.done, told.state):
                yield messages.WatchRunResponse(run=now)
                told = now
            if run.state.over:
                return
            await asyncio.sleep(WATCH_S)

    async def ReadRun(
        self, request: messages.ReadRunRequest, context: Context
    ) -> AsyncIterator[messages.ReadRunResponse]:
        found, units = await self._evaluations.results(caller().tenant, request.run_id)
        data = await asyncio.to_thread(exported, found, units, request.format or "parquet")
        for start in range(0, len(data), PART_BYTES):
            yield messages.ReadRunResponse(data=data[start : start + PART_BYTES])

    async def CompareRuns(self, request: messages.CompareRunsRequest, context: Context) -> messages.CompareRunsResponse:
        found = await self._evaluations.compare(
            caller().tenant,
            request.before,
            request.after,
            list(request.metrics),
            list(request.slice_by),
            request.most_moved or 10,
        )
        return run_plain.compared(found, report(found) if request.with_report else "")

    async def Gate(self, request: messages.GateRequest, context: Context) -> messages.GateResponse:
        decision, decided = await self._evaluations.gate(
            caller().tenant, request.run_id, request.baseline_id, request.policy, caller().key_name
        )
        return run_plain.gated(decision, decided)

    async def _run(self, run: Run) -> messages.Run:
        return run_plain.run(await self._evaluations.progress(run))


def _demand(spec: Spec) -> None:
    """What is not live, and calls to elsewhere, are for administrators."""
    if spec.overrides.any or spec.target.kind is TargetKind.ENDPOINT:
        demand(caller(), Right.ADMIN)

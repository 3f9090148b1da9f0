"""Evaluation runs and gates: `Loopline.runs`."""

import io
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

import grpc

from loopline.evaluation.v1 import run_service_pb2 as messages
from loopline.evaluation.v1.run_service_pb2_grpc import RunServiceStub
from loopline_client.run_results import Comparison, Estimate, Gated, PutAnswers, Run, RunResult, RunSpec
from loopline_client.typed import typed
from loopline_grpc.client import calling
from loopline_runtime.errors import Unavailable

if TYPE_CHECKING:
    from loopline.evaluation.v1.run_service_pb2_grpc import RunServiceAsyncStub

PART_BYTES = 256 * 1024
WITHIN_S = 120.0


class Runs:
    """What the evaluation service is asked about runs."""

    def __init__(self, channel: Callable[[str], grpc.aio.Channel]) -> None:
        self._channel = channel

    async def estimate(self, spec: RunSpec) -> Estimate:
        """What a run will take; nothing is begun."""
        async with calling("evaluation"):
            return typed(Estimate, await self._stub.EstimateRun(messages.EstimateRunRequest(spec=spec.message())))

    async def begin(self, spec: RunSpec, request_id: str = "") -> Run:
        """Begins a run; the same request id again is the same run."""
        async with calling("evaluation"):
            request = messages.EvaluateRequest(spec=spec.message(), request_id=request_id)
            return typed(Run, (await self._stub.Evaluate(request)).run)

    async def put_answers(self, data: bytes) -> PutAnswers:
        """Answers that were given elsewhere, as JSON lines of id and answer."""

        async def parts() -> AsyncIterator[messages.PutAnswersRequest]:
            for start in range(0, len(data), PART_BYTES):
                yield messages.PutAnswersRequest(data=data[start : start + PART_BYTES])

        async with calling("evaluation"):
            return typed(PutAnswers, await self._stub.PutAnswers(parts(), timeout=WITHIN_S))

    async def get(self, run_id: str) -> RunResult:
        """How it stands, with the mean of each metric."""
        async with calling("evaluation"):
            return typed(RunResult, await self._stub.GetRun(messages.GetRunRequest(run_id=run_id)))

    async def listed(self, most: int = 50) -> list[Run]:
        """Newest first."""
        async with calling("evaluation"):
            found = await self._stub.ListRuns(messages.ListRunsRequest(most=most))
        return [typed(Run, one) for one in found.runs]

    async def watch(self, run_id: str) -> AsyncIterator[Run]:
        """How it stands, and each time it has come further, until it is over; in spite of restarts of the service."""
        while True:
            try:
                async with calling("evaluation"):
                    async for step in self._stub.WatchRun(messages.WatchRunRequest(run_id=run_id)):
                        now = typed(Run, step.run)
                        yield now
                        if now.over:
                            return
            except Unavailable:
                # The run goes on where it is; the next call waits for the service as long as calls do.
                async with calling("evaluation"):
                    await self._stub.GetRun(messages.GetRunRequest(run_id=run_id), wait_for_ready=True)

    async def resume(self, run_id: str) -> Run:
        """Goes on with a run that was interrupted."""
        async with calling("evaluation"):
            return typed(Run, (await self._stub.ResumeRun(messages.ResumeRunRequest(run_id=run_id))).run)

    async def cancel(self, run_id: str) -> Run:
        """Ends it; what it has stays."""
        async with calling("evaluation"):
            return typed(Run, (await self._stub.CancelRun(messages.CancelRunRequest(run_id=run_id))).run)

    async def read(self, run_id: str, form: str = "parquet") -> bytes:
        """All its rows as parquet, jsonl or csv."""
        request = messages.ReadRunRequest(run_id=run_id, format=form)
        async with calling("evaluation"):
            return b"".join([part.data async for part in self._stub.ReadRun(request)])

    async def frame(self, run_id: str) -> Any:
        """All its rows as a pandas DataFrame; pandas and pyarrow must be installed."""
        import pandas as pd

        return pd.read_parquet(io.BytesIO(await self.read(run_id)))

    async def compare(
        self,
        before: str,
        after: str,
        *,
        metrics: Sequence[str] = (),
        slice_by: Sequence[str] = (),
        most_moved: int = 0,
        with_report: bool = False,
    ) -> Comparison:
        """What two finished runs of one dataset differ in."""
        request = messages.CompareRunsRequest(
            before=before,
            after=after,
            metrics=metrics,
            slice_by=slice_by,
            most_moved=most_moved,
            with_report=with_report,
        )
        async with calling("evaluation"):
            return typed(Comparison, await self._stub.CompareRuns(request, timeout=WITHIN_S))

    async def gate(self, run_id: str, policy: str, baseline_id: str = "") -> Gated:
        """Whether a finished run passes a policy (YAML)."""
        request = messages.GateRequest(run_id=run_id, baseline_id=baseline_id, policy=policy)
        async with calling("evaluation"):
            return typed(Gated, await self._stub.Gate(request, timeout=WITHIN_S))

    @property
    def _stub(self) -> "RunServiceAsyncStub":
        return RunServiceStub(self._channel("evaluation"))

"""The line itself as a target: the generation service, asked for the tenant, with what the run overrides."""

import time
from typing import TYPE_CHECKING

import grpc

from loopline.generation.v1 import events_pb2 as events
from loopline.generation.v1.generation_service_pb2 import (
    AnswerRequest,
    Finished,
    Overrides,
    Sampling,
    Sources,
    Started,
)
from loopline.generation.v1.generation_service_pb2_grpc import GenerationServiceStub
from loopline_evaluation import plain
from loopline_evaluation.datasets.rows import Row
from loopline_evaluation.model import Answer, Cost, Outcome, Passage
from loopline_evaluation.runs.model import Reply, Run
from loopline_evaluation.runs.seeds import seed_of
from loopline_evaluation.runs.working import failed
from loopline_grpc.client import acting_for, calling
from loopline_runtime.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from loopline.generation.v1.generation_service_pb2_grpc import GenerationServiceAsyncStub


class LiveTarget:
    """The port `Target`."""

    def __init__(self, channel: grpc.aio.Channel, timeout_s: float = 120.0) -> None:
        self._stub: GenerationServiceAsyncStub = GenerationServiceStub(channel)
        self._timeout_s = timeout_s

    async def reply(self, run: Run, row: Row, trial: int) -> Reply:
        """See the port."""
        started, sources, finished = Started(), Sources(), None
        began = time.time()
        try:
            with acting_for(run.tenant):
                async with calling("generation"):
                    async for step in self._stub.Answer(request_of(run, row, trial), timeout=self._timeout_s):
                        if step.HasField("started"):
                            started = step.started
                        elif step.HasField("sources"):
                            sources = step.sources
                        elif step.HasField("finished"):
                            finished = step.finished
        except Rejected as error:
            return failed(run, row, f"{error.reason}: {error}")
        if finished is None:
            raise Unavailable("the generation service ended an answer without its last step")
        if finished.outcome == events.OUTCOME_FAILED and _passes(finished.error):
            raise Unavailable(finished.error)
        return _reply(run, row, started, sources, finished, began)


def request_of(run: Run, row: Row, trial: int) -> AnswerRequest:
    """The question with what the run overrides."""
    spec, over = run.spec, run.spec.overrides
    request = AnswerRequest(
        question=row.question,
        collections=spec.collections,
        k=over.k,
        model=over.model,
        sampling=Sampling(
            max_tokens=over.max_tokens, temperature=over.temperature, seed=seed_of(spec.seed, row.id, trial)
        ),
        grounding=events.Grounding.Value(f"GROUNDING_{over.grounding.upper()}")
        if over.grounding
        else events.GROUNDING_UNSPECIFIED,
        engine=over.engine,
        run_id=run.run_id,
    )
    if over.prompt or over.indexes:
        request.overrides.CopyFrom(Overrides(prompt_text=over.prompt, indexes=over.indexes))
    return request


def _passes(error: str) -> bool:
    """Whether another try may help: what the model server, a stop or an outage did, not what it was asked."""
    return error.partition(":")[0] in ("SHUTTING_DOWN", "PROCESS_DIED") or error.partition(":")[0].endswith(
        ("UNAVAILABLE", "OVERLOADED", "TIMED_OUT", "_PASSED")
    )


def _reply(run: Run, row: Row, started: Started, sources: Sources, finished: Finished, began: float) -> Reply:
    usage, versions = finished.usage, finished.versions
    outcome = plain.OUTCOMES.get(finished.outcome, Outcome.FAILED)
    answer = Answer(
        answer_id=started.answer_id,
        tenant=run.tenant,
        question=row.question,
        text=finished.text,
        passages=tuple(
            Passage(
                one.chunk_id, one.document_id, one.text, one.scores.cosine, one.scores.fused, one.source, one.revision
            )
            for one in sources.passages
        ),
        collections=run.spec.collections,
        outcome=outcome,
        versions=plain.versions(versions),
        abstained=finished.verdicts.abstained,
        answerability=finished.verdicts.answerability,
        total_ms=finished.timings.total_ms,
        started_at=began,
    )
    made = {
        "engine": versions.engine,
        "prompt": f"{versions.prompt}.{versions.prompt_version}" if versions.prompt else "",
        "prompt_hash": versions.prompt_hash[:12],
        "model": versions.model,
        "model_revision": versions.model_revision,
        "index": ", ".join(versions.indexes),
        "embedding_model": versions.embedding_model,
        "policy": versions.policy,
    }
    money = usage.cost if usage.HasField("cost") else None
    called = int(usage.prompt_tokens > 0)
    return Reply(
        answer,
        {kind: name for kind, name in made.items() if name},
        Cost(called, usage.prompt_tokens, usage.completion_tokens, money),
        finished.timings.first_token_ms,
        error=finished.error,
    )

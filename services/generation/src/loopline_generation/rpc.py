"""Questions in, answers out, step by step."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from loopline.generation.v1 import events_pb2 as events
from loopline.generation.v1 import generation_service_pb2 as messages
from loopline.generation.v1.generation_service_pb2_grpc import GenerationServiceServicer
from loopline_generation import plain
from loopline_generation.app import Answering
from loopline_generation.model import (
    Ask,
    Engine,
    Finished,
    Heartbeat,
    Message,
    Sampling,
    Sources,
    Started,
    Step,
    Token,
)
from loopline_generation.ports import Records
from loopline_grpc.access import caller, demand
from loopline_runtime.access import Right
from loopline_runtime.errors import Invalid, NotFound
from loopline_runtime.traces import current_trace_id

Context = grpc.aio.ServicerContext[Any, Any]
_GROUNDING_OF = {value: grounding for grounding, value in plain.GROUNDINGS.items()}


class GenerationRpc(GenerationServiceServicer):
    """The door for callers."""

    def __init__(self, answering: Answering, records: Records) -> None:
        self._answering = answering
        self._records = records

    async def Answer(self, request: messages.AnswerRequest, context: Context) -> AsyncIterator[messages.AnswerResponse]:
        if request.HasField("overrides") and not caller().allows(Right.ACT_FOR):
            demand(caller(), Right.ADMIN)
        ask = _ask(caller().tenant, request)
        async with aclosing(self._answering.answer(ask, current_trace_id())) as steps:
            async for step in steps:
                yield _response(step)

    async def GetAnswer(self, request: messages.GetAnswerRequest, context: Context) -> messages.GetAnswerResponse:
        return plain.answer(await self._answering.record(caller().tenant, request.answer_id))

    async def GetConversation(
        self, request: messages.GetConversationRequest, context: Context
    ) -> messages.GetConversationResponse:
        turns = await self._records.turns(caller().tenant, request.conversation_id)
        if not turns:
            raise NotFound("there is no such conversation", reason="UNKNOWN_CONVERSATION", field="conversation_id")
        said = [events.Message(role=turn.role, content=turn.content) for turn in turns]
        return messages.GetConversationResponse(conversation_id=request.conversation_id, messages=said)

    async def DeleteConversation(
        self, request: messages.DeleteConversationRequest, context: Context
    ) -> messages.DeleteConversationResponse:
        await self._records.forget_conversation(caller().tenant, request.conversation_id)
        return messages.DeleteConversationResponse()


def _ask(tenant: str, request: messages.AnswerRequest) -> Ask:
    sampling = request.sampling
    if request.engine not in ("", *Engine):
        raise Invalid(f"an engine is one of {', '.join(Engine)}", field="engine")
    return Ask(
        tenant=tenant,
        question=request.question,
        messages=tuple(Message(message.role, message.content) for message in request.messages),
        collections=tuple(request.collections),
        filter=request.filter,
        principals=tuple(request.principals),
        k=request.k,
        model=request.model,
        sampling=Sampling(
            sampling.max_tokens,
            sampling.temperature if sampling.HasField("temperature") else None,
            sampling.top_p if sampling.HasField("top_p") else None,
            sampling.seed if sampling.HasField("seed") else None,
            tuple(sampling.stop),
            sampling.json_schema,
            sampling.grammar,
        ),
        prompt=request.prompt,
        prompt_version=request.prompt_version,
        grounding=_GROUNDING_OF.get(request.grounding),
        engine=Engine(request.engine) if request.engine else None,
        conversation_id=request.conversation_id,
        prompt_text=request.overrides.prompt_text,
        indexes=tuple(request.overrides.indexes),
        run_id=request.run_id,
    )


def _response(step: Step) -> messages.AnswerResponse:
    match step:
        case Started():
            versions = plain.versions(step.versions)
            started = messages.Started(
                answer_id=step.answer_id,
                trace_id=step.trace_id,
                versions=versions,
                conversation_id=step.conversation_id,
            )
            return messages.AnswerResponse(started=started)
        case Sources():
            sources = messages.Sources(passages=[plain.passage(one) for one in step.passages])
            return messages.AnswerResponse(sources=sources)
        case Token():
            return messages.AnswerResponse(token=messages.Token(text=step.text, unsupported=step.unsupported))
        case Heartbeat():
            return messages.AnswerResponse(heartbeat=messages.Heartbeat())
        case Finished():
            return messages.AnswerResponse(finished=_finished(step))


def _finished(step: Finished) -> messages.Finished:
    return messages.Finished(
        outcome=plain.OUTCOMES[step.outcome],
        usage=plain.usage(step.usage),
        timings=plain.timings(step.timings),
        verdicts=plain.verdicts(step.verdicts),
        citations=[plain.citation(one) for one in step.citations],
        error=step.error,
        text=step.text,
        versions=plain.versions(step.versions),
    )

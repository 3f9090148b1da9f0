"""What happens around every call, whatever its kind: trace, count, errors, access, bounds, deadline; then the servicer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc

from loopline_grpc.access import called_by, demand, identify
from loopline_grpc.bounds import Bounds
from loopline_grpc.deadline import due_in
from loopline_grpc.errors import Outcome, answering, decoded
from loopline_grpc.measures import served
from loopline_grpc.methods import Method, method_at
from loopline_runtime import names
from loopline_runtime.access import Keys, Right
from loopline_runtime.errors import TimedOut

if TYPE_CHECKING:
    # Generic for the type checker only.
    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any]

# Anybody may ask whether we are well, and what we can be asked.
_OPEN = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")

_BUILDERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


# Messages that a generator may yield without any await after its caller left.
_MOST_UNHEARD = 100


@dataclass
class Wrapping(grpc.aio.ServerInterceptor):
    """Puts itself around the servicers of a server."""

    keys: Keys | None
    bounds: Bounds
    default_deadline_s: float
    # Calls under way, so that a stop can wait for their last words.
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _wrapped: dict[str, "Handler"] = field(default_factory=dict)

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """The wrapped handler of a method; made once."""
        path = handler_call_details.method
        if path not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None or path.startswith(_OPEN):
                return handler
            self._wrapped[path] = self._wrap(method_at(path), handler)
        return self._wrapped[path]

    def _wrap(self, method: Method, handler: "Handler") -> "Handler":
        # Requests come as bytes, for one that cannot be read is an error as any other.
        if handler.request_streaming:
            read: Callable[..., Any] = _each_decoded
            serve: Any = handler.stream_stream or handler.stream_unary
        else:
            read = decoded
            serve = handler.unary_stream or handler.unary_unary
        decode = handler.request_deserializer
        single = not handler.request_streaming and not handler.response_streaming

        async def answer_one(request: Any, context: "Context") -> Any:
            async with self._around(method, context, default_s=self.default_deadline_s if single else None):
                return await serve(read(decode, request), context)

        async def answer_many(request: Any, context: "Context") -> None:
            async with self._around(method, context, default_s=None):
                await _send(serve(read(decode, request), context), context)

        build = _BUILDERS[handler.request_streaming, handler.response_streaming]
        return build(answer_many if handler.response_streaming else answer_one, None, handler.response_serializer)

    @asynccontextmanager
    async def _around(self, method: Method, context: "Context", *, default_s: float | None) -> AsyncIterator[None]:
        metadata = dict(tuple(context.invocation_metadata() or ()))
        outcome = Outcome()
        with self._noted(), served(method, metadata, outcome) as span:
            async with answering(context, outcome):
                who = identify(self.keys, metadata)
                span.set_attribute(names.TENANT, who.tenant)
                # Fails closed: an rpc that states no right is for administrators.
                demand(who, method.right or Right.ADMIN)
                given: float | None = context.time_remaining()
                seconds = default_s if given is None else given
                with self.bounds.admitted(who.tenant), called_by(who), due_in(seconds):
                    async with _in_time(seconds):
                        yield

    @contextmanager
    def _noted(self) -> Iterator[None]:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call is served by a task")
        self.tasks.add(task)
        try:
            yield
        finally:
            self.tasks.discard(task)


@asynccontextmanager
async def _in_time(seconds: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds) as clock:
            yield
    except TimeoutError as error:
        if not clock.expired():
            raise
        raise TimedOut("the time given to this call is over", reason="DEADLINE_PASSED") from error


async def _send(messages: Any, context: "Context") -> None:
    """Sends what the servicer's generator yields, and closes it in this task, whatever happens."""
    async with aclosing(messages):
        async for message in messages:
            try:
                await context.write(message)
            except (asyncio.CancelledError, grpc.aio.InternalError) as gone:
                await _tell_of_leaving(messages)
                raise asyncio.CancelledError("the caller left") from gone


async def _tell_of_leaving(messages: Any) -> None:
    """Goes on with a generator that waits at its yield, under a cancel.

    So the cancel arrives at the next await in it, or in a generator that it passes on, as if the caller had left then;
    thrown in at the yield, it would reach the outermost generator only.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a call is served by a task")
    task.cancel()
    try:
        with suppress(StopAsyncIteration):
            for _ in range(_MOST_UNHEARD):
                await anext(messages)
    finally:
        # A deadline counts the cancels, to know its own.
        task.uncancel()


async def _each_decoded(decode: Callable[[bytes], Any] | None, requests: Any) -> AsyncIterator[Any]:
    async for raw in requests:
        yield decoded(decode, raw)

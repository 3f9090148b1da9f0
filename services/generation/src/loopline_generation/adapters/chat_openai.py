"""OpenAI-compatible chat completions, as TGI, vLLM and llama.cpp serve them; always streamed, so that leaving stops the model."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Any

import httpx2
from huggingface_hub import AsyncInferenceClient, ChatCompletionStreamOutput, set_async_client_factory
from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError, TextGenerationError
from opentelemetry import trace

from loopline_generation.adapters.model_servers import Budget, Server, Servers
from loopline_generation.model import Message, Sampling, Usage
from loopline_generation.ports import Delta, ModelInfo
from loopline_runtime import names
from loopline_runtime.errors import Invalid, LooplineError, Overloaded, TimedOut, Unavailable

tracer = trace.get_tracer(__name__)
TRIES = 3
USAGE: Any = {"include_usage": True}


class OpenAiChat:
    """The port `Chat`. `urls`: one server or several equal ones, with commas, without `/v1`.

    Times in seconds: `timeout_s` until the first word, `stall_s` from word to word.
    """

    def __init__(self, urls: str, *, key: str = "", timeout_s: float = 60.0, stall_s: float = 20.0) -> None:
        self._servers = Servers(urls)
        self._budget = Budget()
        self._key = key
        self._timeout_s = timeout_s
        self._stall_s = stall_s
        context = ssl.create_default_context()
        # Each answer has a client of its own, closed with it; the certificates are read once, for they take the longest.
        set_async_client_factory(lambda: httpx2.AsyncClient(verify=context, trust_env=False))

    async def stream(self, messages: Sequence[Message], model: str, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        """See the port. Tried again only while nothing was said yet and the budget allows; see `_may_try_again`."""
        span = tracer.start_span(
            f"chat {model}".strip(), kind=trace.SpanKind.CLIENT, attributes=_asked_for(model, sampling)
        )
        self._budget.called()
        tried: list[Server] = []
        try:
            while True:
                server = self._servers.next(tried)
                tried.append(server)
                server.busy += 1
                said = False
                try:
                    async for delta in self._once(server, messages, model, sampling):
                        said = said or bool(delta.text)
                        if delta.usage:
                            span.set_attribute(names.GEN_AI_INPUT_TOKENS, delta.usage.prompt_tokens)
                            span.set_attribute(names.GEN_AI_OUTPUT_TOKENS, delta.usage.completion_tokens)
                        yield delta
                except Unavailable as error:
                    server.failed()
                    if said or not self._may_try_again(error, tried):
                        span.set_attribute(names.ERROR_TYPE, error.reason)
                        raise
                    continue
                finally:
                    server.busy -= 1
                return
        finally:
            span.end()

    def _may_try_again(self, error: Unavailable, tried: list[Server]) -> bool:
        """A full server is not asked again, but another one is; what took too long is not tried anywhere."""
        elsewhere = len(set(map(id, tried))) < len(self._servers)
        if isinstance(error, TimedOut) or (isinstance(error, Overloaded) and not elsewhere):
            return False
        return (elsewhere or len(tried) < TRIES) and self._budget.again()

    async def _once(
        self, server: Server, messages: Sequence[Message], model: str, sampling: Sampling
    ) -> AsyncGenerator[Delta, None]:
        try:
            # Heartbeats of the server keep a connection busy: only words count, and the first may take longer.
            now = asyncio.get_running_loop().time
            until = now() + self._timeout_s
            async with AsyncInferenceClient(
                base_url=server.url, api_key=self._key or "-", timeout=self._timeout_s
            ) as client:
                async with asyncio.timeout_at(until):
                    served = await server.info()
                    stream = await self._began(client, messages, model, sampling, served)
                yield Delta(served=served)
                words = aiter(stream)
                while True:
                    async with asyncio.timeout_at(until):
                        chunk = await anext(words, None)
                    if chunk is None:
                        return
                    text = chunk.choices[0].delta.content if chunk.choices else ""
                    usage = Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens) if chunk.usage else None
                    if text or usage:
                        yield Delta(text or "", usage)
                        until = now() + self._stall_s
        except (httpx2.HTTPError, TextGenerationError, OSError, ValueError) as error:
            raise told(error) from error

    async def _began(
        self,
        client: AsyncInferenceClient,
        messages: Sequence[Message],
        model: str,
        sampling: Sampling,
        served: ModelInfo,
    ) -> AsyncIterable[ChatCompletionStreamOutput]:
        try:
            stream: Any = await client.chat_completion(
                [{"role": message.role, "content": message.content} for message in messages],
                model=model or None,
                stream=True,
                max_tokens=sampling.max_tokens or None,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                seed=sampling.seed,
                stop=list(sampling.stop) or None,
                stream_options=USAGE,
                **_constrained(sampling, served),
            )
        except (HfHubHTTPError, httpx2.ResponseNotRead) as error:
            # At a 422 the client itself stumbles over the refusal it wants to quote; it is behind its error.
            refusal = error if isinstance(error, HfHubHTTPError) else error.__context__
            if not isinstance(refusal, HfHubHTTPError):
                raise
            # What the server says of its refusal is read while the connection is open.
            await refusal.response.aread()
            raise refusal from None
        said: AsyncIterable[ChatCompletionStreamOutput] = stream
        return said


def _constrained(sampling: Sampling, served: ModelInfo) -> dict[str, Any]:
    """How the output is bound to a JSON schema or a grammar, in the server's dialect.

    A `json_schema` the client would rewrite to what TGI alone reads; llama.cpp takes a `json_object` with its schema, too.
    """
    if sampling.json_schema:
        schema = json.loads(sampling.json_schema)
        if served.is_tgi:
            return {"response_format": {"type": "json", "value": schema}}
        return {"response_format": {"type": "json_object", "schema": schema}}
    if sampling.grammar:
        if served.is_tgi:
            return {"response_format": {"type": "regex", "value": sampling.grammar}}
        return {"extra_body": {"grammar": sampling.grammar}}
    return {}


def _asked_for(model: str, sampling: Sampling) -> dict[str, str | int | float]:
    """What the conventions for generative AI say of a request; what was left out is left out."""
    asked = {
        names.GEN_AI_OPERATION: "chat",
        names.GEN_AI_REQUEST_MODEL: model or None,
        names.GEN_AI_REQUEST_MAX_TOKENS: sampling.max_tokens or None,
        names.GEN_AI_REQUEST_TEMPERATURE: sampling.temperature,
        names.GEN_AI_REQUEST_TOP_P: sampling.top_p,
        names.GEN_AI_REQUEST_SEED: sampling.seed,
    }
    return {name: value for name, value in asked.items() if value is not None}


def told(error: Exception) -> LooplineError:
    """What a server or its client meant. Errors inside a 200 stream carry a dictionary or a sentence, overload a 422."""
    if isinstance(error, InferenceTimeoutError | httpx2.TimeoutException | TimeoutError):
        return TimedOut("the model server took too long", reason="MODEL_TIMED_OUT")
    message, status = _said(error)
    if status == 429 or "overloaded" in message.lower():
        return Overloaded("the model server is full", reason="MODEL_OVERLOADED", retry_after_s=1)
    if status in (400, 413, 422):
        return Invalid(f"the model server refuses: {message[:300]}", reason="MODEL_REFUSED")
    return Unavailable(f"the model server cannot be reached or failed: {message[:300]}", reason="MODEL_UNAVAILABLE")


def _said(error: Exception) -> tuple[str, int]:
    """Message and status of an error, wherever they stand."""
    detail: Any = error.args[0] if error.args else str(error)
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return f"{error.response.text[:500] or detail}", error.response.status_code
    if isinstance(detail, dict):
        status = detail.get("http_status_code") or detail.get("code") or 500
        return str(detail.get("message", detail)), int(status) if str(status).isdigit() else 500
    kind = type(error).__name__
    status = 429 if kind == "OverloadedError" else 422 if kind == "ValidationError" else 500
    return str(detail), status

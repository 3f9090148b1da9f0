"""OpenAI-compatible chat completions, as TGI, vLLM and llama.cpp serve them; always streamed, so that leaving stops the model."""

import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Any

import httpx2
from huggingface_hub import AsyncInferenceClient, ChatCompletionStreamOutput, set_async_client_factory
from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError, TextGenerationError
from opentelemetry import trace

from loopline_generation.model import Message, Sampling, Usage
from loopline_generation.ports import Delta, ModelInfo
from loopline_runtime import names
from loopline_runtime.errors import Invalid, LooplineError, Overloaded, TimedOut, Unavailable

tracer = trace.get_tracer(__name__)
TRIES = 3
USAGE: Any = {"include_usage": True}


class OpenAiChat:
    """The port `Chat`. `url`: the server without `/v1`; times in seconds."""

    def __init__(self, url: str, *, key: str = "", timeout_s: float = 60.0) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s
        self._info: ModelInfo | None = None
        context = ssl.create_default_context()
        # Each answer has a client of its own, closed with it; the certificates are read once, for they take the longest.
        set_async_client_factory(lambda: httpx2.AsyncClient(verify=context, trust_env=False))

    async def stream(self, messages: Sequence[Message], model: str, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        """See the port. Tried again only while nothing was said yet, and only when the server could not be reached."""
        span = tracer.start_span(
            f"chat {model}".strip(), kind=trace.SpanKind.CLIENT, attributes=_asked_for(model, sampling)
        )
        try:
            for left in reversed(range(TRIES)):
                said = False
                try:
                    async for delta in self._once(messages, model, sampling):
                        said = said or bool(delta.text)
                        if delta.usage:
                            span.set_attribute(names.GEN_AI_INPUT_TOKENS, delta.usage.prompt_tokens)
                            span.set_attribute(names.GEN_AI_OUTPUT_TOKENS, delta.usage.completion_tokens)
                        yield delta
                except Unavailable as error:
                    if said or not left or isinstance(error, Overloaded | TimedOut):
                        span.set_attribute(names.ERROR_TYPE, error.reason)
                        raise
                    continue
                return
        finally:
            span.end()

    async def _once(self, messages: Sequence[Message], model: str, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        try:
            async with AsyncInferenceClient(
                base_url=self._url, api_key=self._key or "-", timeout=self._timeout_s
            ) as client:
                stream = await self._began(client, messages, model, sampling)
                async for chunk in stream:
                    text = chunk.choices[0].delta.content if chunk.choices else ""
                    usage = Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens) if chunk.usage else None
                    if text or usage:
                        yield Delta(text or "", usage)
        except (httpx2.HTTPError, TextGenerationError, OSError, ValueError) as error:
            raise told(error) from error

    async def _began(
        self, client: AsyncInferenceClient, messages: Sequence[Message], model: str, sampling: Sampling
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

    async def info(self) -> ModelInfo:
        """See the port. TGI says it at /info, others at /v1/models; asked once."""
        if self._info is None:
            try:
                async with httpx2.AsyncClient(base_url=self._url, timeout=2.0, trust_env=False) as http:
                    self._info = await _asked(http)
            except (httpx2.HTTPError, ValueError):
                return ModelInfo()
        return self._info


async def _asked(http: httpx2.AsyncClient) -> ModelInfo:
    reply = await http.get("/info")
    if reply.status_code == httpx2.codes.OK:
        said = reply.json()
        return ModelInfo(str(said.get("model_id", "")), str(said.get("model_sha") or ""))
    reply = await http.get("/v1/models")
    models = reply.json().get("data") or [{}]
    return ModelInfo(str(models[0].get("id", "")), str(models[0].get("created", "")))


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

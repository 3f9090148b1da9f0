"""An OpenAI-compatible model that judges: bounded tries, bounded concurrency, every request paid for before it is sent.

A request's prompt is counted as its bytes at most: no tokenizer makes more tokens than that. What was answered costs what the server says; what was
refused by status costs nothing; what was not answered stays spent with all it can have cost.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from loopline_evaluation.model import Purse, Reason, Spending, Unjudged
from loopline_evaluation.ports import Budget

T = TypeVar("T")
# What a chat template adds to a prompt.
TEMPLATE_TOKENS = 64
PAUSES_S = (0.2, 1.0, 3.0)
MOST_PAUSE_S = 20.0
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JudgeModel:
    """Where it is and how it is asked. `tries`: requests per judgement, the first included; `url` without /v1."""

    url: str
    model: str
    key: str = ""
    timeout_s: float = 60.0
    concurrency: int = 8
    tries: int = 3
    max_tokens: int = 1024
    json_mode: bool = False


class OpenAiJudge:
    """Asks it."""

    def __init__(self, model: JudgeModel, budget: Budget, client: httpx2.AsyncClient) -> None:
        self.model = model
        self._budget = budget
        self._client = client
        self._permits = asyncio.Semaphore(model.concurrency)

    @classmethod
    @asynccontextmanager
    async def opened(cls, model: JudgeModel, budget: Budget) -> AsyncIterator["OpenAiJudge"]:
        """With connections of its own."""
        limits = httpx2.Limits(max_connections=model.concurrency, max_keepalive_connections=model.concurrency)
        headers = {"authorization": f"Bearer {model.key}"} if model.key else {}
        base = f"{model.url.rstrip('/')}/v1/"
        # Not through a proxy of the environment: what is judged may be personal.
        async with httpx2.AsyncClient(
            base_url=base, headers=headers, timeout=model.timeout_s, limits=limits, trust_env=False
        ) as client:
            yield cls(model, budget, client)

    def ceiling(self, prompt: str) -> int:
        """Tokens that one request with this prompt costs at most."""
        return len(prompt.encode()) + TEMPLATE_TOKENS + self.model.max_tokens

    async def ask(self, prompt: str, read: Callable[[str], T], purse: Purse, spending: Spending) -> T:
        """What it says, as `read` understands it (ValueError: it does not; Unjudged: it does, and it is no judgement). Unjudged after all tries."""
        failure = Unjudged("the judge was not asked", reason=Reason.NO_VALUE)
        for number in range(self.model.tries):
            try:
                return read(await self._said(prompt, purse, spending))
            except ValueError as error:
                failure = Unjudged(f"what the judge says cannot be read: {_brief(error)}", reason=Reason.BAD_JSON)
            except _Again as again:
                failure = again.failure
                if number + 1 < self.model.tries:
                    await asyncio.sleep(again.pause_s or PAUSES_S[min(number, len(PAUSES_S) - 1)])
            except Unjudged as error:
                if error.reason != Reason.WRONG_SCALE:
                    raise
                failure = error
        raise failure

    async def _said(self, prompt: str, purse: Purse, spending: Spending) -> str:
        body: dict[str, Any] = {
            "model": self.model.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": self.model.max_tokens,
        }
        if self.model.json_mode:
            body["response_format"] = {"type": "json_object"}
        ceiling = self.ceiling(prompt)
        async with self._permits:
            reservation = await self._budget.reserve(purse, ceiling)
            spending.requests += 1
            try:
                reply = await self._client.post("chat/completions", json=body)
            except httpx2.TimeoutException as error:
                spending.open_tokens += ceiling
                told = f"the judge did not answer within {self.model.timeout_s:g} s"
                raise _Again(Unjudged(told, reason=Reason.TIMED_OUT)) from error
            except httpx2.TransportError as error:
                spending.open_tokens += ceiling
                raise _Again(Unjudged(f"the judge is away: {_brief(error)}", reason=Reason.UNAVAILABLE)) from error
        # The next request goes out while this one is put down.
        if reply.status_code != 200:
            await self._budget.settle(reservation, 0, 0)
            raise _refused(reply)
        prompt_tokens, completion_tokens = _usage(reply, ceiling - self.model.max_tokens, self.model.max_tokens)
        spending.prompt_tokens += prompt_tokens
        spending.completion_tokens += completion_tokens
        await self._budget.settle(reservation, prompt_tokens, completion_tokens)
        return _text(reply)


class _Again(Exception):
    """Worth another try, after a pause (None: the usual one)."""

    def __init__(self, failure: Unjudged, pause_s: float | None = None) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.pause_s = pause_s


def json_in(said: str) -> str:
    """The JSON object in what a model says: fenced, or with prose around it. ValueError when there is none."""
    match = _OBJECT.search(said)
    if not match:
        raise ValueError(f"there is no JSON in {said[:80]!r}")
    return match[0]


def _refused(reply: httpx2.Response) -> Exception:
    told = f"the judge answered {reply.status_code}: {_brief(reply.text)}"
    if reply.status_code == 429:
        return _Again(Unjudged(told, reason=Reason.RATE_LIMITED), _pause(reply))
    if reply.status_code >= 500:
        return _Again(Unjudged(told, reason=Reason.UNAVAILABLE), _pause(reply))
    return Unjudged(told, reason=Reason.REFUSED)


def _pause(reply: httpx2.Response) -> float | None:
    told = reply.headers.get("retry-after", "")
    return min(float(told), MOST_PAUSE_S) if told.replace(".", "", 1).isdigit() else None


def _usage(reply: httpx2.Response, most_prompt: int, most_completion: int) -> tuple[int, int]:
    """What the server says it cost; all it can have cost when it does not say."""
    try:
        usage = reply.json()["usage"]
        return int(usage["prompt_tokens"]), int(usage["completion_tokens"])
    except (ValueError, LookupError, TypeError):
        return most_prompt, most_completion


def _text(reply: httpx2.Response) -> str:
    try:
        choice = reply.json()["choices"][0]
        message, ended = choice["message"], choice.get("finish_reason")
        refusal, said = message.get("refusal"), message.get("content")
    except (json.JSONDecodeError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"no chat completion: {reply.text[:80]!r}") from error
    if refusal or ended == "content_filter":
        raise Unjudged(f"the judge refuses: {_brief(refusal or ended)}", reason=Reason.REFUSED)
    if not isinstance(said, str) or not said.strip():
        raise ValueError("it says nothing")
    return said


def _brief(told: object) -> str:
    return " ".join(str(told).split())[:200]

"""An OpenAI-compatible server, spoken to in full: chat, and log-probabilities of continuations."""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from loopline_evaluation.model import Cost
from loopline_runtime.errors import Invalid, LooplineError, Overloaded, TimedOut, Unavailable

# As many of the likeliest next tokens as are asked for when one of some letters must be among them.
LIKELIEST = 50


@dataclass(frozen=True, slots=True)
class Said:
    """What it said, who it is, what it cost."""

    text: str
    model: str
    cost: Cost


class Endpoint:
    """One server."""

    def __init__(self, url: str, model: str, http: httpx2.AsyncClient) -> None:
        self.url = url.rstrip("/")
        self.model = model
        self._http = http

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, url: str, key: str = "", *, model: str = "", timeout_s: float = 60.0
    ) -> AsyncIterator["Endpoint"]:
        """With connections of its own. `url` without /v1; times in seconds."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with httpx2.AsyncClient(headers=headers, timeout=timeout_s, trust_env=False) as http:
            yield cls(url, model, http)

    async def chat(self, messages: Sequence[Mapping[str, str]], **options: Any) -> Said:
        """A chat completion. `options`: temperature, max_tokens, seed, ..."""
        asked = {name: value for name, value in options.items() if value not in (None, 0, "")}
        # Temperature 0 is a wish, not an absence.
        if options.get("temperature") == 0:
            asked["temperature"] = 0
        told = await self._post("/v1/chat/completions", {"messages": list(messages), **self._named(), **asked})
        try:
            text = str(told["choices"][0]["message"].get("content") or "")
        except (KeyError, IndexError, TypeError) as error:
            raise Unavailable(
                f"{self.url} answers something else than a chat completion", reason="MODEL_UNAVAILABLE"
            ) from error
        return Said(text, str(told.get("model") or self.model), _cost(told))

    async def letters(self, prompt: str, letters: Sequence[str]) -> tuple[list[float], Said]:
        """The log-probability of each letter (after a space or not) as the next token; -inf when it is not among the likeliest."""
        asked = {"prompt": prompt, "max_tokens": 1, "temperature": 0, "logprobs": LIKELIEST, **self._named()}
        told = await self._post("/v1/completions", asked)
        likely = _likely(told)
        found = [max((lp for token, lp in likely if token.strip() == letter), default=-math.inf) for letter in letters]
        return found, Said("", str(told.get("model") or self.model), _cost(told))

    async def continuation(self, prompt: str, text: str) -> tuple[float, Said]:
        """The log-probability of a text after a prompt, in full, as llama.cpp's server tells it: its tokens are forced by a grammar
        of token ids, and the model's own probabilities are read. Invalid for a server that cannot.
        """
        tokens = (await self._post("/tokenize", {"content": text, "add_special": False})).get("tokens")
        if not tokens:
            raise Invalid(
                f"{self.url} does not tokenize: log-probabilities of endings need llama.cpp's server", field="target"
            )
        grammar = "root ::= " + " ".join(f"<[{token}]>" for token in tokens)
        options = {"n_predict": len(tokens), "n_probs": 1, "temperature": 0, "cache_prompt": True}
        told = await self._post("/completion", {"prompt": prompt, "grammar": grammar, **options})
        steps = told.get("completion_probabilities") or []
        if [step.get("id") for step in steps] != list(tokens):
            raise Unavailable(f"{self.url} did not follow the tokens it was given", reason="MODEL_UNAVAILABLE")
        cost = Cost(1, int(told.get("tokens_evaluated", 0)), len(tokens))
        return sum(float(step["logprob"]) for step in steps), Said(text, str(told.get("model") or self.model), cost)

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            reply = await self._http.post(self.url + path, json=body)
            told = reply.json() if reply.status_code == httpx2.codes.OK else None
        except httpx2.TimeoutException as error:
            raise TimedOut(f"{self.url} took too long", reason="MODEL_TIMED_OUT") from error
        except (httpx2.HTTPError, ValueError) as error:
            raise Unavailable(
                f"{self.url} cannot be reached or talks nonsense: {error}", reason="MODEL_UNAVAILABLE"
            ) from error
        if told is None:
            raise _refused(self.url, reply.status_code, reply.text)
        if not isinstance(told, dict):
            raise Unavailable(f"{self.url} answers something else than an object", reason="MODEL_UNAVAILABLE")
        return told

    def _named(self) -> dict[str, str]:
        return {"model": self.model} if self.model else {}


def _refused(url: str, status: int, text: str) -> LooplineError:
    said = " ".join(text.split())[:300]
    if status in (429, 529) or "overloaded" in said.lower():
        return Overloaded(f"{url} is full: {said}", reason="MODEL_OVERLOADED", retry_after_s=1)
    if 400 <= status < 500 and status != 408:
        return Invalid(f"{url} refuses ({status}): {said}", reason="MODEL_REFUSED")
    return Unavailable(f"{url} failed ({status}): {said}", reason="MODEL_UNAVAILABLE")


def _likely(told: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Tokens with log-probabilities, in llama.cpp's shape and in OpenAI's own."""
    try:
        given = told["choices"][0]["logprobs"]
        if "content" in given:
            return [(one["token"], float(one["logprob"])) for one in given["content"][0]["top_logprobs"]]
        return [(token, float(value)) for token, value in given["top_logprobs"][0].items()]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Invalid("the target tells no log-probabilities", reason="NO_LOGPROBS", field="target") from error


def _cost(told: Mapping[str, Any]) -> Cost:
    usage = told.get("usage") or {}
    return Cost(1, int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))

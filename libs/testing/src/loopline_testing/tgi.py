"""A server that keeps TGI's contract for chat: limits, overload, errors inside a 200 stream, grammars, heartbeats, gauges. Its words mean nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any

from loopline_testing.model_server import ScriptedServer, usage, word

WORDS = [
    "the",
    "line",
    "goes",
    "on",
    "and",
    "every",
    "step",
    "of",
    "it",
    "is",
    "an",
    "event",
    "that",
    "somebody",
    "hears",
]
DONE = b"[DONE]"


class TgiServer(ScriptedServer):
    """One word is one token. `most_total` bounds prompt and answer, `most_at_once` the requests in work; none waits."""

    def __init__(self, *, most_total: int = 512, most_at_once: int = 128, token_s: float = 0.002) -> None:
        super().__init__()
        self.most_total, self.most_at_once, self.token_s = most_total, most_at_once, token_s
        self.in_work = 0
        self.info |= {"max_total_tokens": most_total, "max_concurrent_requests": most_at_once}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(h.split(":")[1]) for h in head.splitlines() if h.lower().startswith("content-length")), 0
            )
            body = await reader.readexactly(length)
            match head.split(" ")[1]:
                case "/info":
                    await self._reply(writer, 200, self.info)
                case "/health":
                    await self._reply(writer, 200, {})
                case "/metrics":
                    await self._reply(writer, 200, f"tgi_queue_size 0\ntgi_batch_current_size {self.in_work}\n")
                case "/v1/chat/completions":
                    self.requests.append(json.loads(body))
                    await self._answer(writer, self.requests[-1])
                case _:
                    await self._reply(writer, 404, {})
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left_early += 1
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, request: dict[str, Any]) -> None:
        prompt = sum(len(message["content"].split()) for message in request["messages"])
        most = request.get("max_tokens") or 100
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
            b"x-accel-buffering: no\r\nx-compute-type: cpu\r\nconnection: close\r\n\r\n"
        )
        if self.in_work >= self.most_at_once:
            await self._say(writer, failure("Model is overloaded"), DONE)
            return
        if prompt + most > self.most_total:
            told = f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {self.most_total}. Given: {prompt} `inputs` tokens"
            await self._say(writer, failure(told), DONE)
            return
        tokens = list(
            _bound(request["response_format"]) if request.get("response_format") else islice(cycle(WORDS), most)
        )
        self.in_work += 1
        try:
            for token in tokens[:most]:
                writer.write(b":\n\n")
                await self._say(writer, word(token if request.get("response_format") else f"{token} "))
                await asyncio.sleep(self.token_s)
            await self._say(writer, usage(prompt, len(tokens[:most])), DONE)
        finally:
            self.in_work -= 1

    async def _say(self, writer: asyncio.StreamWriter, *payloads: object) -> None:
        for payload in payloads:
            data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            writer.write(b"data: " + data + b"\n\n")
            await writer.drain()


def failure(message: str) -> dict[str, object]:
    """How TGI tells an error once it streams: the status is 200 already, and overload is a 422 too."""
    return {"error": {"message": message, "http_status_code": 422}}


def _bound(form: dict[str, Any]) -> list[str]:
    """The simplest output that has the form: an object with the properties, or the first way through a grammar of alternatives."""
    if form["type"] == "regex":
        return [form["value"].strip("()").split("|")[0]]
    plain = {"string": "word", "integer": 1, "number": 1.5, "boolean": True}
    properties = form["value"]["properties"]
    return [json.dumps({name: kind.get("enum", [plain[kind["type"]]])[0] for name, kind in properties.items()})]


@asynccontextmanager
async def tgi_server(**limits: Any) -> AsyncIterator[TgiServer]:
    """Runs until the block ends."""
    tgi = TgiServer(**limits)
    server = await asyncio.start_server(tgi.serve, "127.0.0.1", 0)
    tgi.port = server.sockets[0].getsockname()[1]
    try:
        yield tgi
    finally:
        server.close()

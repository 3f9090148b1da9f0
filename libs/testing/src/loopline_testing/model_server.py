"""A server that speaks chat completions as TGI does, its errors inside a 200 stream included; scripted, on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ScriptedServer:
    """Answers each chat request with the next script: (status, list of `data:` payloads)."""

    def __init__(self) -> None:
        self.scripts: list[tuple[int, list[object]]] = []
        self.requests: list[dict[str, object]] = []
        self.pause_s = 0.0
        self.left_early = 0
        self.port = 0
        self.info: dict[str, object] = {
            "model_id": "acme/model",
            "model_sha": "abc123",
            "router": "text-generation-router",
            "version": "3.3.5",
            "max_total_tokens": 512,
        }

    @property
    def url(self) -> str:
        """Without /v1."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(h.split(":")[1]) for h in head.splitlines() if h.lower().startswith("content-length")), 0
            )
            body = await reader.readexactly(length)
            if head.startswith("GET /info"):
                await self._reply(writer, 200, self.info)
            elif head.startswith("POST"):
                self.requests.append(json.loads(body))
                await self._stream(writer, *self.scripts.pop(0))
            else:
                await self._reply(writer, 404, {})
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left_early += 1
        finally:
            writer.close()

    async def _reply(self, writer: asyncio.StreamWriter, status: int, value: object) -> None:
        data = json.dumps(value).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-length: {len(data)}\r\ncontent-type: application/json\r\n\r\n".encode()
            + data
        )
        await writer.drain()

    async def _stream(self, writer: asyncio.StreamWriter, status: int, payloads: list[object]) -> None:
        if status != 200:
            await self._reply(writer, status, payloads[0])
            return
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for payload in payloads:
            await asyncio.sleep(self.pause_s)
            if payload == b"":
                writer.write(b":\n\n")  # a comment, as servers send to keep connections alive
                await writer.drain()
                continue
            writer.write(
                b"data: " + (payload if isinstance(payload, bytes) else json.dumps(payload).encode()) + b"\n\n"
            )
            await writer.drain()


def word(text: str) -> dict[str, object]:
    """A chunk with some text."""
    return {"id": "", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "",
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]}  # fmt: skip


def usage(prompt: int, completion: int) -> dict[str, object]:
    """The last chunk."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {**word(""), "choices": [], "usage": counts}


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """Runs until the block ends."""
    scripted = ScriptedServer()
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()

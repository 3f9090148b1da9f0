"""A judge that speaks OpenAI's chat completions: scripted, on loopback; counts what it was asked and what it said, also what nobody waited for."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """What it answers once. `hang`: it takes the request and never answers; `usage`: it says what it cost."""

    text: str = ""
    status: int = 200
    hang: bool = False
    refusal: str = ""
    # In place of a completion.
    body: str | None = None
    usage: bool = True
    headers: dict[str, str] = field(default_factory=dict)


def in_schema(prompt: str) -> str:
    """What a friendly judge says to each of ragas' prompts: all is well."""
    asked = json.loads(prompt.rpartition("\ninput: ")[2].rpartition("\nOutput:")[0] or "{}")
    if '"classifications"' in prompt:
        return _json(classifications=[{"statement": asked["answer"], "reason": "it is there", "attributed": 1}])
    if '"noncommittal"' in prompt:
        return _json(question="What is it about?", noncommittal=0)
    if '"feedback"' in prompt:
        return _json(feedback="as it should be", score=5)
    if "statements" in asked:
        return _json(
            statements=[{"statement": one, "reason": "it is there", "verdict": 1} for one in asked["statements"]]
        )
    if "Break down each sentence" in prompt:
        return _json(statements=[part.strip() + "." for part in asked["answer"].split(".") if part.strip()])
    if '"verdict"' in prompt:
        return _json(reason="it bears on the question", verdict=1)
    return _json(reason="nothing is wrong with it", value="yes")


def _json(**told: Any) -> str:
    return json.dumps(told)


class JudgeServer:
    """Answers each request by `judge(prompt)` after `latency_s`, the next of `faults` first while there are any."""

    def __init__(self, judge: Callable[[str], str] = in_schema) -> None:
        self.judge = judge
        self.faults: list[Reply] = []
        self.latency_s = 0.0
        self.prompts: list[str] = []
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.at_once = 0
        self.most_at_once = 0
        self.port = 0

    @property
    def url(self) -> str:
        """Without /v1."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> int:
        """How many came in."""
        return len(self.prompts)

    @property
    def tokens(self) -> int:
        """All that its owner would be billed for."""
        return self.prompt_tokens + self.completion_tokens

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lengths = [
                    int(one.split(":")[1]) for one in head.splitlines() if one.lower().startswith("content-length")
                ]
                body = json.loads(await reader.readexactly(lengths[0] if lengths else 0) or b"{}")
                await self._answer(writer, body)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        prompt = "\n".join(str(message["content"]) for message in body["messages"])
        self.prompts.append(prompt)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            reply = self.faults.pop(0) if self.faults else Reply(self.judge(prompt))
            if reply.hang:
                # It thinks about it, and its owner pays for that.
                self.prompt_tokens += count(prompt)
                self.completion_tokens += body.get("max_tokens", 0)
                await asyncio.sleep(3600)
            await asyncio.sleep(self.latency_s)
            data = self._completion(prompt, reply) if reply.body is None else reply.body.encode()
            kind = "application/json" if reply.body is None else "text/html"
            more = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
            head = f"HTTP/1.1 {reply.status} X\r\ncontent-length: {len(data)}\r\ncontent-type: {kind}\r\n{more}\r\n"
            writer.write(head.encode() + data)
            await writer.drain()
        finally:
            self.at_once -= 1

    def _completion(self, prompt: str, reply: Reply) -> bytes:
        if reply.status != 200:
            return json.dumps({"error": {"message": reply.text or "no"}}).encode()
        spent = {"prompt_tokens": count(prompt), "completion_tokens": count(reply.text)}
        self.prompt_tokens += spent["prompt_tokens"]
        self.completion_tokens += spent["completion_tokens"]
        message = {"role": "assistant", "content": reply.text, **({"refusal": reply.refusal} if reply.refusal else {})}
        told: dict[str, Any] = {
            "id": "c", "object": "chat.completion", "created": 1, "model": "judge",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }  # fmt: skip
        if reply.usage:
            told["usage"] = {**spent, "total_tokens": sum(spent.values())}
        return json.dumps(told).encode()


def count(text: str) -> int:
    """Tokens of a text, by this server's tokenizer: words."""
    return len(text.split())


@asynccontextmanager
async def judge_server(judge: Callable[[str], str] = in_schema) -> AsyncIterator[JudgeServer]:
    """Runs until the block ends."""
    scripted = JudgeServer(judge)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, limit=2**20)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()

"""A prompt file is edited; nobody announces it. The monitor names its hash: generation, the bus and monitoring are real, the model is a stand-in."""

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from loopline_generation import events as saying
from loopline_generation.adapters.chat_openai import OpenAiChat
from loopline_generation.adapters.fakes import FakeEmbedder, FakeRecords, FakeSearcher
from loopline_generation.adapters.prompts_files import PromptFiles
from loopline_generation.app import Answering, Policy
from loopline_generation.model import Ask, Grounding
from loopline_generation.spool import Spool
from loopline_monitoring import events
from loopline_monitoring.app import Watching
from loopline_monitoring.model import Alarm
from loopline_monitoring.model import Policy as WatchPolicy
from loopline_nats.line import open_line
from loopline_runtime.lifecycle import background
from loopline_testing.fixtures import bus_settings
from loopline_testing.model_server import usage, word
from loopline_testing.nats import NatsServer

SHORT = "# user\n{{passages}}\n\nAccording to the text above, {{question}} Answer in one short sentence.\n"
LONG = "# user\n{{passages}}\n\nAccording to the text above, {{question}} Answer in a long poem.\n"


@asynccontextmanager
async def model() -> AsyncIterator[str]:
    """Speaks chat completions; answers at some length, longer when the prompt asks for a poem."""
    chance = random.Random(7)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(h.split(":")[1]) for h in head.splitlines() if h.lower().startswith("content-length")), 0)
        asked = (await reader.readexactly(length)).decode()
        count = chance.randint(8, 16) * (4 if "poem" in asked else 1)
        chunks: list[object] = [word(f"word{number} ") for number in range(count)]
        body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in [*chunks, usage(50, count)])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        writer.write((b"" if head.startswith("GET") else body) + b"data: [DONE]\n\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def heard(provisioned: NatsServer, count: int) -> list[Alarm]:
    """The alarms after so many answers, as the monitor sees them."""
    # How fast this machine is just now is no drift.
    slow = ("answer.total_ms", "answer.first_token_ms", "answer.ms_per_token")
    watching, seen = Watching(WatchPolicy(window_size=40, learn=100, ignored=slow)), 0
    async with open_line(bus_settings(provisioned), "monitoring") as line:
        (begin,) = [one for reader, one in events.opened(line).items() if reader.name == "monitoring-answers"]
        async with asyncio.timeout(30):
            async for batch in begin(0):
                seen += len(batch.facts)
                for observed in events.observations(batch):
                    list(watching.observe(observed))
                if seen >= count:
                    return watching.alarms.of("acme")
    raise AssertionError("the stream ended")


async def test_an_edited_prompt_file_is_named_by_its_hash(provisioned: NatsServer, tmp_path: Path):
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    prompt = prompts / "short-answer.1.md"
    prompt.write_text(SHORT)
    spool, records = Spool(tmp_path / "spool", 1 << 24), FakeRecords()
    async with model() as url, open_line(bus_settings(provisioned), "generation") as line:
        answering = Answering(
            FakeSearcher("Every number is explained here."), FakeEmbedder(), OpenAiChat(url), PromptFiles(prompts), records, spool,
            Policy(threshold=0.0, model="small", grounding=Grounding.OFF, sentences=0, prompt="short-answer"),
        )  # fmt: skip

        async def ask(count: int) -> None:
            for number in range(count):
                ask = Ask("acme", f"What is number {number}?", collections=("manuals",))
                _ = [step async for step in answering.answer(ask, "")]

        async with background(saying.announce(line, spool, records.cleaned), name="announce"):
            await ask(160)
            assert await heard(provisioned, 160) == []
            prompt.write_text(LONG)
            await ask(200)
            alarms = await heard(provisioned, 360)
    (length,) = [alarm for alarm in alarms if alarm.signal == "answer.length"]
    digest = hashlib.sha256(LONG.encode()).hexdigest()
    assert length.open
    assert (length.causes[0].what, length.causes[0].value) == ("prompt", f"short-answer.1@{digest}")
    assert length.causes[0].score > 0.5
    assert set(length.examples)

"""What generation adds to a model server of fixed pace, grounding off: to the first token, and to the rate. Interleaved."""

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
from interleaved import percentile, report, spread

import loopline_generation
from loopline.generation.v1.generation_service_pb2 import AnswerRequest
from loopline.generation.v1.generation_service_pb2_grpc import (
    GenerationServiceStub,
    add_GenerationServiceServicer_to_server,
)
from loopline_generation.adapters.chat_openai import OpenAiChat
from loopline_generation.adapters.fakes import FakeEmbedder, FakeSearcher
from loopline_generation.adapters.prompts_files import PromptFiles
from loopline_generation.adapters.records_sql import RecordsSql
from loopline_generation.app import Answering, Policy
from loopline_generation.model import Ask, Grounding, Searched
from loopline_generation.rpc import GenerationRpc
from loopline_generation.spool import Spool
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_runtime.settings import Grpc
from loopline_testing.model_server import scripted_server, usage, word

SERVICE = "loopline.generation.v1.GenerationService"
PROMPTS = Path(loopline_generation.__file__).parent / "prompts"
TOKENS, PACE_S, REQUESTS = 100, 0.005, 100_000


async def _serve(said: Connection) -> None:
    async with scripted_server() as server:
        words = [*(word(f"word{n} ") for n in range(TOKENS)), usage(1, TOKENS), b"[DONE]"]
        server.scripts = [(200, words)] * REQUESTS
        server.pause_s = PACE_S
        said.send(server.url)
        await asyncio.Event().wait()


def serve(said: Connection) -> None:
    """In a process of its own: in ours, its pace would depend on how often our loop wakes."""
    asyncio.run(_serve(said))


@contextmanager
def paced_server() -> Iterator[str]:
    """Its address."""
    processes = multiprocessing.get_context("spawn")
    told, said = processes.Pipe(duplex=False)
    process = processes.Process(target=serve, args=(said,), daemon=True)
    process.start()
    try:
        yield told.recv()
    finally:
        process.terminate()


async def bare(server: str, http: httpx2.AsyncClient) -> tuple[float, float]:
    """The prompt straight to the server over an open client and nothing else: first token in ms, tokens/s up to the last one."""
    body = {"messages": [{"role": "user", "content": "Why?"}], "model": "m", "stream": True}
    began, first, last, count = time.perf_counter(), 0.0, 0.0, 0
    async with http.stream("POST", f"{server}/v1/chat/completions", json=body) as reply:
        async for line in reply.aiter_lines():
            if "word" in line and json.loads(line.removeprefix("data: "))["choices"]:
                last = time.perf_counter() - began
                first = first or last * 1000
                count += 1
    return first, count / last


class TimedSearcher(FakeSearcher):
    """Notes when the passages were found: from then on, all time is the prompt's and the words'."""

    found_at = 0.0

    async def search(self, ask: Ask, question: str, k: int) -> Searched:
        found = await super().search(ask, question, k)
        self.found_at = time.perf_counter()
        return found


async def ours(stub: object, searcher: TimedSearcher) -> tuple[float, float]:
    """The same through Answer: from the passages found to the Token received by the caller."""
    first, last, count = 0.0, 0.0, 0
    async for step in stub.Answer(AnswerRequest(question="Why?")):
        if step.WhichOneof("step") == "token":
            last = time.perf_counter() - searcher.found_at
            first = first or last * 1000
            count += 1
    return first, count / last


async def measure(server: str, folder: Path, rounds: int, each: int) -> None:
    policy = Policy(grounding=Grounding.OFF, sentences=0)
    async with (
        httpx2.AsyncClient() as http,
        RecordsSql.opened(f"sqlite:///{folder}/answers.db") as records,
    ):
        searcher, spool = TimedSearcher("Because it is so."), Spool(folder / "spool", 10**9)
        chat = OpenAiChat(server)
        answering = Answering(searcher, FakeEmbedder(), chat, PromptFiles(PROMPTS), records, spool, policy)
        door = Door(add_GenerationServiceServicer_to_server, GenerationRpc(answering, records), SERVICE)
        async with (
            serving(Grpc(port=0), keys=None, doors=[door]) as running,
            connect(f"127.0.0.1:{running.port}") as channel,
        ):
            stub = GenerationServiceStub(channel)
            await ours(stub, searcher)
            p50, p99, rates = [], [], []
            for _ in range(rounds):
                theirs, mine = [], []
                for _ in range(each):
                    theirs.append(await bare(server, http))
                    mine.append(await ours(stub, searcher))
                first = [[value for value, _ in side] for side in (mine, theirs)]
                p50.append(percentile(first[0], 0.5) - percentile(first[1], 0.5))
                p99.append(percentile(first[0], 0.99) - percentile(first[1], 0.99))
                rates.append(sum(rate for _, rate in mine) / sum(rate for _, rate in theirs))
    report(
        "first token, added ms, grounding off",
        "p50 <= 5, p99 <= 15; tokens/s >= 0.95",
        p50=spread(p50),
        p99=spread(p99),
        tokens_s_ratio=spread(rates),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--each", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, paced_server() as server:
        asyncio.run(measure(server, Path(folder), options.rounds, options.each))


if __name__ == "__main__":
    main()

"""Events a second through our publish and consume, against raw nats-py on the same server, in interleaved rounds.

Both sides send the same bytes, CloudEvents headers included, with the same number in flight; `together` is the time of
publishing and consuming all events, ours against theirs.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

import nats
from interleaved import report, spread
from nats.js.api import AckPolicy, ConsumerConfig

from loopline.ingestion.v1.events_pb2 import Chunk, DocumentChunked
from loopline_contracts.channels import DOCUMENT_CHUNKED, Durable
from loopline_nats.envelope import headers_of
from loopline_nats.line import Delivery, Fact, open_line
from loopline_nats.provision import apply
from loopline_runtime.settings import Nats
from loopline_testing.nats import NatsServer, nats_server

IN_FLIGHT = 16
AT_ONCE = 64
BENCH = Durable("embedding-embed", (DOCUMENT_CHUNKED,), at_once=AT_ONCE)  # type: ignore[arg-type]
BODY = DocumentChunked(chunks=[Chunk(text="word " * 200)])


async def in_flight(count: int, one: Callable[[int], Awaitable[object]]) -> float:
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await one(number)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - began)


async def ours(server: NatsServer, count: int, tag: str) -> tuple[float, float]:
    async with open_line(Nats(url=server.url), "ingestion") as line:
        published = await in_flight(
            count, lambda n: line.say(Fact(DOCUMENT_CHUNKED, BODY, f"{tag}/{n}", "acme", f"{tag}d{n}"))
        )
    async with open_line(Nats(url=server.url), "embedding") as line:
        heard, done, began = 0, asyncio.Event(), 0.0

        @line.hears(BENCH)
        async def embed(event: DocumentChunked, delivery: Delivery) -> None:
            nonlocal heard
            heard += 1
            if heard == count:
                done.set()

        began = time.perf_counter()
        await line.start()
        await done.wait()
        return published, count / (time.perf_counter() - began)


async def raw(server: NatsServer, count: int, tag: str) -> tuple[float, float]:
    client = await nats.connect(server.url)
    js = client.jetstream()

    def publish(number: int) -> Awaitable[object]:
        fact = Fact(DOCUMENT_CHUNKED, BODY, f"{tag}/{number}", "acme", f"{tag}d{number}")
        return js.publish(
            f"raw.{tag}.{number}", BODY.SerializeToString(), headers=headers_of(fact, "ingestion"), timeout=5
        )

    published = await in_flight(count, publish)
    subscription = await js.pull_subscribe_bind("raw", "RAW")
    began, heard = time.perf_counter(), 0
    while heard < count:
        for message in await subscription.fetch(AT_ONCE, timeout=5):
            DocumentChunked.FromString(message.data)
            await message.ack()
            heard += 1
    rate = count / (time.perf_counter() - began)
    await client.close()
    return published, rate


async def measure(rounds: int, count: int, sync_always: bool) -> None:
    with nats_server(sync_always=sync_always) as server:
        async with open_line(Nats(url=server.url), "operator") as line:
            await apply(line, scale=1 / 64)
            await line.jetstream.add_stream(name="RAW", subjects=["raw.>"])
            await line.jetstream.add_consumer(
                "RAW", ConsumerConfig(durable_name="raw", ack_policy=AckPolicy.EXPLICIT, max_ack_pending=4096)
            )
        publish, consume, both = [], [], []
        for number in range(rounds):
            theirs = await raw(server, count, f"r{number}")
            mine = await ours(server, count, f"o{number}")
            publish.append(mine[0] / theirs[0])
            consume.append(mine[1] / theirs[1])
            both.append((1 / theirs[0] + 1 / theirs[1]) / (1 / mine[0] + 1 / mine[1]))
    report(
        f"events/s, ours / raw nats-py, sync {'always' if sync_always else 'default'}",
        ">= 0.75" if sync_always else ">= 0.5",
        together=spread(both),
        publish=spread(publish),
        consume=spread(consume),
        concurrency=f"{IN_FLIGHT} publishers, {AT_ONCE} handlers",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=4000)
    options = parser.parse_args()
    for always in (False, True):
        count = options.count // 4 if always else options.count
        asyncio.run(measure(options.rounds, count, always))


if __name__ == "__main__":
    main()

"""Facts in the order of the stream, each once, from a place the reader keeps: in spite of a bus that dies."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from loopline.monitoring.v1.events_pb2 import PredictionServed
from loopline_contracts.channels import MONITORING_PREDICTIONS, PREDICTION_SERVED
from loopline_nats.line import Fact, Line, open_line
from loopline_nats.provision import apply
from loopline_nats.reading import Batch, reads
from loopline_testing.fixtures import SCALE, bus_settings
from loopline_testing.nats import NatsServer


async def say(line: Line, *names: str) -> None:
    for name in names:
        await line.say(Fact(PREDICTION_SERVED, PredictionServed(prediction_id=name), name, "acme"))


async def read(batches: AsyncGenerator[Batch, None], count: int) -> tuple[list[str], int]:
    """The next so many facts, and the place after them."""
    found: list[str] = []
    async with asyncio.timeout(20):
        async for batch in batches:
            found += [delivery.id for _, delivery in batch.facts]
            if len(found) >= count:
                return found, batch.last
    raise AssertionError("it ended")


async def test_reading_goes_on_after_the_place_that_was_kept(provisioned: NatsServer):
    async with open_line(bus_settings(provisioned), "monitoring") as line:
        await say(line, "a", "b", "c")
        found, place = await read(reads(MONITORING_PREDICTIONS, line, 0), 3)
        await say(line, "d", "e")
        assert found == ["a", "b", "c"]
        assert (await read(reads(MONITORING_PREDICTIONS, line, place), 2))[0] == ["d", "e"]


async def test_what_is_said_while_it_reads_comes_and_silence_says_that_it_caught_up(provisioned: NatsServer):
    async with open_line(bus_settings(provisioned), "monitoring") as line:
        batches = reads(MONITORING_PREDICTIONS, line, 0)
        silence = await anext(batches)
        assert (list(silence.facts), silence.last, silence.caught_up) == ([], 0, True)
        await say(line, "a")
        assert (await read(batches, 1))[0] == ["a"]
        await batches.aclose()


async def test_messages_that_are_no_facts_are_counted_and_passed(provisioned: NatsServer):
    async with open_line(bus_settings(provisioned), "monitoring") as line:
        await line.publish(PREDICTION_SERVED.of("acme"), b"\xff\xff", {}, stream="MONITORING")
        await say(line, "a")
        batch = await anext(reads(MONITORING_PREDICTIONS, line, 0))
        assert ([d.id for _, d in batch.facts], batch.unreadable, batch.last) == (["a"], 1, 2)


async def test_a_bus_that_is_killed_loses_and_doubles_nothing(provisioned: NatsServer):
    async with open_line(bus_settings(provisioned), "monitoring") as line:
        await say(line, *(f"before-{number}" for number in range(20)))
        batches = reads(MONITORING_PREDICTIONS, line, 0)
        found, _ = await read(batches, 20)
        provisioned.kill()
        await asyncio.sleep(0.5)
        provisioned.start()
        async with open_line(bus_settings(provisioned), "monitoring") as other:
            await say(other, *(f"after-{number}" for number in range(20)))
        more, _ = await read(batches, 20)
        assert found + more == [f"{when}-{number}" for when in ("before", "after") for number in range(20)]
        await batches.aclose()


async def test_a_stream_that_was_made_anew_is_read_from_its_beginning(provisioned: NatsServer):
    async with open_line(bus_settings(provisioned), "monitoring") as line:
        await say(line, "a", "b")
        await line.jetstream.delete_stream("MONITORING")
        await apply(line, scale=SCALE)
        await say(line, "x")
        assert (await read(reads(MONITORING_PREDICTIONS, line, 2), 1))[0] == ["x"]


async def test_a_period_is_read_and_ends(provisioned: NatsServer):
    async with open_line(bus_settings(provisioned), "monitoring") as line:
        await say(line, "before")
        await asyncio.sleep(0.05)
        began = datetime.now(UTC)
        await say(line, "in", "too")
        await asyncio.sleep(0.05)
        ended = datetime.now(UTC)
        await say(line, "after")
        batches = reads(MONITORING_PREDICTIONS, line, 0, since=began, until=ended)
        assert [delivery.id async for batch in batches for _, delivery in batch.facts] == ["in", "too"]

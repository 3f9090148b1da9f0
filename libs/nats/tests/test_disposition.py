"""How each ending of a handler is settled."""

import asyncio

import pytest

from loopline.ingestion.v1.events_pb2 import DocumentAccepted
from loopline_contracts.channels import DOCUMENT_ACCEPTED, INGESTION_EXTRACT, Durable
from loopline_nats import disposition, fetching
from loopline_nats.dead_letters import DeadLetter, DeadLetters
from loopline_nats.line import Delivery, Fact, Line, open_line
from loopline_runtime.errors import Unavailable
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer

FACT = Fact(DOCUMENT_ACCEPTED, DocumentAccepted(document_id="d1"), "d1/v1", "acme", "d1")


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disposition, "BACKOFF_S", (0.05, 0.05))


async def letters(line: Line, within_s: float = 5.0) -> list[DeadLetter]:
    for _ in range(int(within_s / 0.05)):
        if found := [letter async for letter in DeadLetters(line).list()]:
            return found
        await asyncio.sleep(0.05)
    return []


async def test_a_bug_is_tried_five_times_then_buried_with_its_name(provisioned: NatsServer, line: Line):
    tries = 0
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            nonlocal tries
            tries += 1
            raise KeyError("oops")

        await ingestion.start()
        await ingestion.say(FACT)
        found = await letters(line)
    assert tries == disposition.BUG_TRIES
    assert [(letter.reason, letter.event_id) for letter in found] == [("KeyError", "d1/v1")]


async def test_an_outage_longer_than_all_backoffs_buries_nothing(
    provisioned: NatsServer, line: Line, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fetching, "PARK_S", (0.05,))
    longer_than_any_bound = 3 * disposition.DEATHS
    tries, done = 0, asyncio.Event()
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            nonlocal tries
            tries += 1
            if tries <= longer_than_any_bound:
                raise Unavailable("the model is down")
            done.set()

        await ingestion.start()
        await ingestion.say(FACT)
        await asyncio.wait_for(done.wait(), 30)
    assert await letters(line, within_s=0.1) == []


async def test_a_message_that_kills_its_handler_is_buried_before_it_kills_again(provisioned: NatsServer, line: Line):
    await line.publish(FACT.subject, FACT.body, {"ce-id": FACT.id}, stream="INGESTION")
    subscription = await line.jetstream.pull_subscribe_bind(INGESTION_EXTRACT.name, "INGESTION")
    for _ in range(disposition.DEATHS):  # each death: delivered, and nothing noted; the nak only saves the wait
        await (await subscription.fetch(1))[0].nak()
    called = False
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            nonlocal called
            called = True

        await ingestion.start()
        found = await letters(line)
    assert [letter.reason for letter in found] == ["HANDLER_DIED"]
    assert not called


async def test_without_a_dead_letter_stream_nothing_is_lost(provisioned: NatsServer, line: Line):
    await line.jetstream.delete_stream("DEAD_LETTER")
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            raise disposition.Rejected("never")

        await ingestion.start()
        await ingestion.say(FACT)
        await asyncio.sleep(0.4)
        info = await line.jetstream.consumer_info("INGESTION", INGESTION_EXTRACT.name)
        assert info.num_ack_pending == 1


async def test_long_work_keeps_its_message_alive(provisioned: NatsServer, line: Line):
    hasty = Durable(INGESTION_EXTRACT.name, INGESTION_EXTRACT.hears, at_once=2, ack_wait_s=0.6)
    info = await line.jetstream.consumer_info("INGESTION", hasty.name)
    info.config.ack_wait = hasty.ack_wait_s
    await line.jetstream.add_consumer("INGESTION", info.config)
    calls = 0
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(hasty)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            nonlocal calls
            calls += 1
            await asyncio.sleep(2)

        await ingestion.start()
        await ingestion.say(FACT)
        await asyncio.sleep(2.5)
    assert calls == 1

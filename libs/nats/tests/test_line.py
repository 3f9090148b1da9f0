"""The line over a real nats-server: what is said is heard, once, in spite of everything."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from loopline.ingestion.v1.events_pb2 import Chunk, DocumentAccepted, DocumentChunked
from loopline_contracts.channels import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    EMBEDDING_EMBED,
    INGESTION_EXTRACT,
    INGESTION_FAILURES,
)
from loopline_nats.dead_letters import DeadLetters
from loopline_nats.line import Delivery, Fact, Line, open_line
from loopline_nats.provision import apply
from loopline_runtime.errors import Aborted, Invalid, Unavailable
from loopline_testing.fixtures import SCALE, bus_settings
from loopline_testing.nats import NatsServer


def accepted(document: str = "d1", version: str = "v1", identity: str = "") -> Fact[DocumentAccepted]:
    body = DocumentAccepted(document_id=document, collection="default", source=document, version=version)
    return Fact(DOCUMENT_ACCEPTED, body, identity or f"{document}/{version}", "acme", document)


async def until(condition, within_s: float = 10.0) -> None:
    for _ in range(int(within_s / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("did not come true in time")


async def test_a_fact_becomes_facts_and_is_acknowledged_after_them(provisioned: NatsServer, line: Line):
    heard: list[tuple[DocumentChunked, Delivery]] = []
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> AsyncIterator[Fact[DocumentChunked]]:
            for number in range(2):
                body = DocumentChunked(chunks=[Chunk(text=event.source)])
                yield Fact(DOCUMENT_CHUNKED, body, f"{delivery.revision}/{number}", delivery.tenant, delivery.document)

        @ingestion.hears(EMBEDDING_EMBED)
        async def collect(event: DocumentChunked, delivery: Delivery) -> None:
            heard.append((event, delivery))

        await ingestion.start()
        sequence = await ingestion.say(accepted())
        await until(lambda: len(heard) == 2)
        assert [delivery.id for _, delivery in heard] == [f"{sequence}/0", f"{sequence}/1"]
        assert heard[0][1].headers["ce-causationid"] == "d1/v1"
        assert heard[0][1].headers["ce-type"] == "loopline.ingestion.v1.DocumentChunked"
        await asyncio.sleep(0.1)
        info = await line.jetstream.consumer_info("INGESTION", "ingestion-extract")
        assert (info.num_pending, info.num_ack_pending) == (0, 0)


async def test_the_same_id_is_stored_once(provisioned: NatsServer):
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:
        assert await ingestion.say(accepted()) == await ingestion.say(accepted())


async def test_of_two_who_change_a_document_one_is_told_that_it_lost(provisioned: NatsServer):
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:
        assert await ingestion.last_of("acme", "d1") is None
        first = await ingestion.say(accepted(version="a"), after=0)
        with pytest.raises(Aborted):
            await ingestion.say(accepted(version="b"), after=0)
        assert await ingestion.say(accepted(version="b"), after=first) == first + 1
        last = await ingestion.last_of("acme", "d1")
        assert last
        assert isinstance(last.event, DocumentAccepted)
        assert (last.event.version, last.delivery.revision) == ("b", first + 1)


async def test_what_is_rejected_lies_in_the_dead_letters_and_comes_back_to_its_durable_alone(
    provisioned: NatsServer, line: Line
):
    seen: list[tuple[str, int, str]] = []
    failed: list[Delivery] = []
    broken = True
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            if broken:
                raise Invalid("no such format", reason="UNSUPPORTED")
            seen.append((event.document_id, delivery.revision, delivery.replay_suffix))

        @ingestion.hears(INGESTION_FAILURES)
        async def failures(event: None, delivery: Delivery) -> None:
            failed.append(delivery)

        await ingestion.start()
        revision = await ingestion.say(accepted())
        await until(lambda: failed)
        assert failed[0].headers["loopline-reason"] == "UNSUPPORTED"
        assert failed[0].headers["ce-subject"] == "d1"
        letters = [letter async for letter in DeadLetters(line).list()]
        assert [(x.durable, x.error, x.revision) for x in letters] == [
            ("ingestion-extract", "no such format", revision)
        ]
        broken = False
        await DeadLetters(line).replay(letters[0].sequence)
        await until(lambda: seen)
        assert seen == [("d1", revision, f"/replay/{letters[0].sequence}")]
        assert [letter async for letter in DeadLetters(line).list()] == []
        last = await ingestion.last_of("acme", "d1")
        assert last
        assert last.delivery.sequence == revision


async def test_unreadable_bytes_are_buried_and_harm_nothing_else(provisioned: NatsServer, line: Line):
    seen: list[str] = []
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            seen.append(event.document_id)

        await ingestion.start()
        await line.publish(DOCUMENT_ACCEPTED.of("acme", "poison"), b"\xff\xff\xff", {}, stream="INGESTION")
        await ingestion.say(accepted("good"))
        await until(lambda: seen == ["good"])
        letters: list[str] = []
        while not letters:
            letters = [letter.reason async for letter in DeadLetters(line).list()]
        assert letters == ["UNREADABLE"]


async def test_while_a_dependency_is_down_its_durable_parks_and_buries_nothing(provisioned: NatsServer, line: Line):
    up, seen, probes = False, [], []
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        async def probe() -> None:
            probes.append(1)
            if not up:
                raise Unavailable("the model is down")

        @ingestion.hears(INGESTION_EXTRACT, probe=probe)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            if not up:
                raise Unavailable("the model is down")
            seen.append(event.document_id)

        await ingestion.start()
        more_than_hands = INGESTION_EXTRACT.at_once + 4
        for number in range(more_than_hands):
            await ingestion.say(accepted(f"d{number}"))
        await until(lambda: ingestion.parked() == ["ingestion-extract"])
        info = await line.jetstream.consumer_info("INGESTION", "ingestion-extract")
        assert info.num_pending >= 4 - 2
        await until(lambda: probes)
        up = True
        await until(lambda: len(set(seen)) == more_than_hands, within_s=20)
        assert [letter async for letter in DeadLetters(line).list()] == []


async def test_a_slow_message_holds_back_no_other(provisioned: NatsServer):
    done: list[str] = []
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            await asyncio.sleep(2 if event.document_id == "slow" else 0.01)
            done.append(event.document_id)

        await ingestion.start()
        for name in ("slow", *(f"d{n}" for n in range(20))):
            await ingestion.say(accepted(name))
        await until(lambda: len(done) == 20)
        assert "slow" not in done
        await until(lambda: "slow" in done)


async def test_a_killed_server_that_comes_back_is_listened_to_again(provisioned: NatsServer):
    seen: list[str] = []
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            seen.append(event.document_id)

        await ingestion.start()
        await ingestion.say(accepted("before"))
        await until(lambda: seen == ["before"])
        provisioned.kill()
        provisioned.start()
        async with open_line(bus_settings(provisioned), "ingestion") as other:
            await other.say(accepted("after"))
        await until(lambda: "after" in seen, within_s=10)


async def test_stopping_finishes_what_is_in_work(provisioned: NatsServer, line: Line):
    done: list[str] = []
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            done.append("began")
            await asyncio.sleep(0.5)
            done.append("ended")

        await ingestion.start()
        await ingestion.say(accepted())
        await until(lambda: done)
    assert done == ["began", "ended"]
    await asyncio.sleep(0.1)
    info = await line.jetstream.consumer_info("INGESTION", "ingestion-extract")
    assert info.num_ack_pending == 0


async def test_a_fetch_loop_that_hangs_is_started_anew(provisioned: NatsServer):
    seen: list[str] = []
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            seen.append(event.document_id)

        await ingestion.start()
        (loop,) = ingestion._loops
        for task in loop.tasks:
            task.cancel()  # as if it hung: nobody asks the server any more
        loop._last_fetch -= 1000
        assert ingestion.ailment() == "fetch loops hang: ingestion-extract"
        await ingestion.say(accepted())
        await until(lambda: seen == ["d1"])
        assert ingestion.ailment() == ""
        assert ingestion.ages()["ingestion-extract"] < 3


async def test_a_durable_that_is_gone_is_asked_for_calmly_and_heard_when_it_is_back(
    provisioned: NatsServer, line: Line
):
    seen: list[str] = []
    async with open_line(bus_settings(provisioned), "ingestion") as ingestion:

        @ingestion.hears(INGESTION_EXTRACT)
        async def extract(event: DocumentAccepted, delivery: Delivery) -> None:
            seen.append(event.document_id)

        await ingestion.start()
        await line.jetstream.delete_consumer("INGESTION", INGESTION_EXTRACT.name)
        before = ingestion.nats.stats["out_msgs"]
        await asyncio.sleep(1.5)
        assert ingestion.nats.stats["out_msgs"] - before < 10
        await apply(line, scale=SCALE)
        await ingestion.say(accepted())
        await until(lambda: seen == ["d1"])

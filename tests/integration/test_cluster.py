"""Three servers, every stream three times: leaders die or step down in the middle of work, and nothing is lost or there twice."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from nats.errors import Error as NatsError

from loopline_contracts.channels import DURABLES
from loopline_contracts.streams import STREAMS
from loopline_ingestion.model import State
from loopline_nats.dead_letters import DeadLetters
from loopline_nats.line import Line, open_line
from loopline_nats.provision import apply
from loopline_retrieval.model import Space
from loopline_runtime.errors import LooplineError
from loopline_runtime.settings import Nats
from loopline_testing.fixtures import SCALE
from loopline_testing.nats import NatsCluster, nats_cluster

DOCUMENTS = 200


@pytest.fixture
async def cluster() -> AsyncIterator[tuple[NatsCluster, Line]]:
    with nats_cluster() as servers:
        async with open_line(Nats(url=servers.url), "operator") as line, asyncio.timeout(60):
            while True:
                try:
                    await apply(line, replicas=3, scale=SCALE)
                    break
                except LooplineError:  # no leader yet
                    await asyncio.sleep(0.2)
            yield servers, line


async def step_down(line: Line) -> None:
    """The leaders of streams and durables give up, one after the other, without end."""
    led = [*(f"STREAM.LEADER.STEPDOWN.{stream.name}" for stream in STREAMS)]
    led += [f"CONSUMER.LEADER.STEPDOWN.{durable.stream}.{durable.name}" for durable in DURABLES]
    for what in itertools.cycle(led):
        with suppress(NatsError, TimeoutError):
            await line.nats.request(f"$JS.API.{what}", b"", timeout=1)
        await asyncio.sleep(0.1)


async def kill_the_leader(servers: NatsCluster, line: Line) -> None:
    await asyncio.sleep(1)
    leader = (await line.jetstream.stream_info("INGESTION")).cluster.leader
    servers.servers[leader].kill()
    await asyncio.sleep(4)
    servers.servers[leader].start()


@pytest.mark.timeout(240)
async def test_a_dead_leader_and_leaders_that_step_down_lose_nothing_and_double_nothing(cluster, open_whole, tmp_path):
    servers, line = cluster
    async with open_whole(Nats(url=servers.url, fetch_s=1.0, publish_timeout_s=3.0), tmp_path) as whole:
        limit = asyncio.Semaphore(8)

        async def submit(number: int) -> str:
            async with limit:
                text = f"report {number} speaks of {number * 7} crates"
                return (await whole.submit_in_spite(f"report-{number}.txt", text.encode())).document_id

        numbers = range(DOCUMENTS)
        ids, _ = await asyncio.gather(asyncio.gather(*map(submit, numbers)), kill_the_leader(servers, line))
        stepping = asyncio.create_task(step_down(line))
        await asyncio.gather(*(submit(number) for number in range(0, DOCUMENTS, 4)))  # once more: all known already
        await asyncio.sleep(3)
        stepping.cancel()
        assert len(set(ids)) == DOCUMENTS
        async with asyncio.timeout(120):
            while (states := Counter([(await whole.documents.get("acme", one)).state for one in ids])).keys() != {
                State.INDEXED
            }:
                await asyncio.sleep(0.5)
        assert states == {State.INDEXED: DOCUMENTS}
        space = Space("acme", "default", "v1")
        held = [one async for one in whole.store.held(space)]
        assert len(held) == DOCUMENTS
        assert {(one.chunks, one.answers) for one in held} == {(1, True)}
        assert [letter async for letter in DeadLetters(line).list()] == []

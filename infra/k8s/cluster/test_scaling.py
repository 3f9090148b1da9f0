"""Each service scales alone: on what waits for it, on the calls it answers, and back."""

import asyncio
import time

import pytest

from loopline_contracts.channels import DEAD_LETTER, DURABLES, Durable
from loopline_k8s.control_plane import ControlPlane, until
from loopline_k8s.manifests import Object, named
from loopline_k8s.scaling import SCALED, ready, watching
from loopline_nats.line import open_line
from loopline_runtime.settings import Nats
from loopline_testing.nats import NatsServer

# Replicas that a backlog asks for: more than the minimum, within the first fifteen seconds' pace.
WANTED = 6
OWN = [durable for durable in DURABLES if durable.hearer in SCALED]


def threshold(manifests: list[Object], durable: Durable) -> int:
    triggers = named(manifests, "ScaledObject", f"loopline-{durable.hearer}")["spec"]["triggers"]
    (found,) = (one["metadata"] for one in triggers if one["metadata"].get("consumer") == durable.name)
    return int(found["lagThreshold"])


async def heap(bus: NatsServer, durable: Durable, messages: int) -> None:
    """A backlog for this durable alone."""
    subject = f"{DEAD_LETTER if durable.dead_letters else durable.replay_subject}.test"
    async with open_line(Nats(url=bus.url, connect_s=10), "operator") as line:
        for begin in range(0, messages, 200):
            batch = range(begin, min(begin + 200, messages))
            stamp = time.time_ns()
            await asyncio.gather(
                *(
                    line.publish(
                        subject,
                        b"",
                        {"Nats-Msg-Id": f"{stamp}/{number}"},
                        stream=durable.stream,
                    )
                    for number in batch
                )
            )


async def drain(bus: NatsServer, durable: Durable) -> None:
    """Somebody finishes all of it."""
    async with open_line(Nats(url=bus.url, connect_s=10), "operator") as line:
        pull = await line.jetstream.pull_subscribe_bind(durable.name, durable.stream)
        while (await pull.consumer_info()).num_pending:
            for message in await pull.fetch(200, timeout=5):
                await message.ack_sync()


@pytest.mark.parametrize("durable", OWN, ids=lambda durable: durable.name)
def test_a_backlog_brings_replicas_to_its_service_and_to_no_other(
    running: ControlPlane, bus: NatsServer, manifests: list[Object], durable: Durable
):
    service, others = durable.hearer, set(SCALED) - {durable.hearer}
    until("all are at rest", lambda: set(ready(running).values()) <= {3, 1})
    with watching(running) as watch:
        asyncio.run(heap(bus, durable, WANTED * threshold(manifests, durable)))
        took = until(f"{WANTED} of {service}", lambda: ready(running)[service] >= WANTED)
        asyncio.run(drain(bus, durable))
        back = until(f"{service} is back", lambda: ready(running)[service] == 3)
    print(f"\n{durable.name}: {WANTED} ready {took:.1f} s after the backlog, 3 again {back:.1f} s after it was gone")
    assert watch.most(service) == WANTED
    assert {other: (watch.fewest(other), watch.most(other)) for other in others} == dict.fromkeys(others, (3, 3))
    assert watch.fewest(service) >= 3
    assert watch.fewest("monitoring") == watch.most("monitoring") == 1

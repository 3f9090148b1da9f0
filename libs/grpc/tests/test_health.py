"""Health by service name."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from loopline_grpc.health import ALIVE, Health, checking
from loopline_grpc.server import serving
from loopline_runtime.errors import Unavailable
from loopline_runtime.settings import Grpc

NAME = "loopline.embedding.v1.EmbeddingService"
OTHER = "loopline.generation.v1.GenerationService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NO_CONTEXT: Any = None
health_stub: Any = health_pb2_grpc.HealthStub
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Dependency:
    def __init__(self) -> None:
        self.up = False

    async def check(self) -> None:
        if not self.up:
            raise Unavailable("the model is still loading")


async def test_a_door_serves_when_what_it_needs_answers(build: Any) -> None:
    dependency = Dependency()
    house = await build(ready={NAME: dependency.check})
    async with grpc.aio.insecure_channel(house.target) as channel:
        stub = health_stub(channel)

        async def of(name: str) -> Any:
            return (await stub.Check(health_pb2.HealthCheckRequest(service=name))).status

        assert [await of(name) for name in (NAME, OTHER, "")] == [NOT_SERVING, SERVING, NOT_SERVING]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await of("nobody")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_follows_its_checks_up_and_down(until: Any) -> None:
    dependency = Dependency()
    health = Health([NAME, OTHER], [NAME])
    statuses: list[str] = []

    async def watch() -> None:
        async for told in health.Watch(health_pb2.HealthCheckRequest(service=""), NO_CONTEXT):
            statuses.append(health_pb2.HealthCheckResponse.ServingStatus.Name(told.status))

    watching = asyncio.create_task(watch())
    async with checking(health, {NAME: dependency.check}, every_s=0.01):
        await until(lambda: statuses == ["NOT_SERVING"])
        dependency.up = True
        await until(lambda: statuses[-1] == "SERVING")
        dependency.up = False
        await until(lambda: statuses[-1] == "NOT_SERVING")
    health.stop()
    await asyncio.wait_for(watching, 1)
    assert statuses == ["NOT_SERVING", "SERVING", "NOT_SERVING"]


async def test_it_is_alive_while_a_restart_would_mend_nothing() -> None:
    ailment = ""
    health = Health([NAME], [NAME], lambda: ailment)

    async def alive() -> int:
        status: int = (await health.Check(health_pb2.HealthCheckRequest(service=ALIVE), NO_CONTEXT)).status
        return status

    assert await alive() == SERVING, "what it needs is away"
    health.stop()
    assert await alive() == SERVING, "it ends by itself"
    ailment = "the fetch loop is overdue"
    assert await alive() == NOT_SERVING


async def test_a_check_that_hangs_or_has_a_bug_is_a_door_that_does_not_serve(until: Any) -> None:
    asked = {"hangs": 0, "bug": 0}

    async def hangs() -> None:
        asked["hangs"] += 1
        await asyncio.sleep(60)

    async def bug() -> None:
        asked["bug"] += 1
        raise ValueError

    health = Health([], ["a", "b"])
    async with checking(health, {"a": hangs, "b": bug}, every_s=0.01, timeout_s=0.02):
        await until(lambda: min(asked.values()) > 2)
        for name in ("a", "b"):
            reply = await health.Check(health_pb2.HealthCheckRequest(service=name), NO_CONTEXT)
            assert reply.status == NOT_SERVING


async def test_a_watcher_hears_of_the_stop_and_does_not_hold_it_up(build: Any) -> None:
    house = await build()
    began = asyncio.get_running_loop().time()
    async with serving(Grpc(port=0, grace_s=10), keys=None, doors=house.doors()) as server:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
        watching = health_stub(channel).Watch(health_pb2.HealthCheckRequest(service=NAME))
        assert (await watching.read()).status == SERVING
        last = asyncio.create_task(watching.read())
        await asyncio.sleep(0)
    assert (await last).status == NOT_SERVING
    await channel.close()
    assert asyncio.get_running_loop().time() - began < 3


async def test_a_port_that_is_taken_is_named(house: Any) -> None:
    with pytest.raises(Unavailable, match=f"GRPC__PORT {house.server.port} on 127.0.0.1"):
        async with serving(Grpc(port=house.server.port), keys=None, doors=house.doors()):
            pass

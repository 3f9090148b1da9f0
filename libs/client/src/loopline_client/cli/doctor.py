"""`loopline doctor`: what is wrong, and what to do."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import typer

from loopline_client.cli.output import AsJson, as_json, run, say
from loopline_client.settings import ClientSettings, Profile
from loopline_runtime.errors import LooplineError
from loopline_runtime.tls import Tls

LOW_DISK_GB = 2.0
LAG_WORTH_TELLING = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `do`: what to do about it."""

    what: str
    good: bool
    told: str
    do: str = ""


def doctor(json_: AsJson = False) -> None:
    """Look at everything and say what is wrong and what to do; exit status 1 when something is."""

    async def work() -> list[Finding]:
        return [finding async for finding in _findings()]

    found = run(work())
    if json_:
        as_json(found)
    else:
        for finding in found:
            mark = "ok  " if finding.good else "BAD "
            advice = f"   -> {finding.do}" if finding.do and not finding.good else ""
            say(f"{mark} {finding.what:<22} {finding.told}{advice}", None if finding.good else "red")
    if not all(finding.good for finding in found):
        raise typer.Exit(1)


async def _findings() -> AsyncIterator[Finding]:
    settings = ClientSettings()
    free = shutil.disk_usage(settings.home if settings.home.exists() else "/").free / 1e9
    yield Finding("disk", free > LOW_DISK_GB, f"{free:.0f} GB free", "make room: a full disk stops the bus")
    try:
        profile = settings.profile()
    except LooplineError as error:
        yield Finding("line", False, str(error), "loopline up")
        return
    yield Finding("line", True, f"{len(profile.targets)} services known from {settings.profile_path}")
    for name, target in sorted(profile.targets.items()):
        yield await _service(name, target, profile.tls)
    yield await _key(profile)
    if not profile.nats_url:
        yield Finding("bus", False, "its address is not known", "set LOOPLINE_NATS_URL")
        return
    async for finding in _bus():
        yield finding


async def _service(name: str, target: str, tls: Tls) -> Finding:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    from loopline_grpc.certificates import of_caller

    stub: Any = health_pb2_grpc.HealthStub
    opened = grpc.aio.secure_channel(target, of_caller(tls)) if tls.used else grpc.aio.insecure_channel(target)
    async with opened as channel:
        try:
            reply = await stub(channel).Check(health_pb2.HealthCheckRequest(), timeout=3)
        except grpc.aio.AioRpcError as error:
            told = f"{target} does not answer ({error.code().name})"
            return Finding(
                name, False, told, f"look at the end of logs/{name}.log; `loopline up` restarts a local line"
            )
    state = health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)
    return Finding(name, state == "SERVING", f"{state} at {target}", f"look at the end of logs/{name}.log")


async def _key(profile: Profile) -> Finding:
    from loopline_client.library import Loopline

    try:
        async with Loopline(profile, timeout_s=5) as line:
            found = await line.collections()
    except LooplineError as error:
        return Finding("key", False, str(error), "set LOOPLINE_KEY; `loopline keys add NAME` makes one")
    return Finding("key", True, f"accepted; {len(found)} collections")


async def _bus() -> AsyncIterator[Finding]:
    from loopline_client.library import Loopline
    from loopline_contracts.channels import DEAD_LETTER_STREAM, DURABLES
    from loopline_nats.provision import plan

    async with Loopline.local() as line:
        try:
            bus = await line.bus()
            missing = [d for d in await plan(bus) if d.action != "keep"]
            dead = (await bus.jetstream.stream_info(DEAD_LETTER_STREAM)).state.messages
            lags = {}
            for durable in DURABLES:
                info = await bus.jetstream.consumer_info(durable.stream, durable.name)
                lags[durable.name] = (info.num_pending or 0) + (info.num_ack_pending or 0)
        except LooplineError as error:
            yield Finding("bus", False, str(error), "is nats-server running? look at logs/nats.log")
            return
    yield Finding(
        "bus",
        not missing,
        f"{len(missing)} things are not provisioned" if missing else "provisioned",
        "loopline streams apply",
    )
    yield Finding("dead letters", not dead, f"{dead} wait" if dead else "none", "loopline dead-letters list")
    worst = max(lags, key=lambda name: lags[name])
    told = f"{worst} has {lags[worst]} messages before it" if lags[worst] else "nothing waits"
    yield Finding("lag", lags[worst] < LAG_WORTH_TELLING, told, f"is {worst.split('-')[0]} running, and fast enough?")

"""The door of a service.

async with serving(settings.grpc, keys=keys, doors=[Door(add_XServicer_to_server, rpc, "loopline.x.v1.XService")],
                   ready={"loopline.x.v1.XService": app.ready}) as server:
    log.info("open", port=server.port)
    await until_stopped()
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from loopline_grpc.access import demand_keys_beyond_loopback
from loopline_grpc.bounds import Bounds
from loopline_grpc.certificates import of_door
from loopline_grpc.health import Health, ReadyCheck, checking
from loopline_grpc.measures import at_rest
from loopline_grpc.methods import methods_of
from loopline_grpc.wrapping import Wrapping
from loopline_runtime.access import Keys
from loopline_runtime.errors import Unavailable
from loopline_runtime.metrics_door import LivenessCheck
from loopline_runtime.settings import Grpc
from loopline_runtime.tls import Tls

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

# After the grace, cancelled calls get this long for their last words.
_LAST_WORDS_S = 3.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Door:
    """A servicer with the generated function that adds it, and the proto service's full name."""

    add: Callable[[Any, Any], None]
    servicer: object
    name: str


@dataclass(frozen=True)
class Serving:
    """A server that is open."""

    # The bound one when the setting says 0.
    port: int
    health: Health


@asynccontextmanager
async def serving(
    settings: Grpc,
    *,
    keys: Keys | None,
    doors: Sequence[Door],
    ready: Mapping[str, ReadyCheck] | None = None,
    ailment: LivenessCheck = str,
) -> AsyncIterator[Serving]:
    """Serves the doors until the block ends: then NOT_SERVING, no new calls, those under way have `grace_s` to end.

    `keys` None means open access: everybody is the tenant `local`, and Invalid is raised for a host beyond loopback.
    `ready` checks raise while a service cannot work; they are asked every two seconds. `ailment` says why this process
    must be started again, or "": health calls it `alive`. Unavailable when the port cannot be had.
    """
    demand_keys_beyond_loopback(settings.host, keys)
    names = [door.name for door in doors]
    _demand_rights(names)
    for name in names:
        at_rest(methods_of(name).values())
    checks = dict(ready or {})
    health = Health(names, checks, ailment)
    wrapping = Wrapping(keys, Bounds(settings.at_once, settings.at_once_per_tenant), settings.default_deadline_s)
    server = grpc.aio.server(interceptors=[wrapping], options=_options(settings))
    of_health = Door(health_pb2_grpc.add_HealthServicer_to_server, health, HEALTH)
    for door in (*doors, of_health):
        door.add(door.servicer, server)
    reflect: Callable[..., None] = reflection.enable_server_reflection
    reflect([*names, HEALTH, reflection.SERVICE_NAME], server)
    port = _bind(server, "GRPC__PORT", settings.host, settings.port, settings.tls)
    await server.start()
    log.info(
        "door open",
        host=settings.host,
        port=port,
        services=names,
        access="keys" if keys else "open",
        tls=settings.tls.used,
    )
    try:
        async with _plain(settings, of_health), checking(health, checks):
            yield Serving(port=port, health=health)
    finally:
        health.stop()
        await server.stop(settings.grace_s)
        if wrapping.tasks:
            await asyncio.wait(wrapping.tasks, timeout=_LAST_WORDS_S)
        log.info("door closed", port=port)


@asynccontextmanager
async def _plain(settings: Grpc, of_health: Door) -> AsyncIterator[None]:
    """Says on a port of its own, to whoever asks, whether we serve, and nothing else."""
    if not settings.health_port:
        yield
        return
    server = grpc.aio.server(options=_options(settings))
    of_health.add(of_health.servicer, server)
    _bind(server, "GRPC__HEALTH_PORT", settings.host, settings.health_port, Tls())
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


def _bind(server: grpc.aio.Server, setting: str, host: str, port: int, tls: Tls) -> int:
    where = f"[{host}]:{port}" if ":" in host.strip("[]") else f"{host}:{port}"
    credentials = of_door(tls) if tls.used else None
    try:
        return server.add_secure_port(where, credentials) if credentials else server.add_insecure_port(where)
    except RuntimeError as error:
        raise Unavailable(f"{setting} {port} on {host} cannot be opened: it is taken") from error


def _demand_rights(services: Sequence[str]) -> None:
    for service in services:
        methods = methods_of(service)
        if not methods:
            raise ValueError(f"no imported proto knows the service {service}")
        for path, method in methods.items():
            if method.right is None:
                raise ValueError(f"{path} does not state its right")


def _options(settings: Grpc) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # Two processes on one port would share its callers at random; the second must fail.
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        # Callers look for new replicas from time to time; calls under way are not cut.
        ("grpc.max_connection_age_ms", 600_000),
    ]

"""One control plane with KEDA for all stories, and a real bus with the platform's own provisioning."""

import asyncio
import importlib
from collections.abc import Iterator

import pytest

from loopline_grpc.measures import at_rest
from loopline_grpc.methods import methods_of
from loopline_k8s.control_plane import ControlPlane, control_plane, until
from loopline_k8s.keda import conditions, keda
from loopline_k8s.manifests import Object, of_kind, overlay
from loopline_k8s.scaling import SCALED, as_tested, own_address, ready, secrets_for
from loopline_nats.line import open_line
from loopline_nats.provisioning import provision
from loopline_nats.settings import Provision
from loopline_runtime.metrics_door import Liveness, metrics_door
from loopline_runtime.settings import Nats
from loopline_testing.nats import NatsServer, free_port

SCALE = 1 / 256
NODES = 4


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With the custom resources' definitions and KEDA, and nothing of ours."""
    with control_plane(tmp_path_factory.mktemp("plane"), NODES) as plane, keda(plane):
        yield plane


@pytest.fixture(scope="session")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """With a monitoring port, and everything that provisioning makes."""
    server = NatsServer(tmp_path_factory.mktemp("nats"), monitor_port=free_port())
    server.start()

    async def lay_out() -> None:
        async with open_line(Nats(url=server.url, connect_s=10), "operator") as line:
            await provision(line, Provision(scale=SCALE))

    asyncio.run(lay_out())
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def figures() -> Iterator[int]:
    """The metrics page of this process, in the place of the pods'."""
    with metrics_door(own_address(), 0, Liveness()) as port:
        yield port


@pytest.fixture(scope="session")
def manifests(bus: NatsServer, figures: int) -> list[Object]:
    """The base at a test's pace."""
    return as_tested(overlay("cpu"), monitor=f"127.0.0.1:{bus.monitor_port}", figures=figures)


@pytest.fixture(scope="session")
def running(plane: ControlPlane, manifests: list[Object]) -> ControlPlane:
    """All of it, at rest: every service at its minimum, every trigger read."""
    for service in SCALED:
        importlib.import_module(f"loopline.{service}.v1.{service}_service_pb2")
        at_rest(methods_of(f"loopline.{service}.v1.{service.capitalize()}Service").values())
    plane.apply(of_kind(manifests, "Namespace"))
    plane.apply(secrets_for(manifests))
    plane.apply([found for found in manifests if found["kind"] != "Namespace"])
    until("three of each are ready", lambda: min(ready(plane)[service] for service in SCALED) == 3)
    for service in SCALED:
        until(
            f"KEDA reads the figures of {service}",
            lambda service=service: conditions(plane, f"loopline-{service}").get("Active") in {"True", "False"},
        )
    return plane

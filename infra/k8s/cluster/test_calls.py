"""Without any backlog: calls in flight bring replicas too, those of a service and those of the model."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from prometheus_client import Gauge

from loopline.generation.v1.generation_service_pb2 import AnswerRequest, AnswerResponse
from loopline.generation.v1.generation_service_pb2_grpc import (
    GenerationServiceServicer,
    GenerationServiceStub,
    add_GenerationServiceServicer_to_server,
)
from loopline.retrieval.v1.retrieval_service_pb2 import SearchRequest, SearchResponse
from loopline.retrieval.v1.retrieval_service_pb2_grpc import (
    RetrievalServiceServicer,
    RetrievalServiceStub,
    add_RetrievalServiceServicer_to_server,
)
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_k8s.control_plane import ControlPlane, until
from loopline_k8s.manifests import overlay
from loopline_k8s.scaling import SCALED, as_tested, ready, secrets_for, watching
from loopline_runtime.settings import Grpc


class SlowRetrieval(RetrievalServiceServicer):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.done = asyncio.Event()

    async def Search(self, _request: SearchRequest, _context: Any) -> SearchResponse:  # noqa: N802 - gRPC's name
        await self.done.wait()
        return SearchResponse()


class SlowGeneration(GenerationServiceServicer):
    """Speaks when it is told to."""

    def __init__(self) -> None:
        self.done = asyncio.Event()

    async def Answer(self, _request: AnswerRequest, _context: Any) -> AsyncIterator[AnswerResponse]:  # noqa: N802 - gRPC's name
        await self.done.wait()
        yield AnswerResponse()


@dataclass(frozen=True)
class Load:
    """Calls, for five replicas of the service."""

    service: str
    add: Any
    slow: type[SlowRetrieval | SlowGeneration]
    call: Callable[[grpc.aio.Channel], Awaitable[object]]
    calls: int


async def streamed(channel: grpc.aio.Channel) -> object:
    answer: Any = GenerationServiceStub(channel).Answer(AnswerRequest())
    return [part async for part in answer]


async def searched(channel: grpc.aio.Channel) -> object:
    stub: Any = RetrievalServiceStub(channel)
    return await stub.Search(SearchRequest())


LOADS = (
    Load("retrieval", add_RetrievalServiceServicer_to_server, SlowRetrieval, searched, calls=80),
    Load("generation", add_GenerationServiceServicer_to_server, SlowGeneration, streamed, calls=40),
)


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.service)
def test_calls_and_streams_in_flight_bring_their_service_and_nobody_else(running: ControlPlane, load: Load):
    until("all are at rest", lambda: set(ready(running).values()) <= {3, 1})

    async def carried() -> float:
        slow = load.slow()
        door = Door(load.add, slow, f"loopline.{load.service}.v1.{load.service.capitalize()}Service")
        async with (
            serving(Grpc(port=0), keys=None, doors=[door]) as server,
            connect(f"127.0.0.1:{server.port}", timeout_s=120) as channel,
        ):
            calls = [asyncio.ensure_future(load.call(channel)) for _ in range(load.calls)]
            took = await asyncio.to_thread(until, "five of it", lambda: ready(running)[load.service] >= 5)
            slow.done.set()
            await asyncio.gather(*calls)
            return took

    with watching(running) as watch:
        took = asyncio.run(carried())
        back = until("it is back", lambda: ready(running)[load.service] == 3)
    print(f"\n{load.service}: 5 ready {took:.1f} s after {load.calls} calls, 3 again {back:.1f} s after they ended")
    assert watch.most(load.service) == 5
    assert {watch.most(other) for other in SCALED if other != load.service} == {3}
    assert min(watch.fewest(service) for service in SCALED) == 3


class Prometheus(ThreadingHTTPServer):
    """Answers every query with one figure, as Prometheus would; what the real query gives, promtool says elsewhere."""

    daemon_threads = True
    waited = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Query(BaseHTTPRequestHandler):
    server: Prometheus

    def do_GET(self) -> None:
        sample = {"metric": {}, "value": [time.time(), str(self.server.waited)]}
        told = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [sample]}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def prometheus_page() -> Iterator[Prometheus]:
    with Prometheus(("127.0.0.1", 0), Query) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_queue_before_the_model_brings_replicas_on_gpu_nodes(running: ControlPlane, figures: int):
    with prometheus_page() as prometheus:
        queued_before_the_model(running, figures, prometheus)


def queued_before_the_model(running: ControlPlane, figures: int, prometheus: Prometheus) -> None:
    waiting = Gauge("tgi_queue_size", "As TGI shows it")
    changed = as_tested(overlay("gpu"), monitor="-", figures=figures, prometheus=prometheus.url)
    tgi = [found for found in changed if of_tgi(found)]
    for path in ("statefulset", "deployment"):
        running.kubectl("delete", path, "model-server", "-n", "loopline", "--ignore-not-found")
    running.apply(secrets_for(tgi))
    running.apply(tgi)
    until("a pod that finds no GPU waits", lambda: phases(running) == {"Pending"})
    running.kubectl("label", "node", "--all", "nvidia.com/gpu.present=true")
    running.kubectl(
        "patch", "node", "node-000000", "--subresource=status", "--type=merge",
        "-p", '{"status": {"capacity": {"nvidia.com/gpu": "8"}, "allocatable": {"nvidia.com/gpu": "8"}}}',
    )  # fmt: skip
    until("it runs on the node that has one", lambda: phases(running) == {"Running"})
    waiting.set(16)
    took = until("two of TGI", lambda: len(pods(running)) >= 2, within_s=90)
    print(
        f"\nTGI: a second pod {took:.1f} s after 16 requests waited; one a minute, as a model takes that long to load"
    )
    assert {pod["spec"]["nodeName"] for pod in pods(running) if "nodeName" in pod["spec"]} == {"node-000000"}
    waiting.set(0)
    until("one again", lambda: len(pods(running)) == 1)
    # No queue at any look, and yet requests wait: 4 s of waiting a second, for which a replica may have 2.
    prometheus.waited = 4.0
    took = until("two of TGI", lambda: len(pods(running)) >= 2, within_s=120)
    print(f"\nTGI: a second pod {took:.1f} s after requests waited 4 s a second")
    prometheus.waited = 0.0
    until("one again", lambda: len(pods(running)) == 1)
    # Its like in production has volumes, which nobody makes here.
    running.kubectl("delete", "statefulset,scaledobject", "model-server", "-n", "loopline")


def of_tgi(found: dict[str, Any]) -> bool:
    name = found["metadata"]["name"]
    return (name == "model-server" and found["kind"] != "ServiceMonitor") or name.startswith("tgi-")


def pods(plane: ControlPlane) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = plane.get("pods", "-n", "loopline", "-l", "app.kubernetes.io/name=model-server")[
        "items"
    ]
    return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]


def phases(plane: ControlPlane) -> set[str]:
    return {pod["status"]["phase"] for pod in pods(plane)}

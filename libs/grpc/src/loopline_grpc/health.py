"""grpc.health.v1, by service name; "" is SERVING when all are, "alive" as long as a restart would mend nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import structlog
from grpc_health.v1.health_pb2 import HealthCheckResponse

from loopline_grpc.errors import ailment_of
from loopline_runtime.metrics_door import LivenessCheck

# Raises while the service cannot do its work.
ReadyCheck = Callable[[], Awaitable[None]]

# What whoever restarts us asks for; a dependency that is away is no reason.
ALIVE = "alive"
EVERY_S = 2.0
TIMEOUT_S = 2.0

log = structlog.get_logger(__name__)


class Health:
    """The statuses. Unlike the servicer that comes with gRPC it lets its watchers go when the server stops.

    `ailment` says why this process cannot go on, or "".
    """

    def __init__(self, names: Iterable[str], checked: Iterable[str], ailment: LivenessCheck = str) -> None:
        self._ailment = ailment
        waiting = set(checked)
        self._serving = {name: name not in waiting for name in {*names, *waiting}}
        self._stopping = False
        self._changed = asyncio.Event()

    def set(self, name: str, *, serving: bool) -> bool:
        """Notes whether `name` is served; True when that is news."""
        if self._serving[name] == serving:
            return False
        self._serving[name] = serving
        self._wake()
        return True

    def stop(self) -> None:
        """NOT_SERVING for good, and watchers are let go."""
        self._stopping = True
        self._wake()

    async def Check(self, request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:  # noqa: N802 - gRPC's name
        """The status now; NOT_FOUND for a name that this server does not know."""
        status = self._status(request.service)
        if status == "SERVICE_UNKNOWN":
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service[:100]} here")
        return HealthCheckResponse(status=status)

    async def Watch(self, request: Any, _context: "grpc.aio.ServicerContext[Any, Any]") -> AsyncIterator[Any]:  # noqa: N802 - gRPC's name
        """The status now and after each change."""
        told = None
        while True:
            changed, status = self._changed, self._status(request.service)
            if status != told:
                yield HealthCheckResponse(status=status)
                told = status
            if self._stopping:
                return
            await changed.wait()

    def _status(self, name: str) -> str:
        if name == ALIVE:
            return "NOT_SERVING" if self._ailment() else "SERVING"
        if name and name not in self._serving:
            return "SERVICE_UNKNOWN"
        serving = all(self._serving.values()) if not name else self._serving[name]
        return "SERVING" if serving and not self._stopping else "NOT_SERVING"

    def _wake(self) -> None:
        # Each watcher holds the event it waits for; the next round gets a fresh one.
        self._changed.set()
        self._changed = asyncio.Event()


@asynccontextmanager
async def checking(
    health: Health, checks: Mapping[str, ReadyCheck], every_s: float = EVERY_S, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[None]:
    """Asks every check again and again while the block runs."""
    tasks = [
        asyncio.create_task(_keep_asking(health, name, check, every_s, timeout_s), name=f"ready {name}")
        for name, check in checks.items()
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_asking(health: Health, name: str, check: ReadyCheck, every_s: float, timeout_s: float) -> None:
    while True:
        ailment = await ailment_of(check, timeout_s)
        if health.set(name, serving=not ailment):
            if ailment:
                log.warning("not serving", door=name, why=ailment)
            else:
                log.info("serving", door=name)
        await asyncio.sleep(every_s)

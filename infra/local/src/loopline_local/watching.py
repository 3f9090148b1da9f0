"""One process kept alive: started, restarted when it dies or hangs, stopped when told."""

import asyncio
import ctypes
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from loopline_grpc.certificates import of_caller
from loopline_local.parts import SERVICES, Options, Part
from loopline_local.settings import inherited
from loopline_runtime.tls import Tls

PR_SET_PDEATHSIG = 1
LOG_BYTES = 10 * 1024 * 1024
GRACE_S = 12.0
LOOK_S, LIVE_EVERY_S, MOST_ILL = 0.1, 5.0, 3
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0)
# A process that ran so long is not in a crash loop.
STEADY_S = 30.0


class Watched:
    """A part of the line and its process."""

    def __init__(self, part: Part, options: Options, changed: Callable[[], None]) -> None:
        self.part = part
        self._options = options
        self._changed = changed
        self.process: asyncio.subprocess.Process | None = None
        self.wanted = True
        self.ready_after_s: float | None = None
        self.restarts = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """0 while it does not run."""
        return self.process.pid if self.process and self.process.returncode is None else 0

    @property
    def state(self) -> str:
        """For people: ready, starting, stopped."""
        if not self.wanted:
            return "stopped"
        return "ready" if self.pid and self.ready_after_s is not None else "starting"

    def start(self) -> None:
        """Keeps it running from now on."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Asks it to end, and makes it."""
        self.wanted = False
        if self.process and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.process.wait(), GRACE_S)
            except TimeoutError:
                self.process.kill()
        if self._task:
            await self._task
        self._changed()

    async def until_ready(self) -> None:
        """Waits until it answers."""
        while self.state != "ready":
            await asyncio.sleep(LOOK_S)

    async def _keep(self) -> None:
        tries = 0
        while self.wanted:
            began = time.monotonic()
            self.ready_after_s = None
            self.process = await self._started()
            self._changed()
            looking = asyncio.create_task(self._look(began))
            await self.process.wait()
            looking.cancel()
            self._changed()
            tries = 0 if time.monotonic() - began > STEADY_S else tries + 1
            self.restarts += 1
            if self.state != "stopped":
                await asyncio.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])

    async def _started(self) -> asyncio.subprocess.Process:
        log = self._options.logs / f"{self.part.name}.log"
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as file:
            return await asyncio.create_subprocess_exec(
                *self.part.command,
                env=inherited(**self.part.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                preexec_fn=_die_with_parent,
                start_new_session=True,
            )

    async def _look(self, began: float) -> None:
        """Notes when it is ready, and kills it when it hangs."""
        while not await self._answers():
            await asyncio.sleep(LOOK_S)
        self.ready_after_s = time.monotonic() - began
        self._changed()
        ill = 0
        while self.part.metrics:
            await asyncio.sleep(LIVE_EVERY_S)
            ill = 0 if await asyncio.to_thread(_lives, self.part.metrics) else ill + 1
            if ill >= MOST_ILL and self.process:
                self.process.kill()

    async def _answers(self) -> bool:
        if self.part.name in SERVICES:
            return await _serving(self.part.port, self._options.security.caller)
        if self.part.name == "weaviate":
            return await asyncio.to_thread(_got, f"http://127.0.0.1:{self.part.port}/v1/.well-known/ready")
        if self.part.name == "model":
            return await asyncio.to_thread(_got, f"http://127.0.0.1:{self.part.port}/health")
        return await _listening(self.part.port)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def _serving(port: int, tls: Tls) -> bool:
    make: Any = health_pb2_grpc.HealthStub
    where = f"127.0.0.1:{port}"
    opened = grpc.aio.secure_channel(where, of_caller(tls)) if tls.used else grpc.aio.insecure_channel(where)
    async with opened as channel:
        stub = make(channel)
        try:
            reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
        except grpc.aio.AioRpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


async def _listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _got(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - our own loopback address
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _lives(port: int) -> bool:
    return _got(f"http://127.0.0.1:{port}/livez")

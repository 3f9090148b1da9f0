"""Calls to another service.

    channel = connect(settings.retrieval_target, key=settings.access.key.get_secret_value())
    stub = RetrievalServiceStub(channel)
    async with calling("retrieval"):
        found = await stub.Search(request)

Each call carries the key, the trace, what is left of the deadline of the call being served, and the tenant it is made
for: the caller's, or that of `acting_for(tenant)` in a handler of events.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import grpc

from loopline_grpc.access import AUTHORIZATION, TENANT, acted_for, acting_for
from loopline_grpc.certificates import of_caller
from loopline_grpc.deadline import remaining_s, shorter
from loopline_grpc.errors import error_of
from loopline_grpc.measures import Asked
from loopline_grpc.methods import method_at, methods_of
from loopline_runtime.errors import TimedOut
from loopline_runtime.tls import Tls

__all__ = ["acting_for", "calling", "connect"]

DEFAULT_TIMEOUT_S = 30.0
# How often a caller looks whether its certificates changed, and how long calls over former ones may go on.
LOOK_S, RETIRED_S = 1.0, 60.0


def connect(
    target: str,
    key: str = "",
    tenant: str = "",
    *,
    timeout_s: float | None = DEFAULT_TIMEOUT_S,
    max_message_bytes: int = 4 * 1024 * 1024,
    tls: Tls | None = None,
) -> grpc.aio.Channel:
    """A channel to `host:port` (all addresses behind the name, in turn) or to any gRPC target. Close it after use.

    `tenant` is named in every call; without it the one we work for is, if any. `timeout_s` holds for calls of one request
    and one reply that state none. Calls that may be repeated are, on UNAVAILABLE, within a budget. Without `tls` nothing is encrypted;
    when its files change, new calls go over new connections.
    """
    where = target if "://" in target or target.startswith(("unix:", "ipv4:", "ipv6:")) else f"dns:///{target}"
    return _Channel(where, key, tenant, timeout_s, max_message_bytes, tls if tls and tls.used else None)


@asynccontextmanager
async def calling(service: str) -> AsyncIterator[None]:
    """Raises what goes wrong in the block as a loopline error, with reason, field and retry kept; cancels pass through."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise error_of(error, service, for_another=bool(acted_for())) from error


class _Channel(grpc.aio.Channel):
    """One gRPC channel per proto service, for the configuration of its retries is fixed when a channel is made."""

    def __init__(
        self,
        target: str,
        key: str,
        tenant: str,
        timeout_s: float | None,
        max_message_bytes: int,
        tls: Tls | None,
    ) -> None:
        self._target = target
        self._tls = tls
        self._stamp, self._looked_at = tls.stamp() if tls else (), time.monotonic()
        self._retired: set[asyncio.Task[None]] = set()
        self._max_message_bytes = max_message_bytes
        self._timeout_s = timeout_s
        self._tenant = tenant
        self._metadata = ((AUTHORIZATION, f"Bearer {key}"),) if key else ()
        self._channels: dict[str, grpc.aio.Channel] = {}

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._calls(method, lambda to: to.unary_unary(method, *args, **kwargs), self._timeout_s)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._calls(method, lambda to: to.unary_stream(method, *args, **kwargs), None)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._calls(method, lambda to: to.stream_unary(method, *args, **kwargs), None)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._calls(method, lambda to: to.stream_stream(method, *args, **kwargs), None)

    async def close(self, grace: float | None = None) -> None:
        for channel in self._channels.values():
            await channel.close(grace)
        for task in self._retired:
            task.cancel()
        await asyncio.gather(*self._retired, return_exceptions=True)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._any().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._any().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._any().channel_ready()

    async def __aenter__(self) -> "_Channel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _any(self) -> grpc.aio.Channel:
        return next(iter(self._channels.values()), None) or self._to("//")

    def _to(self, path: str) -> grpc.aio.Channel:
        service = path.removeprefix("/").partition("/")[0]
        self._renew()
        if service not in self._channels:
            options = [*_OPTIONS, ("grpc.service_config", _service_config(service))]
            options += [(f"grpc.max_{way}_message_length", self._max_message_bytes) for way in ("receive", "send")]
            self._channels[service] = (
                grpc.aio.secure_channel(self._target, of_caller(self._tls), options)
                if self._tls
                else grpc.aio.insecure_channel(self._target, options)
            )
        return self._channels[service]

    def _renew(self) -> None:
        """Leaves connections made with former certificates; calls under way on them end first."""
        if self._tls is None or time.monotonic() - self._looked_at < LOOK_S:
            return
        self._looked_at = time.monotonic()
        if (stamp := self._tls.stamp()) == self._stamp:
            return
        self._stamp = stamp
        for channel in self._channels.values():
            task = asyncio.get_running_loop().create_task(channel.close(RETIRED_S))
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)
        self._channels = {}

    def _calls(
        self, path: str, make: Callable[[grpc.aio.Channel], Callable[..., Any]], default_s: float | None
    ) -> Callable[..., Any]:
        method = method_at(path)
        made: dict[grpc.aio.Channel, Callable[..., Any]] = {}

        def call_on(channel: grpc.aio.Channel) -> Callable[..., Any]:
            if channel not in made:
                made.clear()
                made[channel] = make(channel)
            return made[channel]

        def start(*args: Any, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
            seconds = shorter(default_s if timeout is None else timeout, remaining_s())
            if seconds is not None and seconds <= 0:
                # gRPC rounds up: the call would be sent.
                raise TimedOut("no time is left for this call", reason="DEADLINE_PASSED")
            asked = Asked(method)
            started = call_on(self._to(path))(
                *args,
                timeout=seconds,
                metadata=(*(metadata or ()), *self._metadata, *self._for_whom(), *asked.carrier.items()),
                **options,
            )
            started.add_done_callback(lambda done: asked.ended(_now(done.code())))
            return started

        return start

    def _for_whom(self) -> tuple[tuple[str, str], ...]:
        tenant = self._tenant or acted_for()
        return ((TENANT, tenant),) if tenant else ()


_OPTIONS: list[tuple[str, int | str]] = [
    # A service that was restarted is found again soon; gRPC would wait up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.dns_min_time_between_resolutions_ms", 5000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Calls stay inside; gRPC would obey http_proxy of the environment.
    ("grpc.enable_http_proxy", 0),
]


def _service_config(service: str) -> str:
    safe = [{"service": service, "method": method.name} for method in methods_of(service).values() if method.safe]
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config: dict[str, Any] = {
        "loadBalancingConfig": [{"round_robin": {}}],
        # The budget: when half of the tokens are spent by failures, nothing is repeated until successes refill them.
        "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.2},
    }
    if safe:
        config["methodConfig"] = [{"name": safe, "retryPolicy": policy}]
    return json.dumps(config)


def _now(settled: Coroutine[Any, Any, grpc.StatusCode]) -> grpc.StatusCode:
    """The result of a coroutine that has nothing left to wait for."""
    try:
        settled.send(None)
    except StopIteration as done:
        code: grpc.StatusCode = done.value
        return code
    settled.close()
    return grpc.StatusCode.UNKNOWN

"""Puts the service together: settings, the policy, the state, the one that watches, its doors."""

import asyncio
import time
from contextlib import AsyncExitStack

import structlog

from loopline.monitoring.v1.monitoring_service_pb2_grpc import add_MonitoringServiceServicer_to_server
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_monitoring import events
from loopline_monitoring.adapters.asked_grpc import AskerGrpc, EmbedderGrpc
from loopline_monitoring.adapters.policy_toml import policy_of
from loopline_monitoring.adapters.state_sql import StateSql
from loopline_monitoring.adapters.webhooks_http import HttpReceiver
from loopline_monitoring.app import Agreeing, Asking, Monitor, Posting, Watching
from loopline_monitoring.app.monitor import LINE
from loopline_monitoring.measures import measure
from loopline_monitoring.ports import Receiver
from loopline_monitoring.rpc import MonitoringRpc
from loopline_monitoring.saying import Canaried, Recording, ToTheLine
from loopline_monitoring.settings import Settings
from loopline_nats.access import KeyRing
from loopline_nats.line import open_line
from loopline_runtime.errors import LooplineError
from loopline_runtime.lifecycle import background, run, until_stopped
from loopline_runtime.telemetry import start_telemetry

SERVICE = "loopline.monitoring.v1.MonitoringService"
DAY_S, SWEEP_EVERY_S = 86_400.0, 3600.0
log = structlog.get_logger(__name__)


async def sweep(state: StateSql, kept_days: float) -> None:
    """Removes windows past their retention, without end."""
    while True:
        try:
            await state.forget(time.time() - kept_days * DAY_S)
        except LooplineError as error:
            log.warning("old windows are not removed now", error=str(error))
        await asyncio.sleep(SWEEP_EVERY_S)


async def serve() -> None:
    """Runs until it is told to stop."""
    settings = Settings()
    policy = policy_of(settings.watch.policy)
    targets, key = settings.targets, settings.access.key.get_secret_value()
    with start_telemetry(settings.telemetry, "monitoring"):
        async with (
            StateSql.opened(settings.state.url.get_secret_value()) as state,
            open_line(settings.nats, "monitoring") as line,
            KeyRing.watching(line) as keys,
            HttpReceiver.opened(policy.webhooks) as hooks,
            connect(targets.generation, key=key, timeout_s=targets.timeout_s, tls=settings.peers) as generation,
            connect(targets.embedding, key=key, timeout_s=targets.timeout_s, tls=settings.peers) as embedding,
        ):
            monitor = Monitor(Watching(policy), state, settings.state.every_s)
            places = await monitor.begin(reader.name for reader in events.opened(line))
            rpc = MonitoringRpc(monitor, Agreeing(monitor, state), state, Recording(line))
            asking = Asking(monitor, AskerGrpc(generation), EmbedderGrpc(embedding), Canaried(line))
            works = {
                "keep": monitor.keep(),
                "listen": events.listen(line, monitor, places),
                "measure": measure(monitor),
                "sweep": sweep(state, settings.state.kept_days),
                "canaries": asking.run(),
            }
            receivers: dict[str, Receiver] = {LINE: ToTheLine(line), **hooks}
            for name, receiver in receivers.items():
                works[f"tell {name}"] = Posting(name, receiver, state, monitor).run()
            door = Door(add_MonitoringServiceServicer_to_server, rpc, SERVICE)
            ready = {SERVICE: state.ready, "events": line.ready}
            ring = keys if settings.access.mode == "keys" else None
            async with AsyncExitStack() as running:
                for name, work in works.items():
                    await running.enter_async_context(background(work, name=name))
                await running.enter_async_context(
                    serving(settings.grpc, keys=ring, doors=[door], ready=ready, ailment=line.ailment)
                )
                await line.start()
                await until_stopped()
            await monitor.write()


def main() -> None:
    """The command `loopline-monitoring`."""
    run(serve)


if __name__ == "__main__":
    main()

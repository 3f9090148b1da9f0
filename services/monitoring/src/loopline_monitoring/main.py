"""Puts the service together: settings, the state, the one loop, its doors."""

from loopline.monitoring.v1.monitoring_service_pb2_grpc import add_MonitoringServiceServicer_to_server
from loopline_grpc.server import Door, serving
from loopline_monitoring import events
from loopline_monitoring.adapters.state_sql import StateSql
from loopline_monitoring.app import Agreeing, Monitor, Posting, Watching
from loopline_monitoring.app.monitor import LINE
from loopline_monitoring.rpc import MonitoringRpc
from loopline_monitoring.saying import Recording, ToTheLine
from loopline_monitoring.settings import Settings
from loopline_nats.access import KeyRing
from loopline_nats.line import open_line
from loopline_runtime.lifecycle import background, run, until_stopped
from loopline_runtime.telemetry import start_telemetry

SERVICE = "loopline.monitoring.v1.MonitoringService"


async def serve() -> None:
    """Runs until it is told to stop."""
    settings = Settings()
    with start_telemetry(settings.telemetry, "monitoring"):
        async with (
            StateSql.opened(settings.state.url.get_secret_value()) as state,
            open_line(settings.nats, "monitoring") as line,
            KeyRing.watching(line) as keys,
        ):
            monitor = Monitor(Watching(), state, settings.state.every_s)
            places = await monitor.begin(reader.name for reader in events.opened(line))
            rpc = MonitoringRpc(monitor, Agreeing(monitor, state), state, Recording(line))
            door = Door(add_MonitoringServiceServicer_to_server, rpc, SERVICE)
            ready = {SERVICE: state.ready, "events": line.ready}
            ring = keys if settings.access.mode == "keys" else None
            async with (
                background(monitor.keep(), name="keep"),
                background(events.listen(line, monitor, places), name="listen"),
                background(Posting(LINE, ToTheLine(line), state, monitor).run(), name="say"),
                serving(settings.grpc, keys=ring, doors=[door], ready=ready),
            ):
                await line.start()
                await until_stopped()


def main() -> None:
    """The command `loopline-monitoring`."""
    run(serve)


if __name__ == "__main__":
    main()

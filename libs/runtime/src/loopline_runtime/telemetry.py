"""Logs, traces and metrics of a process, started in `main` and nowhere else.

with start_telemetry(settings.telemetry, "embedding") as telemetry:
    telemetry.liveness(lambda: "" if fetched_lately() else "the fetch loop is overdue")
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from opentelemetry.sdk.trace import TracerProvider

from loopline_runtime.logs import start_logs, stop_logs
from loopline_runtime.metrics_door import Liveness, LivenessCheck, metrics_door
from loopline_runtime.settings import Telemetry as TelemetrySettings
from loopline_runtime.traces import traces


@dataclass(frozen=True)
class Telemetry:
    """What a running process shows of itself."""

    service: str
    # Of the HTTP door with `/metrics` and `/livez`; the bound one when the setting says 0.
    metrics_port: int
    provider: TracerProvider
    _liveness: Liveness

    def liveness(self, check: LivenessCheck) -> None:
        """Makes `/livez` answer 503 while `check` says what ails us; called in a thread of its own, so keep it quick."""
        self._liveness.add(check)


@contextmanager
def start_telemetry(settings: TelemetrySettings, service: str) -> Iterator[Telemetry]:
    """Starts all three; flushes and stops them at the end. Unavailable when the metrics port cannot be had."""
    liveness = Liveness()
    handler = start_logs(service, settings.log_level)
    try:
        with (
            traces(service, settings.otlp_endpoint) as provider,
            metrics_door(settings.metrics_host, settings.metrics_port, liveness) as port,
        ):
            structlog.get_logger(__name__).info("telemetry started", metrics_port=port)
            yield Telemetry(service=service, metrics_port=port, provider=provider, _liveness=liveness)
    finally:
        stop_logs(handler)

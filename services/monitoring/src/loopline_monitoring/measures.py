"""What a dashboard and alert rules see of the monitor."""

import asyncio
import time
from collections import Counter as Count

from prometheus_client import Gauge

from loopline_monitoring.app import Monitor
from loopline_runtime import names

ALARMS = Gauge(
    names.DRIFT_ALARMS, "Alarms that are open, muted ones too", ["tenant", "collection", "signal", "severity"]
)
SIGNALS = Gauge(names.DRIFT_SIGNALS, "Series of values that are watched")
TESTED = Gauge(names.DRIFT_TESTED, "Series with a baseline, which share the promise")
PROMISE = Gauge(names.DRIFT_PROMISE, "False alarms a week that the operator accepts")
WRITTEN_AGE = Gauge(names.DRIFT_WRITTEN_AGE_SECONDS, "Since the state was last known to be written")
READ_AGE = Gauge(names.DRIFT_READ_AGE_SECONDS, "Since a stream was last asked, by reader", ["reader"])
EVERY_S = 2.0


async def measure(monitor: Monitor) -> None:
    """Keeps the gauges true, without end."""
    shown: set[tuple[str, ...]] = set()
    PROMISE.set(monitor.watching.policy.false_alarms_per_week)
    while True:
        watching = monitor.watching
        open_now = Count((a.tenant, a.collection, a.signal, a.severity.value) for a in watching.alarms.open.values())
        for labels in shown - set(open_now):
            ALARMS.remove(*labels)
        for labels, count in open_now.items():
            ALARMS.labels(*labels).set(count)
        shown = set(open_now)
        SIGNALS.set(len(watching.signals))
        TESTED.set(watching.tested)
        now = time.monotonic()
        WRITTEN_AGE.set(now - monitor.written_at)
        for reader, heard_at in monitor.heard_at.items():
            READ_AGE.labels(reader).set(now - heard_at)
        await asyncio.sleep(EVERY_S)

"""What the bus side of a process counts."""

from prometheus_client import Counter, Gauge, Histogram

from loopline_runtime import names

EVENTS_PUBLISHED = Counter(names.EVENTS_PUBLISHED_TOTAL, "Facts acknowledged by their stream", ["event"])
EVENTS_HANDLED = Counter(names.EVENTS_HANDLED_TOTAL, "Deliveries that ended", ["durable", "outcome"])
EVENT_SECONDS = Histogram(names.EVENT_SECONDS, "Time a handler took, facts said included", ["durable"])
LAST_FETCH_AGE = Gauge(names.LAST_FETCH_AGE_SECONDS, "Age of a fetch loop's last fetch", ["durable"])

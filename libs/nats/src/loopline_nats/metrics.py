"""What the bus side of a process counts."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS_PUBLISHED = Counter("loopline_events_published_total", "Facts acknowledged by their stream", ["event"])
EVENTS_HANDLED = Counter("loopline_events_handled_total", "Deliveries that ended", ["durable", "outcome"])
EVENT_SECONDS = Histogram("loopline_event_seconds", "Time a handler took, facts said included", ["durable"])
LAST_FETCH_AGE = Gauge("loopline_last_fetch_age_seconds", "Age of a fetch loop's last fetch", ["durable"])

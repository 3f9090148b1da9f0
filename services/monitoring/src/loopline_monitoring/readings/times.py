"""When a fact happened: what it says itself, as far as that can be."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from loopline_nats.envelope import Delivery

# A clock that is further ahead of the line than this is wrong.
AHEAD_S = 60.0


def happened(said: Timestamp | None, delivery: Delivery) -> float:
    """Seconds since 1970: the fact's own time, else its event's, never later than a minute after the line was told."""
    told = delivery.time.timestamp()
    at = said.seconds + said.nanos / 1e9 if said is not None else _ce_time(delivery)
    return at if 0 < at <= told + AHEAD_S else told


def _ce_time(delivery: Delivery) -> float:
    try:
        return datetime.fromisoformat(delivery.headers.get("ce-time", "")).timestamp()
    except ValueError:
        return 0.0

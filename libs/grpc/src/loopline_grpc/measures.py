"""Counting and timing of calls, and their spans, on both sides."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import grpc
from opentelemetry import propagate, trace
from prometheus_client import Counter, Gauge, Histogram

from loopline_grpc.errors import Outcome
from loopline_grpc.methods import Method
from loopline_runtime import names

# What a server should be blamed for; the rest is the caller's doing.
_SERVER_FAULTS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}

# Finds the provider with its first span; making one anew costs a twentieth of a call.
tracer = trace.get_tracer(__name__)


class _Measures(NamedTuple):
    requests: Counter
    seconds: Histogram
    in_flight: Gauge
    client_requests: Counter
    client_seconds: Histogram


@cache
def _measures() -> _Measures:
    # Registered when a door opens or a call is made, not at import.
    by, by_code = ("service", "method"), ("service", "method", "code")
    buckets = names.SECONDS_BUCKETS
    return _Measures(
        Counter(names.RPC_REQUESTS_TOTAL, "Calls answered.", by_code),
        Histogram(names.RPC_SECONDS, "Time to the end of a call.", by, buckets=buckets),
        Gauge(names.RPC_IN_FLIGHT, "Calls being answered.", by),
        Counter(names.RPC_CLIENT_REQUESTS_TOTAL, "Calls made, retries not counted.", by_code),
        Histogram(names.RPC_CLIENT_SECONDS, "Time to the end of a call made.", by, buckets=buckets),
    )


def at_rest(methods: Iterable[Method]) -> None:
    """Shows each method's calls in flight from the start: who scales by them must tell nothing from unknown."""
    for method in methods:
        _measures().in_flight.labels(method.service, method.name).set(0)


@contextmanager
def served(method: Method, metadata: Mapping[str, str | bytes], outcome: Outcome) -> Iterator[trace.Span]:
    """The span of a call being served, child of the caller's; counted and timed when the block ends."""
    measures = _measures()
    in_flight = measures.in_flight.labels(method.service, method.name)
    carrier = {key: value for key, value in metadata.items() if isinstance(value, str)}
    started = time.perf_counter()
    with (
        in_flight.track_inprogress(),
        tracer.start_as_current_span(
            f"{method.service}/{method.name}",
            context=propagate.extract(carrier),
            kind=trace.SpanKind.SERVER,
            attributes=_attributes(method),
            record_exception=False,
            set_status_on_exception=False,
        ) as span,
    ):
        try:
            yield span
        finally:
            _conclude(span, outcome, failed=outcome.code in _SERVER_FAULTS)
            measures.requests.labels(method.service, method.name, outcome.code.name).inc()
            measures.seconds.labels(method.service, method.name).observe(time.perf_counter() - started)


class Asked:
    """A call being made: its span, and what its metadata must carry for the trace to go on."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._started = time.perf_counter()
        self._span = tracer.start_span(
            f"{method.service}/{method.name}", kind=trace.SpanKind.CLIENT, attributes=_attributes(method)
        )
        self.carrier: dict[str, str] = {}
        propagate.inject(self.carrier, trace.set_span_in_context(self._span))

    def ended(self, code: grpc.StatusCode) -> None:
        """Counts and times the call, and closes its span."""
        _conclude(self._span, Outcome(code), failed=code is not grpc.StatusCode.OK)
        self._span.end()
        measures = _measures()
        measures.client_requests.labels(self._method.service, self._method.name, code.name).inc()
        measures.client_seconds.labels(self._method.service, self._method.name).observe(
            time.perf_counter() - self._started
        )


def _attributes(method: Method) -> dict[str, str]:
    return {names.RPC_SYSTEM: "grpc", names.RPC_SERVICE: method.service, names.RPC_METHOD: method.name}


def _conclude(span: trace.Span, outcome: Outcome, *, failed: bool) -> None:
    number: int = outcome.code.value[0]
    span.set_attribute(names.RPC_STATUS, number)
    if outcome.reason:
        span.set_attribute(names.REASON, outcome.reason)
    if failed:
        span.set_attribute(names.ERROR_TYPE, outcome.code.name)
        span.set_status(trace.StatusCode.ERROR)

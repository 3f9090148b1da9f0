"""Traces: W3C context always, exported by OTLP over HTTP when an endpoint is set."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from loopline_runtime.names import SERVICE_NAME

# Also how long a collector that is away may hold up the end of a process.
_EXPORT_TIMEOUT_S = 3


@contextmanager
def traces(service: str, otlp_endpoint: str) -> Iterator[TracerProvider]:
    """The process's tracer provider, flushed at the end. `otlp_endpoint` is a base address; "" exports nothing."""
    provider = _provider(service)
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    exporting: SpanProcessor | None = (
        BatchSpanProcessor(
            OTLPSpanExporter(endpoint=f"{otlp_endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_TIMEOUT_S)
        )
        if otlp_endpoint
        else None
    )
    if exporting:
        provider.add_span_processor(exporting)
    try:
        yield provider
    finally:
        if exporting:
            # Exports what is still waiting.
            exporting.shutdown()


def current_trace_id() -> str:
    """The current trace's id as 32 hex digits, or "" outside a span."""
    span = trace.get_current_span().get_span_context()
    return trace.format_trace_id(span.trace_id) if span.is_valid else ""


def _provider(service: str) -> TracerProvider:
    # OpenTelemetry lets a process set its provider once; a second start (tests) goes on with the first.
    standing = trace.get_tracer_provider()
    if isinstance(standing, TracerProvider):
        return standing
    made = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    trace.set_tracer_provider(made)
    return made

"""What a process shows of itself."""

import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import structlog
from opentelemetry import trace

from loopline_runtime.errors import Unavailable
from loopline_runtime.settings import Telemetry
from loopline_runtime.telemetry import start_telemetry
from loopline_runtime.traces import current_trace_id


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def lines(capsys: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_log_line_is_json_with_service_and_trace(capsys: Any) -> None:
    with start_telemetry(Telemetry(), "embedding"), trace.get_tracer("test").start_as_current_span("work") as span:
        structlog.get_logger("a.b").info("batch done", chunks=3)
        trace_id = current_trace_id()
    line = next(line for line in lines(capsys) if line["event"] == "batch done")
    assert (line["service"], line["level"], line["logger"], line["chunks"]) == ("embedding", "info", "a.b", 3)
    assert line["trace_id"] == trace_id == trace.format_trace_id(span.get_span_context().trace_id)
    assert line["span_id"] == trace.format_span_id(span.get_span_context().span_id)


def test_the_standard_librarys_logging_comes_the_same_way(capsys: Any) -> None:
    with start_telemetry(Telemetry(log_level="warning"), "embedding"):
        logging.getLogger("some.library").warning("disk at %d %%", 91)
        logging.getLogger("some.library").info("not told")
        structlog.get_logger("ours").info("not told either")
    told = lines(capsys)
    assert [line["event"] for line in told] == ["disk at 91 %"]
    assert told[0]["service"] == "embedding"


def test_text_from_outside_stays_inside_its_value(capsys: Any) -> None:
    evil = 'x", "level": "critical"}\n{"event": "forged" %s {0}'
    with start_telemetry(Telemetry(), "embedding"):
        structlog.get_logger("ours").warning("refused", source=evil)
        logging.getLogger("lib").warning("refused %s", evil)
    told = [line for line in lines(capsys) if line["event"].startswith("refused")]
    assert told[0]["source"] == evil
    assert told[1]["event"] == f"refused {evil}"


def test_an_exception_is_one_line_with_its_traceback(capsys: Any) -> None:
    with start_telemetry(Telemetry(), "embedding"):
        try:
            raise ValueError("deep inside")
        except ValueError:
            structlog.get_logger("ours").exception("a bug")
    line = next(line for line in lines(capsys) if line["event"] == "a bug")
    assert "deep inside" in line["exception"]
    assert "Traceback" in line["exception"]


def test_metrics_and_liveness_are_served_until_the_end() -> None:
    ailment = ""
    with start_telemetry(Telemetry(), "embedding") as telemetry:
        telemetry.liveness(lambda: ailment)
        telemetry.liveness(lambda: "")
        status, body = get(telemetry.metrics_port, "/metrics")
        assert status == 200
        assert "python_info" in body
        assert get(telemetry.metrics_port, "/livez") == (200, "ok")
        ailment = "the loop embedding-embed has not fetched for 17 s"
        assert get(telemetry.metrics_port, "/livez") == (503, ailment)
    with pytest.raises(urllib.error.URLError):
        get(telemetry.metrics_port, "/livez")


def test_a_metrics_port_that_is_taken_is_named() -> None:
    with start_telemetry(Telemetry(), "embedding") as telemetry:
        taken = Telemetry(metrics_port=telemetry.metrics_port)
        with (
            pytest.raises(Unavailable, match=f"TELEMETRY__METRICS_PORT {telemetry.metrics_port}"),
            start_telemetry(taken, "retrieval"),
        ):
            pass


@dataclass
class Collector:
    port: int
    taken: list[tuple[str, bytes]]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Takes what an OTLP collector would."""
    taken: list[tuple[str, bytes]] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

    with HTTPServer(("127.0.0.1", 0), Take) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Collector(server.server_port, taken)
        server.shutdown()
        thread.join()


def test_spans_are_exported_where_an_endpoint_is_set(collector: Collector) -> None:
    endpoint = f"http://127.0.0.1:{collector.port}"
    with start_telemetry(Telemetry(otlp_endpoint=endpoint), "embedding"):
        with trace.get_tracer("test").start_as_current_span("work to be seen"):
            pass
        assert not collector.taken
    # Flushed by the end, not by a timer.
    assert [path for path, _ in collector.taken] == ["/v1/traces"]
    assert b"work to be seen" in collector.taken[0][1]


def test_a_collector_that_is_away_holds_up_nobody(capsys: Any) -> None:
    with (
        start_telemetry(Telemetry(otlp_endpoint="http://127.0.0.1:1"), "embedding"),
        trace.get_tracer("test").start_as_current_span("unseen"),
    ):
        pass

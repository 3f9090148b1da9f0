"""Start, stop and look at a local line from another process."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loopline_local.parts import Options
from loopline_local.settings import inherited
from loopline_runtime.errors import Unavailable

LOOK_S = 0.1
UP_WITHIN_S, DOWN_WITHIN_S = 120.0, 40.0


def running(home: Path) -> bool:
    """Whether a supervisor holds the line's lock."""
    path = home / "supervisor.lock"
    if not path.exists():
        return False
    with path.open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def status(home: Path) -> dict[str, Any]:
    """What the supervisor tells; empty when there is none."""
    try:
        told: dict[str, Any] = json.loads((home / "status.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return told if running(home) else {}


def start(options: Options) -> bool:
    """Leaves a supervisor behind; False when one was there."""
    options.home.mkdir(parents=True, exist_ok=True)
    options.logs.mkdir(exist_ok=True)
    if running(options.home):
        return False
    command = [sys.executable, "-m", "loopline_local.supervisor", options.as_json()]
    with (options.logs / "supervisor.log").open("ab") as log:
        subprocess.Popen(
            command,
            env=inherited(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return True


def ready_parts(home: Path, expected: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each part as it becomes ready. Unavailable, with what the log says, when one does not in time."""
    told: set[str] = set()
    deadline = time.monotonic() + UP_WITHIN_S
    while len(told) < expected:
        now = status(home)
        if now.get("error"):
            raise Unavailable(f"the line cannot start: {now['error']}")
        for name, part in now.get("parts", {}).items():
            if part["state"] == "ready" and name not in told:
                told.add(name)
                yield name, part
        if time.monotonic() > deadline:
            raise Unavailable(_late(home, now, told))
        time.sleep(LOOK_S)


def _late(home: Path, now: dict[str, Any], told: set[str]) -> str:
    missing = [name for name in now.get("parts", {}) if name not in told] or ["supervisor"]
    log = home / "logs" / f"{missing[0]}.log"
    said = log.read_text(errors="replace")[-1000:] if log.exists() else ""
    return f"not ready after {UP_WITHIN_S:.0f} s: {', '.join(missing)}. The end of {log}:\n{said}"


def stop(home: Path) -> bool:
    """Takes the line down and waits; False when none ran."""
    if not running(home):
        return False
    pid = status(home).get("pid")
    deadline = time.monotonic() + DOWN_WITHIN_S
    while pid is None and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        pid = status(home).get("pid")
    if pid:
        os.kill(pid, signal.SIGTERM)
    while running(home):
        if time.monotonic() > deadline:
            raise Unavailable(f"the supervisor (process {pid}) does not end")
        time.sleep(LOOK_S)
    return True


def want(home: Path, name: str, *, stopped: bool) -> None:
    """Has one part stopped or started, and waits until it is. Unavailable when there is no such part."""
    if name not in status(home).get("parts", {}):
        raise Unavailable(f"no part {name} runs here; `loopline status` shows them")
    marker = home / "wanted" / f"{name}.stopped"
    marker.touch() if stopped else marker.unlink(missing_ok=True)
    wanted = "stopped" if stopped else "ready"
    deadline = time.monotonic() + UP_WITHIN_S
    while status(home).get("parts", {}).get(name, {}).get("state") != wanted:
        if time.monotonic() > deadline:
            raise Unavailable(f"{name} is not {wanted} after {UP_WITHIN_S:.0f} s")
        time.sleep(LOOK_S)

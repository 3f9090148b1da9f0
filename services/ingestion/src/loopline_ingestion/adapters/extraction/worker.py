"""The worker: imports everything once, then forks a child per document, which may hang, crash or explode alone.

It is asked on standard input and answers on standard output, one JSON object a line; results lie in files. The child lives under limits
of memory and processor time; the worker kills it when its time is up. Both die with their parent.
"""

import ctypes
import json
import os
import resource
import selectors
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
TICK_S = 0.01


@dataclass(slots=True)
class _Child:
    number: int
    deadline: float


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _limited(memory_bytes: int, seconds: float) -> None:
    # What the worker holds already is shared, not used again.
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + memory_bytes, held + memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _in_child(extractor: Any, order: dict[str, Any]) -> int:
    """Exit status 0 when the result file was written."""
    from loopline_ingestion.adapters.extraction.extract import refused

    _die_with_parent()
    _limited(order["memory_bytes"], order["seconds"])
    try:
        result = extractor.work(order)
    except MemoryError:
        told = f"reading it needs more than {order['memory_bytes'] // 2**20} MB of memory"
        result = refused("TOO_LARGE", told)
    except RecursionError:
        result = refused("BROKEN", "it is nested too deep to be read")
    Path(order["result"]).write_text(json.dumps(result))
    return 0


def _fork(extractor: Any, order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        status = _in_child(extractor, order)
    finally:
        os._exit(status)


def _answer(number: int, status: str) -> None:
    sys.stdout.write(json.dumps({"number": number, "status": status}) + "\n")
    sys.stdout.flush()


def _reap(children: dict[int, _Child]) -> None:
    now = time.monotonic()
    for pid, child in list(children.items()):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            del children[pid]
            died = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            outcome = "done" if status == 0 else "timed_out" if died == signal.SIGXCPU else "crashed"
            _answer(child.number, outcome)
        elif now > child.deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            del children[pid]
            _answer(child.number, "timed_out")


def serve(tokenizer: str, most_characters: int) -> None:
    """Answers orders until standard input ends."""
    _die_with_parent()
    warnings.simplefilter("ignore")
    from loopline_ingestion.adapters.extraction.extract import Extractor

    extractor = Extractor(tokenizer, most_characters)
    extractor.warm()
    _answer(0, "ready")
    children: dict[int, _Child] = {}
    os.set_blocking(sys.stdin.fileno(), False)
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    pending = b""
    while True:
        if selector.select(TICK_S if children else 1.0):
            part = os.read(sys.stdin.fileno(), 1 << 20)
            if not part:
                return
            *lines, pending = (pending + part).split(b"\n")
            for line in lines:
                order = json.loads(line)
                pid = _fork(extractor, order)
                children[pid] = _Child(order["number"], time.monotonic() + order["seconds"])
        _reap(children)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))

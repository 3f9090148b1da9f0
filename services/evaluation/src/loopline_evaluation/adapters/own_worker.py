"""The process that one metric of one's own runs in: `python -m loopline_evaluation.adapters.own_worker FILE MEMORY_BYTES`.

It says what the file says of itself, then answers each line of standard input with one of standard output, in JSON.
It is given no environment worth having, so much memory, and dies with its parent. A metric that raises ends it: its last words are the traceback.
"""

import ctypes
import importlib.util
import json
import os
import resource
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

PR_SET_PDEATHSIG = 1


def serve(path: Path, memory_bytes: int) -> None:
    """Answers until standard input ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # What the metric prints is nobody's answer.
    said = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + memory_bytes, held + memory_bytes))
    module = _loaded(path)
    lowest, highest = getattr(module, "SCALE", (0, 1))
    _say(
        said,
        {
            "version": str(getattr(module, "VERSION", "1")),
            "lowest": float(lowest),
            "highest": float(highest),
            "lower_is_better": bool(getattr(module, "LOWER_IS_BETTER", False)),
            "passes_at": getattr(module, "PASSES_AT", None),
        },
    )
    for line in sys.stdin:
        found = module.score(**json.loads(line))
        value, note = found if isinstance(found, tuple) else (found, "")
        _say(said, {"value": None if value is None else float(value), "note": str(note)[:300]})


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _say(where: TextIO, told: dict[str, Any]) -> None:
    where.write(json.dumps(told) + "\n")
    where.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))

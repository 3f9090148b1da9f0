"""llama.cpp's own HTTP server around the small model, in a process of its own: `python -m loopline_local.model_server --model F --port P`.

Speaks OpenAI-compatible chat completions, /health, /v1/models and /metrics. Ends with its parent.
"""

import argparse
import ctypes
import signal
import sys
import threading
from pathlib import Path

import xllamacpp

PR_SET_PDEATHSIG = 1
ALIAS = "SmolLM2-135M-Instruct"


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a GGUF file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--slots", type=int, default=2, help="answers at once; each has context / slots tokens")
    parser.add_argument("--context", type=int, default=4096)
    options = parser.parse_args()
    if not Path(options.model).is_file():
        sys.exit(f"error: there is no model {options.model}; `make models` fetches the small one")
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = options.model
    parameters.model_alias = {ALIAS}
    parameters.hostnames = [options.host]
    parameters.port = options.port
    parameters.n_ctx = options.context
    parameters.n_parallel = options.slots
    parameters.cpuparams.n_threads = options.threads
    parameters.cpuparams_batch.n_threads = options.threads
    parameters.endpoint_metrics = True
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError as error:
        sys.exit(f"error: llama.cpp does not load {options.model}: {error}")
    print(f"ready on {server.listening_address}", flush=True)  # noqa: T201 - the log of this process
    stop.wait()


if __name__ == "__main__":
    main()

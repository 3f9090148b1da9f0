"""A pod that cannot work says so in its last line and ends, with the process that its image runs: nothing waits in silence."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from loopline_k8s.manifests import SERVICES
from loopline_testing.nats import NatsServer, free_port

BIN = Path(sys.executable).parent
NOBODY = "127.0.0.1:1"
KEY = "5" * 64
SETTINGS, FAILED = 2, 1
# Each takes some two seconds of a core, and no more run at once than there are cores: beyond this it hangs, on any machine.
WITHIN_S = 240
pytestmark = pytest.mark.timeout(1200)


@dataclass(frozen=True)
class Start:
    what: str
    command: tuple[str, ...]
    given: Mapping[str, str]
    code: int
    # What its last line holds.
    says: str


def service(name: str, what: str, code: int, says: str, **given: str) -> Start:
    return Start(f"{name}: {what}", (f"loopline-{name}",), given, code, says)


MODEL = {"MODEL__PATH": "/nowhere", "MODEL__CACHE": "/nowhere/graphs"}
# NATS__URL is that of a bus where nothing was laid out.
STARTS = (
    service("retrieval", "a bus without streams", FAILED, "NOT_PROVISIONED", INDEX__PATH="index", EMBEDDING__TARGET=NOBODY),
    service("generation", "no bus there", FAILED, "the bus did not answer in time", NATS__URL=f"nats://{NOBODY}", NATS__CONNECT_S="1",
            ANSWERS__URL="sqlite:///answers.db", SPOOL__PATH="spool", TGI__URL=f"http://{NOBODY}", TARGETS__RETRIEVAL=NOBODY,
            TARGETS__EMBEDDING=NOBODY),
    service("embedding", "no model on disk", FAILED, "MODEL__PATH has no model.safetensors: /nowhere", **MODEL),
    service("embedding", "no model server", FAILED, "TEI cannot be reached", TEI__URL=f"http://{NOBODY}"),
    service("ingestion", "no database there", FAILED, "LEDGER_UNAVAILABLE", LEDGER__URL=f"postgresql://me:it@{NOBODY}/ledger",
            EXTRACTION__TOKENIZER="/nowhere"),
    service("ingestion", "another database", FAILED, "begins with mysql; use sqlite", LEDGER__URL=f"mysql://me:it@{NOBODY}/ledger",
            EXTRACTION__TOKENIZER="/nowhere"),
    service("embedding", "a number that is none", SETTINGS, "settings: MODEL__THREADS: ", MODEL__THREADS="many", **MODEL),
    Start("the model server: no model", ("python", "-m", "loopline_local.model_server", "--model", "/nowhere.gguf", "--port", "0"), {},
          FAILED, "there is no model /nowhere.gguf"),
    Start("provisioning: no bus there", ("loopline-provision",), {"NATS__URL": f"nats://{NOBODY}", "NATS__CONNECT_S": "1"}, FAILED,
          "the bus did not answer in time"),
    *(service(name, "nothing set", SETTINGS, "settings: ") for name in SERVICES),
)  # fmt: skip


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[int | None, str]]]:
    """All of them: exit status, None for one that goes on, and what each wrote."""
    folder = tmp_path_factory.mktemp("starts")
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    common = {"NATS__URL": server.url, "NATS__CONNECT_S": "20", "ACCESS__KEY": KEY, "TELEMETRY__METRICS_PORT": "0"}

    def end_of(start: Start) -> tuple[int | None, str]:
        given = {"GRPC__PORT": str(free_port()), **common, **start.given}
        command = [str(BIN / start.command[0]), *start.command[1:]]
        with (folder / f"{start.what}.log").open("w+b") as log:
            try:
                code = subprocess.run(
                    command, cwd=folder, env=given, stdout=log, stderr=log, timeout=WITHIN_S, check=False
                ).returncode
            except subprocess.TimeoutExpired:
                code = None
            log.seek(0)
            return code, log.read().decode()

    try:
        with ThreadPoolExecutor(os.cpu_count()) as lanes:
            yield dict(zip((start.what for start in STARTS), lanes.map(end_of, STARTS), strict=True))
    finally:
        server.stop()


@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.what.replace(" ", "-"))
def test_it_ends_and_its_last_line_says_what_is_missing(start: Start, ended: dict[str, tuple[int | None, str]]):
    code, told = ended[start.what]
    assert code == start.code, told
    assert "Traceback" not in told
    assert start.says in told.strip().splitlines()[-1]

"""The images: each starts read-only and as nobody, answers its health check, leaves on SIGTERM; and the line runs in them.

Needs a Docker engine (`make images-test`); containers use the host's network, on loopback.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import yaml
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from loopline_client import Finished, Loopline, Token
from loopline_testing.model_server import scripted_server, word
from loopline_testing.nats import NatsServer, free_port

ROOT = Path(__file__).parents[3]
SERVICES = ("ingestion", "embedding", "retrieval", "generation", "evaluation", "monitoring")
SERVICE_KEY, ADMIN_KEY = "5" * 64, "a" * 64
NOBODY = "10001:10001"
TEXT = "The lighthouse at Skerry Point was built in 1871 by the engineer Ada Moreland. It is painted white and red."
QUESTION = "Who built the lighthouse at Skerry Point?"
# All of an image, in MB.
MOST = {"retrieval": 180, "generation": 180, "embedding": 400, "ingestion": 700, "evaluation": 700, "monitoring": 300}
VERIFIED = ["a document in", "a cited answer out", "the document is away again"]
# Looked for in each: what builds, what installs, what lets somebody in.
NOT_THERE = ("torch", "pip", "uv", "setuptools", "/bin/sh", "/bin/bash", "/usr/bin/gcc", "/usr/bin/apt-get", "/uv")
LOOK = "import importlib.util as u, os, sys; print([n for n in sys.argv[1:] if (os.path.exists(n) if '/' in n else u.find_spec(n))])"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments[:2])}: {done.stderr[-2000:]}"
    return done.stdout.strip()


@contextmanager
def container(image: str, environment: Mapping[str, str], *command: str) -> Iterator[str]:
    """Read-only, as nobody, without rights, on the host's network. Gives its id."""
    flags = ["--detach", "--network=host", "--read-only", "--tmpfs=/tmp:rw,uid=10001", f"--user={NOBODY}"]
    flags += ["--cap-drop=ALL", "--security-opt=no-new-privileges", *(f"--env={k}={v}" for k, v in environment.items())]
    found = docker("run", *flags, image, *command)
    try:
        yield found
    finally:
        docker("rm", "--force", found)


def exit_status(found: str) -> int:
    """After SIGTERM."""
    docker("stop", "--time=60", found)
    return int(docker("inspect", "--format={{.State.ExitCode}}", found))


@dataclass(frozen=True)
class Line:
    ports: Mapping[str, int]
    containers: Mapping[str, str]

    def client(self) -> Loopline:
        target = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        return Loopline.connect(
            ingestion=target["ingestion"],
            retrieval=target["retrieval"],
            generation=target["generation"],
            key=ADMIN_KEY,
        )


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def own(ports: Mapping[str, int], model: str) -> dict[str, dict[str, str]]:
    """What each service needs besides what all do."""
    target = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    database = {name: f"sqlite:////tmp/{name}.db" for name in SERVICES}
    return {
        "ingestion": {
            "LEDGER__URL": database["ingestion"],
            "EXTRACTION__TOKENIZER": "/models/all-MiniLM-L6-v2/tokenizer.json",
        },
        "embedding": {"MODEL__PATH": "/models/all-MiniLM-L6-v2", "MODEL__CACHE": "/tmp/graphs"},
        "retrieval": {"INDEX__PATH": "/tmp/index", "EMBEDDING__TARGET": target["embedding"]},
        "generation": {
            "ANSWERS__URL": database["generation"],
            "ANSWERS__GROUNDING": "off",
            "SPOOL__PATH": "/tmp/spool",
            "TGI__URL": model,
            "TARGETS__RETRIEVAL": target["retrieval"],
            "TARGETS__EMBEDDING": target["embedding"],
        },
        "evaluation": {
            "SCORES__URL": database["evaluation"],
            "RUNS__URL": "sqlite:////tmp/runs.db",
            "TARGETS__EMBEDDING": target["embedding"],
        },
        "monitoring": {"STATE__URL": database["monitoring"]},
    }


@contextmanager
def running(bus: NatsServer, model: str) -> Iterator[Line]:
    """Provisioned by a container, then every service."""
    laid_out = {"NATS__URL": bus.url, "NATS__CONNECT_S": "20", "PROVISION__SCALE": "0.004"}
    keys = {"PROVISION__SERVICE_KEY": SERVICE_KEY, "PROVISION__ADMIN_KEY": ADMIN_KEY}
    docker(
        "run", "--rm", "--network=host", "--read-only", f"--user={NOBODY}", "--entrypoint=loopline-provision",
        *(f"--env={k}={v}" for k, v in {**laid_out, **keys}.items()), "loopline/generation",
    )  # fmt: skip
    ports = {name: free_port() for name in SERVICES}
    with ExitStack() as open_:
        containers = {
            name: open_.enter_context(
                container(
                    f"loopline/{name}",
                    {"NATS__URL": bus.url, "GRPC__PORT": str(ports[name]), "ACCESS__KEY": SERVICE_KEY, **settings},
                )
            )
            for name, settings in own(ports, model).items()
        }
        for name, port in ports.items():
            until_serving(name, port, containers[name])
        yield Line(ports, containers)


def until_serving(name: str, port: int, found: str) -> None:
    """As the kubelet asks: by gRPC, for the door by its name."""
    wanted = HealthCheckRequest(service=f"loopline.{name}.v1.{name.capitalize()}Service")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                if HealthStub(channel).Check(wanted, timeout=2).status == HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError:
                pass
        time.sleep(0.3)
    pytest.fail(f"{name} is not serving: {docker('logs', '--tail=20', found)}")


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_holds_what_its_service_needs_and_no_more(name: str):
    told = json.loads(docker("inspect", f"loopline/{name}"))[0]
    assert told["Config"]["User"] == NOBODY
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in told["Config"]["Labels"].items()}
    assert labels["title"] == f"loopline-{name}"
    assert labels["description"]
    assert labels["version"][0].isdigit()
    assert len(labels["revision"]) in (40, len("unknown"))
    found = docker("run", "--rm", "--entrypoint=/opt/loopline/bin/python", f"loopline/{name}", "-c", LOOK, *NOT_THERE)
    assert found == "[]"
    megabytes = told["Size"] / 1e6
    print(f"\nloopline/{name}: {megabytes:.0f} MB, of at most {MOST[name]}")
    assert megabytes <= MOST[name]


@pytest.mark.parametrize("name", SERVICES)
def test_a_setting_that_is_missing_is_said_in_one_line(name: str):
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--read-only", f"loopline/{name}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    wanted = {"embedding": "MODEL", "retrieval": "INDEX", "ingestion": "LEDGER", "generation": "ANSWERS"}
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("settings: ")
    assert wanted.get(name, {"evaluation": "SCORES", "monitoring": "STATE"}.get(name, "")) in line


async def test_the_line_runs_in_containers_and_leaves_in_mid_answer_with_its_last_word(bus: NatsServer):
    async with scripted_server() as model:
        model.scripts.append((200, [word("The engineer Ada Moreland built it. [1]"), b"[DONE]"]))
        words = [word(f"word{number} ") for number in range(600)]
        model.pause_s = 0.2
        model.scripts.append((200, [*words, b"[DONE]"]))
        with running(bus, model.url) as line:
            told = await asyncio.to_thread(verified, line)
            assert [step.split(":")[0] for step in told.splitlines()] == VERIFIED
            async with line.client() as client:
                submitted = await client.submit("coast.md", TEXT.encode())
                async for document in client.watch([submitted.document_id]):
                    if document.state in ("INDEXED", "FAILED"):
                        break
                assert document.state == "INDEXED", document
                steps = client.ask(QUESTION)
                await until_it_speaks(steps)
                leaving = asyncio.create_task(asyncio.to_thread(exit_status, line.containers["generation"]))
                rest = [step async for step in steps]
            assert isinstance(rest[-1], Finished)
            assert await leaving == 0
            others = [found for name, found in line.containers.items() if name != "generation"]
            assert [exit_status(found) for found in others] == [0] * 5


def verified(line: Line) -> str:
    """What `skaffold verify` runs, with its image and words."""
    configs = yaml.safe_load_all((ROOT / "skaffold.yaml").read_text())
    (case,) = next(config["verify"] for config in configs if "verify" in config)
    of_line = {f"LOOPLINE_{name.upper()}": f"127.0.0.1:{port}" for name, port in line.ports.items()}
    (entry,), words = case["container"]["command"], case["container"]["args"]
    flags = ["--rm", "--network=host", "--read-only", f"--user={NOBODY}", f"--entrypoint={entry}"]
    settings = {"LOOPLINE_KEY": ADMIN_KEY, **of_line}
    return docker("run", *flags, *(f"--env={k}={v}" for k, v in settings.items()), case["container"]["image"], *words)


async def until_it_speaks(steps: AsyncIterator[object]) -> None:
    async for step in steps:
        if isinstance(step, Token):
            return
    pytest.fail("no word came")

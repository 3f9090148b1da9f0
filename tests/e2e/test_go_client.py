"""The contract is not Python's alone: a client in Go, made from the protos, ingests, asks and reads an event."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loopline_testing.line import LocalLine

ROOT = Path(__file__).parents[2]
GENERATORS = ("google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc")


@pytest.mark.timeout(600)
def test_a_go_program_ingests_asks_and_reads_an_event(local: LocalLine, tmp_path: Path):
    go = shutil.which("go")
    if go is None:
        pytest.skip("NOT RUN: the Go client; install Go 1.26 or newer to run it")
    code, tools = tmp_path / "client", ROOT / ".cache" / "go-tools"
    shutil.copytree(ROOT / "tests/e2e/go_client", code)
    environment = {
        "PATH": f"{tools}:{Path(go).parent}:/usr/bin:/bin",
        "HOME": str(Path.home()),
        "GOBIN": str(tools),
        "GOFLAGS": "-mod=mod",
    }
    subprocess.run([go, "install", *GENERATORS], cwd=code, env=environment, check=True)
    protos = sorted(path.relative_to(ROOT / "protos").as_posix() for path in (ROOT / "protos").rglob("*.proto"))
    outputs = ["--go_out=.", "--go_opt=module=loopline", "--go-grpc_out=.", "--go-grpc_opt=module=loopline"]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}", *outputs, *protos]
    subprocess.run(protoc, cwd=code, env=environment, check=True)
    subprocess.run([go, "build", "-o", "client", "."], cwd=code, env=environment, check=True)
    local.command("subscribers", "add", "gophers", "--events", "document_accepted")
    targets = local.profile["targets"]
    arguments = [
        targets["ingestion"],
        targets["generation"],
        local.profile["nats_url"],
        local.profile["key"],
        "gophers",
    ]
    done = subprocess.run([code / "client", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "DOCUMENT_STATE_INDEXED" in done.stdout
    assert "Ada Moreland" in done.stdout
    assert "event loopline.ingestion.v1.DocumentAccepted" in done.stdout

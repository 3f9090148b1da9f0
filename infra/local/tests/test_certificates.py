"""What `loopline certs dev` makes opens a door with mTLS."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loopline.embedding.v1 import embedding_service_pb2_grpc
from loopline_client.cli.doctor import _service
from loopline_client.settings import ClientSettings
from loopline_grpc.client import connect
from loopline_grpc.server import Door, serving
from loopline_local.certificates import app as certs
from loopline_local.certificates import make
from loopline_local.securing import Security, secured
from loopline_runtime.errors import Conflict, Invalid
from loopline_runtime.settings import Grpc
from loopline_runtime.tls import Tls


async def test_the_files_open_a_door_with_mtls(tmp_path: Path):
    done = CliRunner().invoke(certs, ["dev", "--into", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "PEERS__CA=" in done.output
    assert (tmp_path / "door.key").stat().st_mode & 0o077 == 0
    ca = tmp_path / "ca.pem"
    door, caller = (
        Tls(ca=ca, certificate=tmp_path / f"{name}.pem", key=tmp_path / f"{name}.key") for name in ("door", "caller")
    )
    name = "loopline.embedding.v1.EmbeddingService"
    servicer = embedding_service_pb2_grpc.EmbeddingServiceServicer()
    added = Door(embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server, servicer, name)
    async with (
        serving(Grpc(port=0, tls=door, grace_s=0), keys=None, doors=[added]) as opened,
        connect(f"127.0.0.1:{opened.port}", tls=caller) as channel,
    ):
        await channel.channel_ready()


async def test_doctor_asks_a_door_over_tls(tmp_path: Path):
    make(tmp_path, ("localhost",), days=1)
    door = Tls(certificate=tmp_path / "door.pem", key=tmp_path / "door.key")
    servicer = embedding_service_pb2_grpc.EmbeddingServiceServicer()
    name = "loopline.embedding.v1.EmbeddingService"
    added = Door(embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server, servicer, name)
    async with serving(Grpc(port=0, tls=door, grace_s=0), keys=None, doors=[added]) as opened:
        target = f"localhost:{opened.port}"
        assert "SERVING" in (await _service("embedding", target, Tls(ca=tmp_path / "ca.pem"))).told
        assert "does not answer" in (await _service("embedding", target, Tls())).told


def test_a_line_is_secure_from_its_first_start_or_never(tmp_path: Path):
    assert not secured(tmp_path, wanted=False)
    assert secured(tmp_path, wanted=True)
    (tmp_path / "data" / "nats" / "jetstream").mkdir(parents=True)
    with pytest.raises(Conflict, match="--home"):
        secured(tmp_path, wanted=True)
    Security(tmp_path, on=True).make()
    assert secured(tmp_path, wanted=False)


def test_the_command_finds_a_secure_line_and_what_is_set_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    security = Security(tmp_path, on=True)
    (tmp_path / "line.json").write_text(json.dumps({"targets": {"embedding": "x:1"}, **security.of_profile()}))
    assert ClientSettings(home=tmp_path).profile().tls == security.caller
    monkeypatch.setenv("LOOPLINE_CERTIFICATE", "mine.pem")
    monkeypatch.setenv("LOOPLINE_CERTIFICATE_KEY", "mine.key")
    own = Tls(ca=security.caller.ca, certificate=Path("mine.pem"), key=Path("mine.key"))
    assert ClientSettings(home=tmp_path).profile().tls == own
    (tmp_path / "line.json").unlink()
    monkeypatch.setenv("LOOPLINE_NATS_URL", "nats://x")
    monkeypatch.delenv("LOOPLINE_CERTIFICATE_KEY")
    with pytest.raises(Invalid, match="LOOPLINE_CERTIFICATE_KEY"):
        ClientSettings(home=tmp_path).profile()

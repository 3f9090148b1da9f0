"""A team gets its credentials by command, and reads with them by command."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loopline.ingestion.v1.events_pb2 import DocumentAccepted
from loopline_client.cli.main import app
from loopline_contracts.channels import DOCUMENT_ACCEPTED
from loopline_nats.credentials import Authority
from loopline_nats.line import Fact, open_line
from loopline_nats.permissions import SERVICES, Permissions
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer, nats_server


def loopline(*words: str, **environment: str) -> str:
    done = CliRunner().invoke(app, [*words], env={key.upper(): value for key, value in environment.items()})
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.output


async def accept(server: NatsServer, credentials: Path, tenant: str) -> None:
    settings = bus_settings(server).model_copy(update={"credentials": credentials})
    async with open_line(settings, "ingestion") as line:
        await line.say(Fact(DOCUMENT_ACCEPTED, DocumentAccepted(document_id="d1"), f"{tenant}/1", tenant, "d1"))


def test_a_team_is_added_and_reads_with_its_own_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    keys = tmp_path / "keys"
    monkeypatch.setenv("LOOPLINE_HOME", str(tmp_path))
    loopline("credentials", "make", "--into", str(keys))
    assert "monitoring" in json.loads(loopline("credentials", "list", "--authority", str(keys), "--json"))
    with nats_server(extra=(keys / "server.conf").read_text()) as server:
        monkeypatch.setenv("LOOPLINE_NATS_URL", server.url)
        operator = {"loopline_nats_credentials": str(keys / "operator.creds")}
        loopline("streams", "apply", "--scale", "0.01", **operator)
        added = ["subscribers", "add", "team", "--events", "document_accepted", "--tenant", "acme", "--authority"]
        told = loopline(*added, str(keys), "--credentials", str(tmp_path / "team.creds"), **operator)
        assert "--streams INGESTION" in told
        for tenant in ("other", "acme"):
            asyncio.run(accept(server, keys / "ingestion.creds", tenant))
        read = ["subscribers", "read", "team", "--streams", "INGESTION", "--count", "1"]
        event = json.loads(loopline(*read, loopline_nats_credentials=str(tmp_path / "team.creds")))
        assert event["tenant"] == "acme"
        assert "revoked" in loopline("credentials", "revoke", "team", "--authority", str(keys))


def test_who_has_the_right_file_keeps_it_when_all_are_renewed(tmp_path: Path):
    keys = ["--authority", str(tmp_path)]
    loopline("credentials", "make", "--into", str(tmp_path))
    assert "as they should be" in loopline("credentials", "renew", *keys)
    loopline("credentials", "revoke", "embedding", *keys)
    old = Permissions(("loopline.retrieval.v1.former.>",), ())
    (tmp_path / "retrieval.creds").write_text(Authority(tmp_path).credentials("retrieval", old))
    (tmp_path / "generation.creds").unlink()
    told = loopline("credentials", "renew", *keys)
    assert [name for name in SERVICES if f"{name}.creds" in told] == ["embedding", "generation", "retrieval"]
    assert "as they should be" in loopline("credentials", "renew", *keys)

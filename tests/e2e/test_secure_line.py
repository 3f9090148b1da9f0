"""The whole line with certificates on both sides and credentials for each service, as `loopline up --secure` starts it."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopline_client import Finished, Loopline, Started
from loopline_client.run_results import RunSpec
from loopline_runtime.errors import Unavailable
from loopline_runtime.tls import Tls
from loopline_testing.certificates import Certificates
from loopline_testing.line import LocalLine

QUESTION = "Who built the lighthouse at Skerry Point?"
TEXT = b"# Light\n\nThe lighthouse at Skerry Point was built in 1871 by the engineer Ada Moreland.\n"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLine]:
    line = LocalLine(tmp_path_factory.mktemp("secure"))
    line.up("--secure", "--engine", "quote")
    try:
        yield line
    finally:
        line.down()


def complaints(line: LocalLine) -> list[str]:
    """What the processes say is wrong; the bus hears of each look at its port that is not followed by a handshake."""
    told = [row for log in sorted((line.home / "logs").glob("*.log")) for row in log.read_text().splitlines()]
    looks = ("connection reset by peer", "EOF")
    return [
        row
        for row in told
        if any(mark in row for mark in ("[ERR]", "[WRN]", '"level": "error"', '"level": "warning"'))
        and not ("TLS handshake error" in row and row.endswith(looks))
    ]


async def test_a_document_becomes_a_cited_answer_that_is_scored_and_watched(secure: LocalLine):
    async with Loopline.local(secure.home) as line:
        said = await line.submit("light.md", TEXT, collection="coast")
        async for document in line.watch([said.document_id]):
            last = document
        assert last.state == "INDEXED", last.reasons
        started, *_, finished = [step async for step in line.ask(QUESTION, collections=["coast"])]
        assert isinstance(started, Started)
        assert isinstance(finished, Finished)
        assert "Ada Moreland" in finished.citations[0].quote
        async with asyncio.timeout(30):
            while not await line.evaluation.scores([started.answer_id]):
                await asyncio.sleep(0.1)
        row = {"id": "1", "question": QUESTION, "reference": "Ada Moreland"}
        await line.datasets.bring("light", json.dumps(row).encode(), "jsonl")
        begun = await line.runs.begin(RunSpec(dataset="light", collections=("coast",), metrics=("support",)))
        assert [step.state async for step in line.runs.watch(begun.run_id)][-1] == "FINISHED"
        assert (await line.runs.get(begun.run_id)).failed == 0
        drift = await line.monitoring.drift(collection="coast")
        assert {signal.signal: signal.seen for signal in drift.signals}["answer.cited"] == 1
    assert complaints(secure) == []


async def test_renewed_certificates_hold_at_once_and_former_ones_no_more(secure: LocalLine, tmp_path: Path):
    former = Tls(**{name: _copy(Path(path), tmp_path) for name, path in secure.profile["tls"].items()})
    targets = {name: secure.profile["targets"][name] for name in ("ingestion", "retrieval", "generation")}
    secure.command("certs", "dev", "--into", str(secure.home / "certs"))
    found = await asked(secure)
    assert found.outcome == "COMPLETED"
    assert found.citations
    async with Loopline.connect(**targets, key=secure.profile["key"], tls=former) as late:
        with pytest.raises(Unavailable, match="certificate that is not trusted") as refused:
            await late.collections()
    assert refused.value.reason == "UNTRUSTED"
    # The command without our files, then with a stranger's: each is told what to look at.
    bare = tmp_path / "bare"
    bare.mkdir()
    plain = {name: value for name, value in secure.profile.items() if name != "tls"}
    (bare / "line.json").write_text(json.dumps(plain))
    assert "a door with TLS does so" in LocalLine(bare).command("documents", "list", check=False).stderr
    stranger = Certificates(bare).issue("stranger")
    own = {"LOOPLINE_CERTIFICATE": str(stranger.certificate), "LOOPLINE_CERTIFICATE_KEY": str(stranger.key)}
    told = secure.command("streams", "list", check=False, environment=own).stderr
    assert "does not trust the other's certificate" in told


async def test_a_service_whose_credentials_are_revoked_says_so_and_works_again_with_new_ones(secure: LocalLine):
    keys, bus = str(secure.home / "keys"), secure.profile["pids"]["nats"]
    secure.command("credentials", "revoke", "monitoring", "--authority", keys)
    os.kill(bus, signal.SIGHUP)
    log = secure.home / "logs" / "monitoring.log"
    deadline = time.monotonic() + 20
    while "authentication revoked" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        await asyncio.sleep(0.1)
    assert (await asked(secure)).outcome == "COMPLETED"
    assert "new: " in secure.command("credentials", "renew", "--authority", keys).stdout
    secure.command("stop", "monitoring")
    secure.command("start", "monitoring")  # as the supervisor does by itself, after a while of failing /livez
    assert secure.command("doctor").returncode == 0


async def asked(line: LocalLine) -> Finished:
    async with Loopline.local(line.home) as client:
        finished = [step async for step in client.ask(QUESTION, collections=["coast"])][-1]
    assert isinstance(finished, Finished)
    return finished


def _copy(path: Path, into: Path) -> Path:
    kept = into / path.name
    kept.write_bytes(path.read_bytes())
    return kept

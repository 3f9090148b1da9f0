"""Everything is lost but the backup and the keys; the line made of them answers as it did."""

import shutil
from pathlib import Path

from loopline.ingestion.v1.ingestion_service_pb2 import DocumentState
from loopline_nats.backup import restore
from loopline_nats.line import open_line
from loopline_runtime.settings import Nats
from loopline_testing.line import LocalLine
from loopline_testing.nats import nats_server

TEXT = b"# Coast\n\nThe lighthouse at Skerry Point was built in 1871 by the engineer Ada Moreland."
GONE = b"# Coast\n\nThe lighthouse at Skerry Point was built in 1999 by nobody at all."
QUESTION = "Who built the lighthouse at Skerry Point?"
# An operator's Secrets are no part of a backup of data.
SECRETS = {"keys.json", "store-key.json"}


async def test_wiped_restored_and_replayed_the_line_answers_as_before(local: LocalLine, tmp_path: Path):
    await local.submit("coast.md", TEXT)
    gone = await local.submit("gone.md", GONE)
    await local.settled("default", 2)
    local.command("documents", "delete", gone.document_id)
    assert "Ada Moreland" in local.command("ask", QUESTION).stdout
    assert "INGESTION" in local.command("streams", "backup", str(tmp_path / "backup")).stdout
    local.down()
    data = local.home / "data"
    for path in data.iterdir():
        if path.name not in SECRETS:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with nats_server() as server:
        async with open_line(Nats(url=server.url, connect_s=10), "operator") as bus:
            assert [one async for one in restore(bus, tmp_path / "backup")]
        server.stop()
        shutil.copytree(server.store / "jetstream", data / "nats")
    local.up("--engine", "quote")
    documents = await local.settled("default", 2)
    assert {document.source: document.state for document in documents} == {
        "coast.md": DocumentState.DOCUMENT_STATE_INDEXED,
        "gone.md": DocumentState.DOCUMENT_STATE_DELETED,
    }
    assert "Ada Moreland" in local.command("ask", QUESTION).stdout
    assert [passage.document_id for passage in await local.search(QUESTION)] == [documents[0].document_id]

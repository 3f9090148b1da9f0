"""Everything is lost but the backup and the keys; the line made of them answers as it did."""

import shutil
import subprocess
from pathlib import Path

from loopline.ingestion.v1.ingestion_service_pb2 import DocumentState
from loopline_generation.adapters.records_sql import RecordsSql
from loopline_generation.model import Message
from loopline_nats.backup import restore
from loopline_nats.line import open_line
from loopline_runtime.settings import Nats
from loopline_testing.line import LocalLine
from loopline_testing.nats import nats_server
from loopline_testing.postgres import PostgresServer

TEXT = b"# Coast\n\nThe lighthouse at Skerry Point was built in 1871 by the engineer Ada Moreland."
GONE = b"# Coast\n\nThe lighthouse at Skerry Point was built in 1999 by nobody at all."
QUESTION = "Who built the lighthouse at Skerry Point?"
# An operator's Secrets are no part of a backup of data.
SECRETS = {"keys.json", "store-key.json"}
# What nobody can make again from the facts; here one file a service, in production one `pg_dump`.
DATABASES = {"answers.db", "scores.db", "runs.db", "monitoring.db"}


async def test_wiped_restored_and_replayed_the_line_answers_as_before(local: LocalLine, tmp_path: Path):
    await local.submit("coast.md", TEXT)
    gone = await local.submit("gone.md", GONE)
    await local.settled("default", 2)
    local.command("documents", "delete", gone.document_id)
    assert "Ada Moreland" in local.command("ask", QUESTION, "--conversation", "coast").stdout
    assert "INGESTION" in local.command("streams", "backup", str(tmp_path / "backup")).stdout
    local.down()
    data = local.home / "data"
    for name in DATABASES:
        shutil.copy(data / name, tmp_path)
    for path in data.iterdir():
        if path.name not in SECRETS:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with nats_server() as server:
        async with open_line(Nats(url=server.url, connect_s=10), "operator") as bus:
            assert [one async for one in restore(bus, tmp_path / "backup")]
        server.stop()
        shutil.copytree(server.store / "jetstream", data / "nats")
    for name in DATABASES:
        shutil.copy(tmp_path / name, data)
    local.up("--engine", "quote")
    documents = await local.settled("default", 2)
    assert {document.source: document.state for document in documents} == {
        "coast.md": DocumentState.DOCUMENT_STATE_INDEXED,
        "gone.md": DocumentState.DOCUMENT_STATE_DELETED,
    }
    assert "Ada Moreland" in local.command("ask", QUESTION).stdout
    assert QUESTION in local.command("conversations", "show", "coast").stdout
    assert [passage.document_id for passage in await local.search(QUESTION)] == [documents[0].document_id]


def moved(postgres: PostgresServer, before: str, after: str) -> None:
    """With the commands of the page."""
    dump = subprocess.run([postgres.programs / "pg_dump", "--format=custom", before], capture_output=True, check=True)
    command = [postgres.programs / "pg_restore", "--exit-on-error", f"--dbname={after}"]
    subprocess.run(command, input=dump.stdout, capture_output=True, check=True)


async def test_a_dump_of_the_services_database_is_whole(postgres: PostgresServer):
    """Tables, the version of them and what was said."""
    before, after = postgres.new_database(), postgres.new_database()
    said = [Message("user", QUESTION), Message("assistant", "Ada Moreland. [1]")]
    async with RecordsSql.opened(before) as records:
        await records.add_turns("acme", "coast", said, at=1.0)
    moved(postgres, before, after)
    async with RecordsSql.opened(after) as records:
        assert await records.turns("acme", "coast") == said

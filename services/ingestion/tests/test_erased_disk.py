"""What a receipt says of PostgreSQL's disk: removed text still lies there, and is gone when the operator has done what the README says."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from loopline_ingestion.adapters.ledger_sql import LedgerSql
from loopline_ingestion.model import Document, State
from loopline_testing.postgres import PostgresServer

README = Path(__file__).parents[1] / "README.md"
CANARY = "vantongeren-quetzalfinch"
NOW = datetime.now(UTC)
DOCUMENT = Document("acme", "d1", "default", "d1.md", "v1", 5, State.ACCEPTED, NOW, NOW, size_bytes=3, upload_id="u1")


def scanned(folder: Path) -> set[str]:
    """The folders of PostgreSQL's whose files hold the canary."""
    found = [path for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    return {path.relative_to(folder).parts[0] for path in found}


async def test_erased_text_lies_in_postgresql_until_the_operator_has_written_its_files_anew(postgres: PostgresServer):
    url, data = postgres.new_database(), postgres.folder / "data"
    async with LedgerSql.opened(url) as ledger:
        for number in range(3):
            metadata = {"owner": CANARY}
            await ledger.accepted(replace(DOCUMENT, document_id=f"d{number}", source=f"{CANARY}.md", metadata=metadata))
        with psycopg.connect(url, autocommit=True) as operator:
            operator.execute("analyze")
            operator.execute("checkpoint")
            for number in range(3):
                await ledger.erase("acme", f"d{number}", 7, NOW)
            disk = await ledger.settle()
            assert (disk.gone, "until an operator" in disk.how) == (False, True)
            operator.execute("vacuum")
            operator.execute("checkpoint")
            assert scanned(data) == {"base", "pg_wal"}
            (steps,) = re.findall(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
            for step in steps.split(";"):
                if step.strip():
                    operator.execute(step)
            assert scanned(data) == set()

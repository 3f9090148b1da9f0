"""Batches by index version, and the plans of index versions. The ledger is dropped for it, and is rebuilt from the streams."""

from alembic.operations import Operations
from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, Integer, String, Text

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """Empties what stays and makes the rest anew."""
    op.execute("delete from documents")
    for table in ("batches", "collections"):
        op.drop_table(table)
    op.create_table(
        "batches",
        Column("tenant", String(63), primary_key=True),
        Column("document_id", String(64), primary_key=True),
        Column("revision", BigInteger, primary_key=True),
        Column("index_version", String(63), primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("batch_count", Integer, nullable=False),
        Column("chunks", Integer, nullable=False),
    )
    op.create_table(
        "collections",
        Column("tenant", String(63), primary_key=True),
        Column("name", String(63), primary_key=True),
        Column("expectations_json", Text, nullable=False),
        Column("revision", BigInteger, nullable=False),
    )
    op.create_table(
        "plans",
        Column("tenant", String(63), primary_key=True),
        Column("collection", String(63), primary_key=True),
        Column("index_version", String(63), primary_key=True),
        Column("plan", JSON, nullable=False),
        Column("revision", BigInteger, nullable=False),
        Column("build", Boolean, nullable=False),
        Column("retired", Boolean, nullable=False),
        Column("added_at", DateTime(timezone=True), nullable=False),
        Column("built_at", DateTime(timezone=True)),
    )
    op.create_table(
        "setbacks",
        Column("tenant", String(63), primary_key=True),
        Column("document_id", String(64), primary_key=True),
        Column("index_version", String(63), primary_key=True),
        Column("revision", BigInteger, nullable=False),
        Column("reasons", JSON, nullable=False),
    )

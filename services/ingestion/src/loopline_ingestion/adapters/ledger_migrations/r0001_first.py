"""The first shape under migrations. A ledger from before is dropped, and is rebuilt from the streams."""

from alembic.operations import Operations
from sqlalchemy import JSON, BigInteger, Column, DateTime, Integer, String, Text

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    """Makes the tables."""
    for table in ("shape", "documents", "batches", "collections"):
        op.drop_table(table, if_exists=True)
    op.create_table(
        "documents",
        Column("tenant", String(63), primary_key=True),
        Column("document_id", String(64), primary_key=True),
        Column("collection", String(63), nullable=False),
        Column("source", String(1024), nullable=False),
        Column("version", String(64), nullable=False),
        Column("revision", BigInteger, nullable=False),
        Column("state", String(16), nullable=False),
        Column("accepted_at", DateTime(timezone=True), nullable=False),
        Column("changed_at", DateTime(timezone=True), nullable=False),
        Column("reasons", JSON, nullable=False),
        Column("size_bytes", BigInteger, nullable=False),
        Column("content_type", String(255), nullable=False),
        Column("upload_id", String(64), nullable=False),
        Column("metadata", JSON, nullable=False),
        Column("readers", JSON, nullable=False),
        Column("readers_since", BigInteger, nullable=False),
    )
    op.create_index("documents_by_source", "documents", ["tenant", "collection", "source", "document_id"])
    op.create_index("documents_by_state", "documents", ["state", "changed_at"])
    op.create_index("documents_by_upload", "documents", ["upload_id"])
    op.create_table(
        "batches",
        Column("tenant", String(63), primary_key=True),
        Column("document_id", String(64), primary_key=True),
        Column("revision", BigInteger, primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("batch_count", Integer, nullable=False),
        Column("chunks", Integer, nullable=False),
    )
    op.create_table(
        "collections",
        Column("tenant", String(63), primary_key=True),
        Column("name", String(63), primary_key=True),
        Column("index_version", String(63), nullable=False),
        Column("plan", JSON, nullable=False),
        Column("expectations_json", Text, nullable=False),
        Column("revision", BigInteger, nullable=False),
    )

"""Datasets, runs, given answers, gates, and what is to be said of them."""

from alembic.operations import Operations
from sqlalchemy import JSON, Column, Float, Integer, LargeBinary, String, Text, UniqueConstraint

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    """Makes the tables."""
    op.create_table(
        "datasets",
        Column("tenant", String(63), primary_key=True),
        Column("name", String(64), primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("hash", String(32), nullable=False),
        Column("rows", Integer, nullable=False),
        Column("created_at", Float, nullable=False),
        Column("note", Text, nullable=False),
    )
    op.create_table(
        "dataset_rows",
        Column("tenant", String(63), primary_key=True),
        Column("row_hash", String(32), primary_key=True),
        Column("content", JSON),
        Column("origin", JSON, nullable=False),
    )
    op.create_table(
        "version_rows",
        Column("tenant", String(63), primary_key=True),
        Column("hash", String(32), primary_key=True),
        Column("place", Integer, primary_key=True),
        Column("row_hash", String(32), nullable=False),
    )
    op.create_index("version_rows_by_row", "version_rows", ["tenant", "row_hash"])
    op.create_table(
        "row_documents",
        Column("tenant", String(63), primary_key=True),
        Column("document", String(128), primary_key=True),
        Column("row_hash", String(32), primary_key=True),
        Column("revision", Integer, nullable=False),
    )
    op.create_table(
        "runs",
        Column("run_id", String(64), primary_key=True),
        Column("tenant", String(63), nullable=False),
        Column("spec", JSON, nullable=False),
        Column("target", String(255), nullable=False),
        Column("by", String(128), nullable=False),
        Column("created_at", Float, nullable=False),
        Column("units", Integer, nullable=False),
        Column("state", String(16), nullable=False),
        Column("started_at", Float, nullable=False),
        Column("finished_at", Float, nullable=False),
        Column("error", Text, nullable=False),
        Column("owner", String(64), nullable=False),
        Column("leased_until", Float, nullable=False),
    )
    op.create_index("runs_by_state", "runs", ["state", "created_at"])
    op.create_index("runs_by_tenant", "runs", ["tenant", "created_at"])
    op.create_table(
        "run_units",
        Column("run_id", String(64), primary_key=True),
        Column("row_id", String(255), primary_key=True),
        Column("trial", Integer, primary_key=True),
        Column("reply", JSON, nullable=False),
        Column("scores", JSON),
        Column("requests", Integer, nullable=False),
        Column("prompt_tokens", Integer, nullable=False),
        Column("completion_tokens", Integer, nullable=False),
        Column("money", Float),
        Column("answered_at", Float, nullable=False),
    )
    op.create_table(
        "given_answers",
        Column("tenant", String(63), primary_key=True),
        Column("name", String(32), primary_key=True),
        Column("answers", JSON, nullable=False),
    )
    op.create_table(
        "gates",
        Column("gate_id", String(64), primary_key=True),
        Column("tenant", String(63), nullable=False),
        Column("run_id", String(64), nullable=False),
        Column("decided", JSON, nullable=False),
    )
    op.create_table(
        "to_be_said",
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("id", String(128), nullable=False),
        Column("kind", String(64), nullable=False),
        Column("tenant", String(63), nullable=False),
        Column("body", LargeBinary, nullable=False),
        UniqueConstraint("id", name="to_be_said_once"),
    )

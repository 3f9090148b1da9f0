"""The tables of datasets and runs; `runs_migrations` makes them."""

from pathlib import Path

from sqlalchemy import JSON, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text, UniqueConstraint

from loopline_sql.migrations import Migrations

MIGRATIONS = Migrations("runs", Path(__file__).parent / "runs_migrations")
METADATA = MetaData()
DATASETS = Table(
    "datasets",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("hash", String(32), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("note", Text, nullable=False),
)
# Rows by their content, common to all versions that hold them. `content` null: erased, with the document it came from.
ROWS = Table(
    "dataset_rows",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("row_hash", String(32), primary_key=True),
    Column("content", JSON(none_as_null=True)),
    Column("origin", JSON, nullable=False),
)
VERSION_ROWS = Table(
    "version_rows",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("hash", String(32), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("row_hash", String(32), nullable=False),
    Index("version_rows_by_row", "tenant", "row_hash"),
)
ROW_DOCUMENTS = Table(
    "row_documents",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("document", String(128), primary_key=True),
    Column("row_hash", String(32), primary_key=True),
    Column("revision", Integer, nullable=False),
)
RUNS = Table(
    "runs",
    METADATA,
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
    Index("runs_by_state", "state", "created_at"),
    Index("runs_by_tenant", "tenant", "created_at"),
)
# Scores null: answered, and not scored yet. The figures are those of answer and scores together.
UNITS = Table(
    "run_units",
    METADATA,
    Column("run_id", String(64), primary_key=True),
    Column("row_id", String(255), primary_key=True),
    Column("trial", Integer, primary_key=True),
    Column("reply", JSON, nullable=False),
    Column("scores", JSON(none_as_null=True)),
    Column("requests", Integer, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("money", Float),
    Column("answered_at", Float, nullable=False),
)
GIVEN = Table(
    "given_answers",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("answers", JSON, nullable=False),
)
GATES = Table(
    "gates",
    METADATA,
    Column("gate_id", String(64), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("decided", JSON, nullable=False),
)
TO_BE_SAID = Table(
    "to_be_said",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(128), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("id", name="to_be_said_once"),
)

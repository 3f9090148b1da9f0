"""The first shape."""

from alembic.operations import Operations
from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, LargeBinary, String, Text

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    """Makes the tables."""
    op.create_table(
        "answers",
        Column("answer_id", String(64), primary_key=True),
        Column("tenant", String(63), nullable=False),
        Column("started_at", Float, nullable=False),
        Column("fact", LargeBinary, nullable=False),
        Column("stage", String(16), nullable=False),
        Column("why", String(32), nullable=False),
        Column("flagged", Boolean, nullable=False),
        Column("lease_until", Float, nullable=False, server_default="0"),
    )
    op.create_index("answers_by_stage", "answers", ["stage", "flagged"])
    op.create_index("answers_by_start", "answers", ["tenant", "started_at"])
    op.create_table(
        "marks",
        Column("kind", String(16), primary_key=True),
        Column("value", String(512), primary_key=True),
        Column("answer_id", String(64), primary_key=True),
    )
    op.create_index("marks_by_answer", "marks", ["answer_id"])
    op.create_table(
        "scores",
        Column("answer_id", String(64), primary_key=True),
        Column("metric", String(128), primary_key=True),
        Column("value", Float),
        Column("verdict", String(8), nullable=False),
        Column("score", JSON, nullable=False),
    )
    op.create_index("scores_by_value", "scores", ["metric", "value"])
    op.create_table(
        "feedback",
        Column("answer_id", String(64), primary_key=True),
        Column("by", String(128), primary_key=True),
        Column("tenant", String(63), nullable=False),
        Column("thumb", String(8), nullable=False),
        Column("score", Float),
        Column("correction", Text, nullable=False),
        Column("comment", Text, nullable=False),
        Column("categories", JSON, nullable=False),
        Column("at", Float, nullable=False),
        Column("revision", Integer, nullable=False),
    )
    op.create_table(
        "outbox",
        Column("number", Integer, primary_key=True),
        Column("id", String(256), nullable=False),
        Column("kind", String(32), nullable=False),
        Column("tenant", String(63), nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    op.create_table(
        "purses",
        Column("purse", String(256), primary_key=True),
        Column("requests", Integer, nullable=False),
        Column("prompt_tokens", Integer, nullable=False),
        Column("completion_tokens", Integer, nullable=False),
        Column("open_tokens", Integer, nullable=False),
    )
    op.create_table(
        "reservations",
        Column("id", String(32), primary_key=True),
        Column("purse", String(256), nullable=False),
        Column("tokens", Integer, nullable=False),
    )
    op.create_table(
        "queues",
        Column("tenant", String(63), primary_key=True),
        Column("name", String(64), primary_key=True),
        Column("queue", JSON, nullable=False),
    )
    op.create_table(
        "items",
        Column("tenant", String(63), primary_key=True),
        Column("queue", String(64), primary_key=True),
        Column("answer_id", String(64), primary_key=True),
        Column("why", String(32), nullable=False),
        Column("at", Float, nullable=False),
    )
    op.create_index("items_by_answer", "items", ["answer_id"])
    op.create_table(
        "labels",
        Column("tenant", String(63), primary_key=True),
        Column("queue", String(64), primary_key=True),
        Column("answer_id", String(64), primary_key=True),
        Column("annotator", String(128), primary_key=True),
        Column("label", String(64), nullable=False),
        Column("note", Text, nullable=False),
        Column("at", Float, nullable=False),
        Column("lease_until", Float, nullable=False),
    )
    op.create_table(
        "calibrations",
        Column("tenant", String(63), primary_key=True),
        Column("metric", String(128), primary_key=True),
        Column("model", String(256), primary_key=True),
        Column("calibration", JSON, nullable=False),
        Column("at", Float, nullable=False),
    )
    op.create_table(
        "erased",
        Column("tenant", String(63), primary_key=True),
        Column("document", String(64), primary_key=True),
        Column("revision", BigInteger, nullable=False),
    )

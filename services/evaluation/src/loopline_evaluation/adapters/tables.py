"""The tables of this service's store."""

from pathlib import Path

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from loopline_sql.migrations import Migrations

MIGRATIONS = Migrations("scores", Path(__file__).parent / "scores_migrations")
# When these change, scores_migrations/ gets a revision; a test compares the two.
METADATA = MetaData()
ANSWERS = Table(
    "answers",
    METADATA,
    Column("answer_id", String(64), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("started_at", Float, nullable=False),
    # AnswerFinished, as it was announced.
    Column("fact", LargeBinary, nullable=False),
    # Of the judge: Stage, Why, whether it goes before the sampled ones, who has it until when.
    Column("stage", String(16), nullable=False),
    Column("why", String(32), nullable=False),
    Column("flagged", Boolean, nullable=False),
    Column("lease_until", Float, nullable=False, server_default="0"),
    Index("answers_by_start", "tenant", "started_at"),
    Index("answers_by_stage", "stage", "flagged"),
)
# What answers are looked up by: version, collection, document.
MARKS = Table(
    "marks",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("value", String(512), primary_key=True),
    Column("answer_id", String(64), primary_key=True),
    Index("marks_by_answer", "answer_id"),
)
SCORES = Table(
    "scores",
    METADATA,
    Column("answer_id", String(64), primary_key=True),
    Column("metric", String(128), primary_key=True),
    Column("value", Float),
    Column("verdict", String(8), nullable=False),
    Column("score", JSON, nullable=False),
    Index("scores_by_value", "metric", "value"),
)
FEEDBACK = Table(
    "feedback",
    METADATA,
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
# Facts that are to be said: written with what they tell, removed when their stream has them.
OUTBOX = Table(
    "outbox",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("id", String(256), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
# What was spent under each purse (live/2026-11-24, run/...), requests that got no reply with all they can have cost.
PURSES = Table(
    "purses",
    METADATA,
    Column("purse", String(256), primary_key=True),
    Column("requests", Integer, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("open_tokens", Integer, nullable=False),
)
RESERVATIONS = Table(
    "reservations",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("purse", String(256), nullable=False),
    Column("tokens", Integer, nullable=False),
)
# What people label: a queue with its rubric and rules, its items, who holds one until when, and the labels.
QUEUES = Table(
    "queues",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("queue", JSON, nullable=False),
)
ITEMS = Table(
    "items",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("queue", String(64), primary_key=True),
    Column("answer_id", String(64), primary_key=True),
    Column("why", String(32), nullable=False),
    Column("at", Float, nullable=False),
    Index("items_by_answer", "answer_id"),
)
LABELS = Table(
    "labels",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("queue", String(64), primary_key=True),
    Column("answer_id", String(64), primary_key=True),
    Column("annotator", String(128), primary_key=True),
    # Empty while the item is only held.
    Column("label", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("lease_until", Float, nullable=False),
)
# How well a judge agrees with people, and what sways it; the latest of each metric and judge model.
CALIBRATIONS = Table(
    "calibrations",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("metric", String(128), primary_key=True),
    Column("model", String(256), primary_key=True),
    Column("calibration", JSON, nullable=False),
    Column("at", Float, nullable=False),
)
# Documents that were erased, up to a revision: what quotes them and comes late is scrubbed.
ERASED = Table(
    "erased",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("document", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

"""The tables of this service's store."""

from sqlalchemy import JSON, Column, Float, Index, LargeBinary, MetaData, String, Table

METADATA = MetaData()
ANSWERS = Table(
    "answers",
    METADATA,
    Column("answer_id", String(32), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("started_at", Float, nullable=False),
    # AnswerFinished, as it was announced.
    Column("fact", LargeBinary, nullable=False),
    Index("answers_by_start", "tenant", "started_at"),
)
SCORES = Table(
    "scores",
    METADATA,
    Column("answer_id", String(32), primary_key=True),
    Column("metric", String(64), primary_key=True),
    Column("value", Float),
    Column("score", JSON, nullable=False),
    Index("scores_by_value", "metric", "value"),
)

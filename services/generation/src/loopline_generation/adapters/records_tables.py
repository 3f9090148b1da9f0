"""The tables of answers and conversations. When they change, records_migrations/ gets a revision; a test compares the two."""

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text

METADATA = MetaData()
ANSWERS = Table(
    "answers",
    METADATA,
    Column("answer_id", String(32), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("record", JSON, nullable=False),
    Index("answers_by_start", "started_at"),
    Index("answers_by_outcome", "outcome"),
)
TURNS = Table(
    "turns",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("conversation_id", String(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("role", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Index("turns_by_conversation", "tenant", "conversation_id", "id"),
)
# Which answer was given passages of which document.
SOURCES = Table(
    "sources",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("document_id", String(64), primary_key=True),
    Column("answer_id", String(32), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Index("sources_by_answer", "answer_id"),
)
# What comes late is measured against this.
ERASED = Table(
    "erased",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("document_id", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

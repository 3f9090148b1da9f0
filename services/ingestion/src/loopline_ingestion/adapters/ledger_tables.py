"""The tables of the ledger. When they change, ledger_migrations/ gets a revision; a test compares the two."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData()

DOCUMENTS = Table(
    "documents",
    METADATA,
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
    Index("documents_by_source", "tenant", "collection", "source", "document_id"),
    Index("documents_by_state", "state", "changed_at"),
    Index("documents_by_upload", "upload_id"),
    Index("documents_by_turn", "state", "tenant", "revision"),
)

BATCHES = Table(
    "batches",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("document_id", String(64), primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("index_version", String(63), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("batch_count", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
)

COLLECTIONS = Table(
    "collections",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("expectations_json", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

# Index versions; `revision` is the sequence of the fact that added it, 0 while only its end is known.
PLANS = Table(
    "plans",
    METADATA,
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

# Documents that failed in an index version that is being built; what serves is not touched by that.
SETBACKS = Table(
    "setbacks",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("document_id", String(64), primary_key=True),
    Column("index_version", String(63), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("reasons", JSON, nullable=False),
)

ERASURES = Table(
    "erasures",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("document_id", String(64), primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("collection", String(63), nullable=False),
    Column("reason", String(256), nullable=False),
    Column("ordered_at", DateTime(timezone=True), nullable=False),
    Index("erasures_by_time", "ordered_at"),
)

REMOVALS = Table(
    "removals",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("owner", String(63), primary_key=True),
    Column("event_id", String(128), primary_key=True),
    Column("document_id", String(64), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("said_at", DateTime(timezone=True), nullable=False),
    Column("removals", JSON, nullable=False),
    Index("removals_by_document", "document_id", "revision"),
)

# Documents that were taken up: an accepted one that is not here waits for its turn. `waited`: it was told of its turn by a message of its own.
TURNS = Table(
    "turns",
    METADATA,
    Column("tenant", String(63), primary_key=True),
    Column("document_id", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("waited", Boolean, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

"""The tables of the ledger. It is a read model: when they change, it is dropped and rebuilt from the streams."""

import hashlib

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    select,
)

METADATA = MetaData()

# One row: which shape the tables have.
SHAPE = Table("shape", METADATA, Column("hash", String(64), primary_key=True))

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


def make_tables(db: Connection) -> None:
    """Makes what is missing. Tables of another shape are dropped: the ledger is empty then, and is rebuilt."""
    told = "\n".join(
        f"{column.table.name}.{column.name} {column.type}"
        for table in METADATA.sorted_tables
        for column in table.columns
    )
    shape = hashlib.sha256(told.encode()).hexdigest()
    known = db.scalar(select(SHAPE.c.hash)) if inspect(db).has_table(SHAPE.name) else None
    if known == shape:
        return
    METADATA.drop_all(db)
    METADATA.create_all(db)
    db.execute(SHAPE.insert().values(hash=shape))

"""Orders to erase, and what owners said of them; filled from the streams."""

from alembic.operations import Operations
from sqlalchemy import JSON, BigInteger, Column, DateTime, String

revision = "0003"
down_revision = "0002"


def upgrade(op: Operations) -> None:
    """Makes the tables."""
    op.create_table(
        "erasures",
        Column("tenant", String(63), primary_key=True),
        Column("document_id", String(64), primary_key=True),
        Column("revision", BigInteger, primary_key=True),
        Column("collection", String(63), nullable=False),
        Column("reason", String(256), nullable=False),
        Column("ordered_at", DateTime(timezone=True), nullable=False),
    )
    op.create_index("erasures_by_time", "erasures", ["ordered_at"])
    op.create_table(
        "removals",
        Column("tenant", String(63), primary_key=True),
        Column("owner", String(63), primary_key=True),
        Column("event_id", String(128), primary_key=True),
        Column("document_id", String(64), nullable=False),
        Column("revision", BigInteger, nullable=False),
        Column("said_at", DateTime(timezone=True), nullable=False),
        Column("removals", JSON, nullable=False),
    )
    op.create_index("removals_by_document", "removals", ["document_id", "revision"])

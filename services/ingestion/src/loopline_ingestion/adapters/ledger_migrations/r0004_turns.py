"""Turns of tenants."""

from alembic.operations import Operations
from sqlalchemy import BigInteger, Boolean, Column, DateTime, String

revision = "0004"
down_revision = "0003"


def upgrade(op: Operations) -> None:
    """Makes the table."""
    op.create_table(
        "turns",
        Column("tenant", String(63), primary_key=True),
        Column("document_id", String(64), primary_key=True),
        Column("revision", BigInteger, nullable=False),
        Column("given", Boolean, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
    )
    op.create_index("turns_by_given", "turns", ["given", "tenant", "revision"])

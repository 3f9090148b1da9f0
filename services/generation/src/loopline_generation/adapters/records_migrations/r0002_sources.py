"""Which answer was given passages of which document, and which documents were erased; filled from the answers when it is opened."""

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, String

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """Makes the tables."""
    op.create_table(
        "sources",
        Column("tenant", String(63), primary_key=True),
        Column("document_id", String(64), primary_key=True),
        Column("answer_id", String(32), primary_key=True),
        Column("revision", BigInteger, nullable=False),
    )
    op.create_index("sources_by_answer", "sources", ["answer_id"])
    op.create_table(
        "erased",
        Column("tenant", String(63), primary_key=True),
        Column("document_id", String(64), primary_key=True),
        Column("revision", BigInteger, nullable=False),
    )

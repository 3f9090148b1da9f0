"""The first shape under migrations. Tables from before have it already, and are kept."""

from alembic.operations import Operations
from sqlalchemy import JSON, Column, Float, Integer, String, Text

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    """Makes the tables that are missing."""
    op.create_table(
        "answers",
        Column("answer_id", String(32), primary_key=True),
        Column("tenant", String(63), nullable=False),
        Column("started_at", Float, nullable=False),
        Column("outcome", String(16), nullable=False),
        Column("record", JSON, nullable=False),
        if_not_exists=True,
    )
    op.create_index("answers_by_start", "answers", ["started_at"], if_not_exists=True)
    op.create_index("answers_by_outcome", "answers", ["outcome"], if_not_exists=True)
    op.create_table(
        "turns",
        Column("id", Integer, primary_key=True),
        Column("tenant", String(63), nullable=False),
        Column("conversation_id", String(128), nullable=False),
        Column("at", Float, nullable=False),
        Column("role", String(16), nullable=False),
        Column("content", Text, nullable=False),
        if_not_exists=True,
    )
    op.create_index("turns_by_conversation", "turns", ["tenant", "conversation_id", "id"], if_not_exists=True)

"""Records, places, closed windows, letters."""

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, String, UniqueConstraint

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    """Makes the tables."""
    op.create_table(
        "records",
        Column("kind", String(32), primary_key=True),
        Column("id", String(1024), primary_key=True),
        Column("body", LargeBinary, nullable=False),
    )
    op.create_table(
        "places",
        Column("reader", String(64), primary_key=True),
        Column("sequence", BigInteger, nullable=False),
    )
    op.create_table(
        "windows",
        Column("number", Integer, primary_key=True),
        Column("tenant", String(63), nullable=False),
        Column("collection", String(255), nullable=False),
        Column("slice", String(255), nullable=False),
        Column("signal", String(255), nullable=False),
        Column("ended", Float, nullable=False),
        Column("span", LargeBinary, nullable=False),
        Column("sketch", LargeBinary, nullable=False),
    )
    op.create_index("windows_by_time", "windows", ["tenant", "ended"])
    op.create_table(
        "letters",
        Column("number", Integer, primary_key=True),
        Column("id", String(160), nullable=False),
        Column("receiver", String(64), nullable=False),
        Column("tries", Integer, nullable=False),
        Column("due", Float, nullable=False),
        Column("body", LargeBinary, nullable=False),
        UniqueConstraint("id", name="letters_by_id"),
    )

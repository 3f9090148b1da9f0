from alembic.operations import Operations
from sqlalchemy import Column, String

revision = "1"
down_revision = None


def upgrade(op: Operations) -> None:
    op.create_table("people", Column("name", String(8), primary_key=True), Column("age", String(8)))

"""What a release does in earnest: another type for a column that holds rows."""

from alembic.operations import Operations
from sqlalchemy import Integer

revision = "2"
down_revision = "1"


def upgrade(op: Operations) -> None:
    with op.batch_alter_table("people") as people:
        people.alter_column("age", type_=Integer(), postgresql_using="age::integer")

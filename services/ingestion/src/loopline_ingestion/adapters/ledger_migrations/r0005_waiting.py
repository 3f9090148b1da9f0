"""Who waits for a turn is not written down any more: it is who was accepted and has none."""

from alembic.operations import Operations
from sqlalchemy import text

revision = "0005"
down_revision = "0004"


def upgrade(op: Operations) -> None:
    """Turns that were given stay."""
    op.execute(text("delete from turns where not given"))
    op.execute(text("update turns set given = false"))
    op.drop_index("turns_by_given", "turns")
    op.execute(text("alter table turns rename column given to waited"))
    op.create_index("documents_by_turn", "documents", ["state", "tenant", "revision"])

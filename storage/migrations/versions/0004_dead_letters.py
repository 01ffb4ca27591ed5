"""Alerts that nobody tries any more, and how often each was given out."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WAITING = ("ix_alert_waiting", "alert", ["sink", "next_at", "key"])


def upgrade() -> None:
    """Two columns more, and the index of what waits leaves out what is dead. No alert is dead yet."""
    op.add_column("alert", sa.Column("given", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alert", sa.Column("dead_at", UTCDateTime(), nullable=True))
    op.execute("UPDATE alert SET given = attempts")
    _wait("sent_at IS NULL AND dead_at IS NULL")


def downgrade() -> None:
    """What is dead waits again."""
    _wait("sent_at IS NULL")
    op.drop_column("alert", "dead_at")
    op.drop_column("alert", "given")


def _wait(condition: str) -> None:
    op.drop_index("ix_alert_waiting", table_name="alert")
    op.create_index(*_WAITING, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))

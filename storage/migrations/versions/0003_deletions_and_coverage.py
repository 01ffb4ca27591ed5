"""What was deleted, what was not heard, which hosts are in trouble, and what was answered."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three tables and some columns more; nothing that was there changes, and no table is written anew."""
    op.add_column("mention", sa.Column("checked_at", UTCDateTime(), nullable=True))
    op.add_column("mention", sa.Column("missed_at", UTCDateTime(), nullable=True))
    op.create_index("ix_mention_source_heard_at_checked_at", "mention", ["source", "heard_at", "checked_at"])
    op.add_column("visit", sa.Column("gone", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("visit", sa.Column("unchecked", AutoString(), nullable=True))
    op.add_column("visit", sa.Column("unchecked_at", UTCDateTime(), nullable=True))
    op.add_column("cursor", sa.Column("began", UTCDateTime(), nullable=True))
    op.add_column("alert", sa.Column("mention_key", AutoString(length=512), nullable=True))
    op.create_table(
        "circuit",
        sa.Column("host", AutoString(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", UTCDateTime(), nullable=True),
        sa.Column("why", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_circuit")),
    )
    op.create_table(
        "coverage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("start", UTCDateTime(), nullable=True),
        sa.Column("end", UTCDateTime(), nullable=False),
        sa.Column("why", AutoString(), nullable=True),
        sa.Column("first_at", UTCDateTime(), nullable=False),
        sa.Column("told_at", UTCDateTime(), nullable=False),
        sa.Column("broken", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage")),
    )
    op.create_index(op.f("ix_coverage_source"), "coverage", ["source"])
    op.create_table(
        "reply",
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("mention_key", AutoString(length=512), nullable=False),
        sa.Column("text", AutoString(), nullable=False),
        sa.Column("ordered_at", UTCDateTime(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("receipt", AutoString(), nullable=True),
        sa.Column("error", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_reply")),
    )
    op.create_index(op.f("ix_reply_mention_key"), "reply", ["mention_key"])


def downgrade() -> None:
    """Forget what was not heard, who is in trouble and what was answered."""
    op.drop_table("reply")
    op.drop_table("coverage")
    op.drop_table("circuit")
    op.drop_column("alert", "mention_key")
    op.drop_column("cursor", "began")
    op.drop_column("visit", "unchecked_at")
    op.drop_column("visit", "unchecked")
    op.drop_column("visit", "gone")
    op.drop_index("ix_mention_source_heard_at_checked_at", "mention")
    op.drop_column("mention", "missed_at")
    op.drop_column("mention", "checked_at")

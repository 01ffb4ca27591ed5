"""Corrections, and the lessons learnt from them."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables more; nothing that was there changes."""
    op.create_table(
        "correction",
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("mention_key", AutoString(length=512), nullable=False),
        sa.Column("field", AutoString(), nullable=False),
        sa.Column("said", AutoString(), nullable=True),
        sa.Column("answer", AutoString(), nullable=False),
        sa.Column("by", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("version", AutoString(), nullable=False),
        sa.Column("wording", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("replaced", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mention_key"], ["mention.key"], name=op.f("fk_correction_mention_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_correction")),
    )
    op.create_index("ix_correction_mention_key_number", "correction", ["mention_key", "number"])
    op.create_index(
        "ix_correction_held",
        "correction",
        ["mention_key", "field"],
        unique=True,
        sqlite_where=sa.text("NOT replaced"),
        postgresql_where=sa.text("NOT replaced"),
    )
    op.create_table(
        "lesson",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", AutoString(), nullable=False),
        sa.Column("digest", AutoString(), nullable=False),
        sa.Column("content", AutoString(), nullable=False),
        sa.Column("adopted_at", UTCDateTime(), nullable=False),
        sa.Column("learnt_until", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lesson")),
    )


def downgrade() -> None:
    """Forget what people said of our judgements."""
    op.drop_table("lesson")
    op.drop_table("correction")

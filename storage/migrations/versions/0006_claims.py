"""Who is judging what just now, so that two judges do not do the same work."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table more, empty; nothing that was there changes."""
    op.create_table(
        "claim",
        sa.Column("mention_key", AutoString(length=512), nullable=False),
        sa.Column("judge", AutoString(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("mention_key", name=op.f("pk_claim")),
    )


def downgrade() -> None:
    """Whoever judges just now may be doing what another does."""
    op.drop_table("claim")

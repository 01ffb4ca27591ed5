"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "alert",
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("sink", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("case", AutoString(), nullable=True),
        sa.Column("title", AutoString(), nullable=False),
        sa.Column("who", AutoString(), nullable=True),
        sa.Column("text", AutoString(), nullable=False),
        sa.Column("where", AutoString(), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("team", AutoString(), nullable=False),
        sa.Column("urgency", AutoString(), nullable=True),
        sa.Column("reply_by", UTCDateTime(), nullable=True),
        sa.Column("said_at", UTCDateTime(), nullable=True),
        sa.Column("url", AutoString(), nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("receipt", AutoString(), nullable=True),
        sa.Column("error", AutoString(), nullable=True),
        sa.Column("who_acts", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("key", "sink", name=op.f("pk_alert")),
    )
    op.create_index(op.f("ix_alert_case"), "alert", ["case"])
    op.create_index("ix_alert_sent_at_made_at", "alert", ["sent_at", "made_at"])
    op.create_index("ix_alert_sink_sent_at", "alert", ["sink", "sent_at"])
    op.create_index(
        "ix_alert_waiting",
        "alert",
        ["sink", "next_at", "key"],
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )

    op.create_table(
        "cases",
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("first_mention", AutoString(length=512), nullable=False),
        sa.Column("brand", AutoString(), nullable=True),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("author", AutoString(), nullable=True),
        sa.Column("thread", AutoString(), nullable=True),
        sa.Column("fingerprint", AutoString(), nullable=False),
        sa.Column("category", AutoString(), nullable=True),
        sa.Column("urgency", AutoString(), nullable=True),
        sa.Column("grave", sa.JSON(), nullable=False),
        sa.Column("route", AutoString(), nullable=False),
        sa.Column("team", AutoString(), nullable=False),
        sa.Column("opened_at", UTCDateTime(), nullable=False),
        sa.Column("reply_by", UTCDateTime(), nullable=False),
        sa.Column("last_said_at", UTCDateTime(), nullable=False),
        sa.Column("answered_at", UTCDateTime(), nullable=True),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.Column("closed_because", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_author", "cases", ["author"], postgresql_using="hash")
    op.create_index("ix_cases_fingerprint", "cases", ["fingerprint"], postgresql_using="hash")
    op.create_index(op.f("ix_cases_opened_at"), "cases", ["opened_at"])
    op.create_index("ix_cases_state_reply_by", "cases", ["state", "reply_by"])
    op.create_index("ix_cases_thread", "cases", ["thread"], postgresql_using="hash")

    op.create_table(
        "cursor",
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("cursor", AutoString(), nullable=False),
        sa.Column("moved_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_cursor")),
    )
    op.create_table(
        "mention",
        sa.Column("key", AutoString(length=512), nullable=False),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("text", AutoString(), nullable=False),
        sa.Column("title", AutoString(), nullable=True),
        sa.Column("said_at", UTCDateTime(), nullable=False),
        sa.Column("edited_at", UTCDateTime(), nullable=True),
        sa.Column("url", AutoString(), nullable=True),
        sa.Column("author", AutoString(), nullable=True),
        sa.Column("author_id", AutoString(), nullable=True),
        sa.Column("author_reach", sa.BigInteger(), nullable=True),
        sa.Column("language", AutoString(), nullable=True),
        sa.Column("rating", sa.Float(), nullable=True),
        sa.Column("rating_min", sa.Float(), nullable=True),
        sa.Column("rating_max", sa.Float(), nullable=True),
        sa.Column("thread", AutoString(), nullable=True),
        sa.Column("parent", AutoString(), nullable=True),
        sa.Column("brand", AutoString(), nullable=True),
        sa.Column("product", AutoString(), nullable=True),
        sa.Column("product_version", AutoString(), nullable=True),
        sa.Column("country", AutoString(), nullable=True),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.Column("replies", sa.BigInteger(), nullable=True),
        sa.Column("reposts", sa.BigInteger(), nullable=True),
        sa.Column("by_brand", sa.Boolean(), nullable=False),
        sa.Column("heard_at", UTCDateTime(), nullable=False),
        sa.Column("wording", sa.Integer(), nullable=False),
        sa.Column("judged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_mention")),
    )
    op.create_index(
        "ix_mention_by_brand",
        "mention",
        ["parent"],
        sqlite_where=sa.text("by_brand"),
        postgresql_where=sa.text("by_brand"),
        postgresql_using="hash",
    )
    op.create_index("ix_mention_said_at_key", "mention", ["said_at", "key"])
    op.create_index(
        "ix_mention_unjudged",
        "mention",
        ["said_at"],
        sqlite_where=sa.text("NOT judged"),
        postgresql_where=sa.text("NOT judged"),
    )

    op.create_table(
        "rejected",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("digest", AutoString(), nullable=False),
        sa.Column("place", AutoString(), nullable=False),
        sa.Column("reason", AutoString(), nullable=False),
        sa.Column("item", AutoString(), nullable=False),
        sa.Column("heard_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected")),
        sa.UniqueConstraint("source", "digest", name=op.f("uq_rejected_source_digest")),
    )
    op.create_index(op.f("ix_rejected_heard_at"), "rejected", ["heard_at"])

    op.create_table(
        "visit",
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=False),
        sa.Column("heard", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("error", AutoString(), nullable=True),
        sa.Column("who_acts", AutoString(), nullable=True),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
    )
    op.create_index("ix_visit_source_id", "visit", ["source", "id"])
    op.create_index(op.f("ix_visit_started_at"), "visit", ["started_at"])

    op.create_table(
        "analysis",
        sa.Column("mention_key", AutoString(length=512), nullable=False),
        sa.Column("version", AutoString(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("language", AutoString(), nullable=True),
        sa.Column("lane", AutoString(), nullable=False),
        sa.Column("lane_probabilities", sa.JSON(), nullable=False),
        sa.Column("needs_reply", sa.Boolean(), nullable=False),
        sa.Column("complaint", sa.Boolean(), nullable=True),
        sa.Column("complaint_probability", sa.Float(), nullable=True),
        sa.Column("sentiment", AutoString(), nullable=False),
        sa.Column("sentiment_score", sa.Float(), nullable=True),
        sa.Column("category", AutoString(), nullable=True),
        sa.Column("urgency", AutoString(), nullable=True),
        sa.Column("stage", AutoString(), nullable=True),
        sa.Column("touchpoint", AutoString(), nullable=True),
        sa.Column("factor", AutoString(), nullable=True),
        sa.Column("grave", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("said_at", UTCDateTime(), nullable=False),
        sa.Column("handled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mention_key"], ["mention.key"], name=op.f("fk_analysis_mention_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mention_key", name=op.f("pk_analysis")),
    )
    op.create_index(
        "ix_analysis_unhandled",
        "analysis",
        ["handled", "version", "said_at"],
        sqlite_where=sa.text("handled = false"),
        postgresql_where=sa.text("handled = false"),
    )
    op.create_index("ix_analysis_version_said_at_lane", "analysis", ["version", "said_at", "lane"])

    op.create_table(
        "case_mention",
        sa.Column("mention_key", AutoString(length=512), nullable=False),
        sa.Column("case_key", AutoString(), nullable=False),
        sa.ForeignKeyConstraint(["case_key"], ["cases.key"], name=op.f("fk_case_mention_case_key"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["mention_key"], ["mention.key"], name=op.f("fk_case_mention_mention_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mention_key", name=op.f("pk_case_mention")),
    )
    op.create_index(op.f("ix_case_mention_case_key"), "case_mention", ["case_key"])

    op.create_table(
        "raw",
        sa.Column("mention_key", AutoString(length=512), nullable=False),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("item", AutoString(), nullable=False),
        sa.ForeignKeyConstraint(["mention_key"], ["mention.key"], name=op.f("fk_raw_mention_key"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mention_key", name=op.f("pk_raw")),
    )


def downgrade() -> None:
    """Forget everything."""
    op.drop_table("raw")
    op.drop_table("case_mention")
    op.drop_table("analysis")
    op.drop_table("visit")
    op.drop_table("rejected")
    op.drop_table("mention")
    op.drop_table("cursor")
    op.drop_table("cases")
    op.drop_table("alert")

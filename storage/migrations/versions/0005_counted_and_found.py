"""How many of which kind were said in each hour, and which words stand in which mention."""

from sqlite3 import sqlite_version_info

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SECURE_SINCE = (3, 42)
_HOURS = [f"h{hour:02}" for hour in range(24)]
_INDEX = """
CREATE VIRTUAL TABLE mention_words USING fts5(title, text, content='mention', tokenize='unicode61 remove_diacritics 2')
"""
_FORGET = """
CREATE TRIGGER mention_words_forget AFTER DELETE ON mention
WHEN EXISTS (SELECT 1 FROM mention_words_docsize WHERE id = old.rowid) BEGIN
INSERT INTO mention_words (mention_words, rowid, title, text) VALUES ('delete', old.rowid, old.title, old.text);
END
"""
_REPLACE = """
CREATE TRIGGER mention_words_replace AFTER UPDATE OF title, text ON mention
WHEN EXISTS (SELECT 1 FROM mention_words_docsize WHERE id = old.rowid)
AND (old.title IS NOT new.title OR old.text IS NOT new.text) BEGIN
INSERT INTO mention_words (mention_words, rowid, title, text) VALUES ('delete', old.rowid, old.title, old.text);
INSERT INTO mention_words (rowid, title, text) VALUES (new.rowid, new.title, new.text);
END
"""
_SIGNS = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7"
    r"\u2000-\u206f\u20a0-\u20cf\u2122\u2190-\u245f\u2500-\u2bff\u3000-\u3004\u3008-\u3020\ufe00-\ufe0f"
    r"\U0001f000-\U0001faff]+"
)
_TEXT = "left(coalesce(title, '') || ' ' || text, 100000)"
_WORDS = f"to_tsvector('simple', regexp_replace({_TEXT}, '{_SIGNS}', ' ', 'g'))"


def upgrade() -> None:
    """Count what is judged already, and note every word that is here. No table is written anew."""
    op.create_table(
        "tally",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("lane", AutoString(), nullable=False),
        sa.Column("sentiment", AutoString(), nullable=False),
        sa.Column("complaint", sa.Boolean(), nullable=False),
        sa.Column("by_brand", sa.Boolean(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *(sa.Column(hour, sa.Integer(), nullable=False) for hour in _HOURS),
        sa.PrimaryKeyConstraint("day", "source", "lane", "sentiment", "complaint", "by_brand", name=op.f("pk_tally")),
        sqlite_with_rowid=False,
    )
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    day, hour = ("date(m.said_at)", "CAST(strftime('%H', m.said_at) AS INTEGER)")
    if not on_sqlite:
        day, hour = ("(m.said_at AT TIME ZONE 'UTC')::date", "extract(hour FROM m.said_at AT TIME ZONE 'UTC')")
    kind = f"{day}, m.source, a.lane, a.sentiment, coalesce(a.complaint, false), m.by_brand"
    hours = ", ".join(f"sum(CASE WHEN {hour} = {number} THEN 1 ELSE 0 END)" for number in range(24))
    op.execute(
        f"INSERT INTO tally SELECT {kind}, count(*), {hours} "  # noqa: S608 - nobody else's words
        "FROM analysis a JOIN mention m ON m.key = a.mention_key GROUP BY 1, 2, 3, 4, 5, 6"
    )
    if on_sqlite:
        _note_words()
    else:
        op.execute(f"CREATE INDEX ix_mention_words ON mention USING gin ({_WORDS})")


def downgrade() -> None:
    """Count when asked, and look through every mention for a word."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER IF EXISTS mention_words_replace")
        op.execute("DROP TRIGGER IF EXISTS mention_words_forget")
        op.execute("DROP TABLE IF EXISTS mention_words")
    else:
        op.execute("DROP INDEX ix_mention_words")
    op.drop_table("tally")


def _note_words() -> None:
    connection = op.get_bind()
    if not connection.scalar(sa.text("SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'")):
        return  # a SQLite built without it: a search then looks through every mention
    # No trigger for what is new: saving notes a page of mentions at once, which costs a tenth of one by one.
    for statement in (_INDEX, _FORGET, _REPLACE, "INSERT INTO mention_words (mention_words) VALUES ('rebuild')"):
        op.execute(statement)
    if sqlite_version_info >= _SECURE_SINCE:
        op.execute("INSERT INTO mention_words (mention_words, rank) VALUES ('secure-delete', 1)")

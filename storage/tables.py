"""The tables: each inherits its noun and adds only keys, column types and what is still to be done with a row."""

from datetime import datetime
from typing import Literal

from sqlalchemy import JSON, BigInteger, Index, Table, UniqueConstraint, text
from sqlmodel import Field, SQLModel
from sqlmodel.sql.sqltypes import AutoString

from pipeline.analysis import Analysis
from pipeline.case import Case, CaseState
from pipeline.circuit import Circuit
from pipeline.classifier import Reason
from pipeline.correction import Correction, Question
from pipeline.mention import Mention, MentionKind
from pipeline.reply import Reply
from pipeline.route import Alert
from pipeline.sentiment import Feeling
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint, Urgency
from pipeline.visit import Visit

METADATA = SQLModel.metadata
METADATA.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}  # Alembic cannot drop on SQLite what has no name

UNJUDGED = text("NOT judged")
UNHANDLED = text("handled = false")
WAITING = text("sent_at IS NULL AND dead_at IS NULL")
BY_BRAND = text("by_brand")
HELD = text("NOT replaced")
"""What is left to do, and what the brand said itself. The index and the question must use the same words, or SQLite
reads the whole table; that `handled` is a column of its index too makes SQLite prefer it to the wider one."""


def _left(name: str, todo: object, *columns: str) -> Index:
    """An index of only what is left to do: it stays small however much is done."""
    return Index(name, *columns, sqlite_where=todo, postgresql_where=todo)


class MentionRow(Mention, table=True):
    """`wording` counts edits, so that a judgement of the old words is never saved as one of the new.

    `checked_at` is when somebody last looked whether it still stands where it was said; null: since it was heard.
    `missed_at` is when it was first not found there, with so many others that it was not believed.
    """

    __tablename__ = "mention"
    __table_args__ = (
        _left("ix_mention_unjudged", UNJUDGED, "said_at"),
        Index("ix_mention_said_at_key", "said_at", "key"),
        Index("ix_mention_source_heard_at_checked_at", "source", "heard_at", "checked_at"),
        Index(
            "ix_mention_by_brand", "parent", sqlite_where=BY_BRAND, postgresql_where=BY_BRAND, postgresql_using="hash"
        ),
    )

    key: str = Field(max_length=512, primary_key=True)
    kind: MentionKind = Field(sa_type=AutoString)
    author_reach: int | None = Field(default=None, sa_type=BigInteger)
    likes: int | None = Field(default=None, sa_type=BigInteger)
    replies: int | None = Field(default=None, sa_type=BigInteger)
    reposts: int | None = Field(default=None, sa_type=BigInteger)
    heard_at: datetime
    wording: int
    judged: bool
    checked_at: datetime | None = None
    missed_at: datetime | None = None


class RawRow(SQLModel, table=True):
    """What a mention was made from, as it came."""

    __tablename__ = "raw"

    mention_key: str = Field(max_length=512, primary_key=True, foreign_key="mention.key", ondelete="CASCADE")
    source: str
    item: str


class RejectedRow(SQLModel, table=True):
    """An item nobody could read, once however often it is heard; `digest` is the SHA-256 of the item."""

    __tablename__ = "rejected"
    __table_args__ = (UniqueConstraint("source", "digest"),)

    id: int | None = Field(default=None, primary_key=True)
    source: str
    digest: str
    place: str
    reason: str
    item: str
    heard_at: datetime = Field(index=True)


class CursorRow(SQLModel, table=True):
    """How far a source is read; `began` is when the walk did that moved it, null once that one came to its end."""

    __tablename__ = "cursor"

    source: str = Field(primary_key=True)
    cursor: str
    moved_at: datetime
    began: datetime | None


class VisitRow(Visit, table=True):
    """The newest visit of a source has its highest id."""

    __tablename__ = "visit"
    __table_args__ = (Index("ix_visit_source_id", "source", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    started_at: datetime = Field(index=True)
    gone: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class CoverageRow(SQLModel, table=True):
    """A stretch of time of one source: heard whole, or a gap where it says `why`; see pipeline/coverage.py."""

    __tablename__ = "coverage"

    id: int | None = Field(default=None, primary_key=True)
    source: str = Field(index=True)
    start: datetime | None
    end: datetime
    why: str | None
    first_at: datetime
    told_at: datetime
    broken: bool


class CircuitRow(Circuit, table=True):
    """A host that failed and has not answered since."""

    __tablename__ = "circuit"

    host: str = Field(primary_key=True)


class AnalysisRow(Analysis, table=True):
    """`handled`: the case step has seen this judgement. `said_at` repeats the mention's, which never changes."""

    __tablename__ = "analysis"
    __table_args__ = (
        _left("ix_analysis_unhandled", UNHANDLED, "handled", "version", "said_at"),
        Index("ix_analysis_version_said_at_lane", "version", "said_at", "lane"),
    )

    mention_key: str = Field(max_length=512, primary_key=True, foreign_key="mention.key", ondelete="CASCADE")
    versions: dict[str, str] = Field(sa_type=JSON)
    lane: Lane = Field(sa_type=AutoString)
    lane_probabilities: dict[str, float | None] = Field(sa_type=JSON)
    sentiment: Feeling = Field(sa_type=AutoString)
    category: Category | None = Field(sa_type=AutoString)
    urgency: Urgency | None = Field(sa_type=AutoString)
    stage: Stage | None = Field(sa_type=AutoString)
    touchpoint: Touchpoint | None = Field(sa_type=AutoString)
    factor: Factor | None = Field(sa_type=AutoString)
    grave: list[str] = Field(sa_type=JSON)
    reasons: list[Reason] = Field(sa_type=JSON)
    said_at: datetime
    handled: bool


class ClaimRow(SQLModel, table=True):
    """A mention that a `judge` has in hand, so that nobody else judges it before `until`.

    No foreign key: it would lock the mention. What is deleted meanwhile is forgotten with the claim, within minutes.
    """

    __tablename__ = "claim"

    mention_key: str = Field(max_length=512, primary_key=True)
    judge: str
    until: datetime


class CaseRow(Case, table=True):
    """Strangers choose author and thread, of any length: PostgreSQL indexes their hash."""

    __tablename__ = "cases"
    __table_args__ = (
        Index("ix_cases_author", "author", postgresql_using="hash"),
        Index("ix_cases_thread", "thread", postgresql_using="hash"),
        Index("ix_cases_fingerprint", "fingerprint", postgresql_using="hash"),
        Index("ix_cases_state_reply_by", "state", "reply_by"),
    )

    key: str = Field(primary_key=True)
    state: CaseState = Field(default=CaseState.OPEN, sa_type=AutoString)
    first_mention: str = Field(max_length=512)
    category: Category | None = Field(sa_type=AutoString)
    urgency: Urgency | None = Field(sa_type=AutoString)
    grave: list[str] = Field(sa_type=JSON)
    opened_at: datetime = Field(index=True)


class CaseMentionRow(SQLModel, table=True):
    """Which mentions belong to a case; a mention belongs to one at most."""

    __tablename__ = "case_mention"

    mention_key: str = Field(max_length=512, primary_key=True, foreign_key="mention.key", ondelete="CASCADE")
    case_key: str = Field(foreign_key="cases.key", ondelete="CASCADE", index=True)


class CorrectionRow(Correction, table=True):
    """`number` counts the corrections of a mention; `replaced` by a later one of the same question."""

    __tablename__ = "correction"
    __table_args__ = (
        Index("ix_correction_mention_key_number", "mention_key", "number"),
        Index("ix_correction_held", "mention_key", "field", unique=True, sqlite_where=HELD, postgresql_where=HELD),
    )

    key: str = Field(primary_key=True)
    mention_key: str = Field(max_length=512, foreign_key="mention.key", ondelete="CASCADE")
    field: Question = Field(sa_type=AutoString)
    number: int
    replaced: bool


class ReplyRow(Reply, table=True):
    """What was answered stays known when the mention is deleted, without its words."""

    __tablename__ = "reply"

    key: str = Field(primary_key=True)
    mention_key: str = Field(max_length=512, index=True)


class LessonRow(SQLModel, table=True):
    """A lesson that was adopted; the one with the highest id counts. `digest` is the SHA-256 of `content`."""

    __tablename__ = "lesson"

    id: int | None = Field(default=None, primary_key=True)
    version: str
    digest: str
    content: str
    adopted_at: datetime
    learnt_until: datetime


class AlertRow(Alert, table=True):
    """The outbox. A waiting alert may be taken from `next_at` on; taking it moves `next_at` to the end of the lease.

    `mention_key` is whose words it quotes, null where it quotes nobody, or was made before that was kept.
    `given` counts how often it was given out to be sent, `attempts` how often it is known how that ended: fewer mean
    that it may have gone out. `dead_at`: nobody tries it any more; with `sent_at` a person said that this is right.
    """

    __tablename__ = "alert"
    __table_args__ = (
        _left("ix_alert_waiting", WAITING, "sink", "next_at", "key"),
        Index("ix_alert_sink_sent_at", "sink", "sent_at"),
        Index("ix_alert_sent_at_made_at", "sent_at", "made_at"),
    )

    key: str = Field(primary_key=True)
    sink: str = Field(primary_key=True)
    kind: Literal["case", "watch", "digest", "solved"] = Field(default="case", sa_type=AutoString)
    case: str | None = Field(default=None, index=True)
    why: list[str] = Field(default_factory=list, sa_type=JSON)
    urgency: Urgency | None = Field(default=None, sa_type=AutoString)
    attempts: int
    next_at: datetime
    sent_at: datetime | None
    receipt: str | None
    error: str | None
    who_acts: str | None
    mention_key: str | None = Field(default=None, max_length=512)
    given: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    dead_at: datetime | None = None


def _table(name: str) -> Table:
    return METADATA.tables[name]


MENTION = _table("mention")
RAW = _table("raw")
REJECTED = _table("rejected")
CURSOR = _table("cursor")
VISIT = _table("visit")
ANALYSIS = _table("analysis")
CLAIM = _table("claim")
CASES = _table("cases")
CASE_MENTION = _table("case_mention")
ALERT = _table("alert")
CORRECTION = _table("correction")
LESSON = _table("lesson")
CIRCUIT = _table("circuit")
COVERAGE = _table("coverage")
REPLY = _table("reply")

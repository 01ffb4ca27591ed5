"""Case: one complaint somebody has to answer; when one is opened, joined, reopened and closed."""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Field, SQLModel

from pipeline.analysis import Analysis
from pipeline.mention import Mention
from pipeline.triage import Category, Urgency


class CaseState(StrEnum):
    """Open cases wait for an answer."""

    OPEN = "open"
    CLOSED = "closed"


class Case(SQLModel):
    """One complaint somebody has to answer. `key` is made from its first mention, so two runs cannot open it twice."""

    key: str
    state: CaseState = CaseState.OPEN
    first_mention: str
    brand: str | None
    source: str
    author: str | None
    thread: str | None
    fingerprint: str = Field(description="Of the words, so that a repost joins the case instead of opening another.")
    category: Category | None
    urgency: Urgency | None
    grave: list[str]
    route: str
    team: str
    opened_at: datetime
    reply_by: datetime
    last_said_at: datetime
    closed_at: datetime | None = None
    closed_because: str | None = None


class Step(StrEnum):
    """What a mention does to the cases."""

    OPEN = "open"
    JOIN = "join"
    REOPEN = "reopen"
    CLOSE = "close"
    NOTHING = "nothing"

"""Route: who hears of a case, how soon; Alert: what they hear."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator
from sqlmodel import SQLModel
from sqlmodel import Field as Column

from pipeline.analysis import Analysis
from pipeline.mention import Mention
from pipeline.triage import Category, Lane, Urgency

_DURATION = re.compile(r"(?:(\d+)d)? ?(?:(\d+)h)? ?(?:(\d+)m)?(?:(\d+)s)?")


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None or not any(found.groups()):
        message = 'write a duration like "30m", "2h" or "1d"'
        raise ValueError(message)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""A `timedelta` written "30m", "2h" or "1d" in the settings."""


class When(BaseModel, frozen=True, extra="forbid"):
    """Which cases a route is for: every field given must match; a field with several values matches any of them."""

    lane: tuple[Lane, ...] = ()
    category: tuple[Category, ...] = ()
    urgency: tuple[Urgency, ...] = ()
    source: tuple[str, ...] = ()
    brand: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    words: str | None = Field(default=None, description="A regular expression, searched in title and text, case ignored.")
    reach_from: int | None = Field(default=None, ge=0, description="Only authors with at least this many followers.")
    probability_from: float | None = Field(default=None, ge=0, le=1, description="Only where the lane is at least this sure.")


class Route(BaseModel, frozen=True, extra="forbid"):
    """A rule: which cases, to whom, how soon. Routes are asked in order; the first that matches decides."""

    name: str
    when: When = When()
    team: str
    reply_within: Duration
    sinks: tuple[str, ...] = ()


class Alert(SQLModel):
    """A message for one sink, with a key, so that nobody hears it twice.

    `text` is a stranger's words, unescaped: every sink escapes it for its own markup. The key is stable over retries.
    """

    key: str
    sink: str
    kind: Literal["case", "watch", "digest"] = "case"
    case: str | None = None
    title: str
    who: str | None = None
    text: str = ""
    where: str = ""
    why: list[str] = Column(default_factory=list)
    team: str = ""
    urgency: Urgency | None = None
    reply_by: datetime | None = None
    said_at: datetime | None = None
    url: str | None = None
    made_at: datetime

"""What a report holds: every figure of a period, with its count and its interval, before any of it is drawn."""

from datetime import date, datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel

from pipeline.sentiment import Feeling
from pipeline.trend import Difference, Mean, Rate, Trend
from pipeline.triage import Category, Factor, Stage, Touchpoint, Urgency


class Quote(BaseModel, frozen=True):
    """A mention in its author's words, shortened. `url` is http or https, or null; `source` is the source's label."""

    mention: str
    text: str
    author: str | None
    source: str
    said_at: datetime
    url: str | None
    language: str | None
    feeling: Feeling
    engagement: int


class Day(BaseModel, frozen=True):
    """What was heard on one local day: the four lanes add up to all mentions but the brand's own."""

    day: date
    service: int = 0
    experience: int = 0
    noise: int = 0
    unscored: int = 0
    complaints: int = 0

    @property
    def mentions(self) -> int:
        """All that was heard that day."""
        return self.service + self.experience + self.noise + self.unscored


class Peak(BaseModel, frozen=True):
    """A day with far more mentions (noise left out) or complaints than usual, and what most of them were about."""

    day: date
    what: str
    count: int
    usual: float
    p: float
    mostly: Category | None
    mostly_count: int


class Stretch(BaseModel, frozen=True):
    """How people felt from `first` to `last`, both included."""

    first: date
    last: date
    negative: Rate
    positive: Rate


class Topic(BaseModel, frozen=True):
    """A category or factor: its share of its list, how its authors feel, what changed, and some of what they said."""

    name: Category | Factor
    rate: Rate
    negative: Rate
    positive: Rate
    trend: Trend | None
    quotes: list[Quote]


class Cell(BaseModel, frozen=True):
    """One place of the journey; a stage or touchpoint is null where the text names none.

    `negative.total` counts the mentions whose feeling could be read.
    """

    stage: Stage | None
    touchpoint: Touchpoint | None
    mentions: int
    negative: Rate


class Place(BaseModel, frozen=True):
    """What one source brought, by lane, and how its authors feel."""

    source: str
    label: str
    mentions: int
    service: int
    experience: int
    noise: int
    unscored: int
    complaint: Rate
    negative: Rate


class Standing(StrEnum):
    """Where a case stands against its clock at the end of the report."""

    OVERDUE = "overdue"
    WAITING = "waiting"
    LATE = "answered late"
    IN_TIME = "answered in time"
    BEFORE = "answered before we heard of it"
    CLOSED = "closed"


class Call(BaseModel, frozen=True):
    """A case somebody should look at: grave, urgent, or past its deadline."""

    case: str
    standing: Standing
    category: Category | None
    urgency: Urgency | None
    grave: list[str]
    team: str
    source: str
    author: str | None
    opened_at: datetime
    reply_by: datetime
    answered_at: datetime | None
    quote: Quote | None

    @property
    def pressing(self) -> bool:
        """Whether it is grave, or somebody still has to answer."""
        return bool(self.grave) or self.standing in {Standing.OVERDUE, Standing.WAITING}


class Answers(BaseModel, frozen=True):
    """How the clock was kept. `in_time` counts the answered cases; `first_reply` is the median, null with none.

    Cases answered `before` we heard of them say nothing of the clock; nor do those `closed` without an answer.
    """

    opened: int
    in_time: Rate
    before: int
    closed: int
    waiting: int
    overdue: int
    first_reply: timedelta | None


class Advocate(BaseModel, frozen=True):
    """Somebody who told of a good experience. `reach` counts followers, null where the source does not say."""

    author: str
    mentions: int
    reach: int | None
    quote: Quote


class Unjudged(BaseModel, frozen=True):
    """Mentions in one language (an ISO 639-1 code; null where none could be told) that were not judged in full."""

    language: str | None
    unscored: int
    without_feeling: int


class Gap(BaseModel, frozen=True):
    """Where we may not have heard everything: failed visits, and the longest silence if it was too long."""

    source: str
    label: str
    visits: int
    failed: int
    error: str | None
    who_acts: str | None
    failed_at: datetime | None
    silent_from: datetime | None
    silent_until: datetime | None


class Unheard(BaseModel, frozen=True):
    """A time of which a source told that something may be missing, and why; `start` is null where nobody knows it."""

    source: str
    label: str
    start: datetime | None
    end: datetime
    why: str


class Before(BaseModel, frozen=True):
    """The period that this one is compared with, and what changed since."""

    start: datetime
    end: datetime
    mentions: Trend
    needs_reply: Trend
    complaint: Difference | None
    sentiment: Difference | None
    negative: Difference | None


class Report(BaseModel, frozen=True):
    """A period in figures. `start` is in it, `end` is not; days are those of `zone`.

    `mentions` are all but the brand's own (`by_brand`), and the four lanes add up to them. Complaint, sentiment,
    journey and topics leave noise and the unscored out. Nothing changes when the same mentions are measured again.
    """

    brand: str
    zone: str
    start: datetime
    end: datetime
    mentions: int
    service: int
    experience: int
    noise: int
    by_brand: int
    unscored: Rate
    needs_reply: Rate
    complaint: Rate
    negative: Rate
    positive: Rate
    sentiment: Mean
    before: Before | None
    days: list[Day]
    peaks: list[Peak]
    watched_days: int
    feelings: list[Stretch]
    categories: list[Topic]
    factors: list[Topic]
    journey: list[Cell]
    nowhere: int
    sources: list[Place]
    answers: Answers | None
    calls: list[Call]
    more_calls: int
    advocates: list[Advocate]
    unjudged: list[Unjudged]
    unanalysed: int
    rejected: int
    gaps: list[Gap]
    unheard: list[Unheard]
    versions: dict[str, list[str]]

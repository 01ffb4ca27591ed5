"""Analysis: every judgement of one mention; the Analyst who makes them."""

from collections.abc import Sequence

from sqlmodel import Field, SQLModel

from pipeline.classifier import Reading, Reason
from pipeline.sentiment import Feeling
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint, Urgency


class Analysis(SQLModel):
    """All judgements of one mention by one version of the classifiers. Can always be made again.

    Probabilities are 0..1; `sentiment_score` is -1..1 and a strength. A field is null where it does not apply, and `lane`
    and `sentiment` are "unscored" where we cannot judge (their numbers are then null).
    """

    mention_key: str
    version: str = Field(description="One name for all versions together: changes whenever an answer could.")
    versions: dict[str, str]
    language: str | None
    lane: Lane
    lane_probabilities: dict[str, float | None]
    needs_reply: bool
    complaint: bool | None
    complaint_probability: float | None
    sentiment: Feeling
    sentiment_score: float | None
    category: Category | None
    urgency: Urgency | None
    stage: Stage | None
    touchpoint: Touchpoint | None
    factor: Factor | None
    grave: list[str] = Field(description="Signals that go first whatever the lane, such as injury.")
    reasons: list[Reason]


class Analyst:
    """Makes analyses: reads the language, then sentiment, triage and the grave signals."""

    @property
    def version(self) -> str:
        """One name for all versions together."""
        raise NotImplementedError

    def analyse(self, readings: Sequence[Reading]) -> list[Analysis]:
        """One analysis for each reading, in order. Any text at all is answered."""
        raise NotImplementedError

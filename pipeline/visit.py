"""Visit: one call at a source, and how it went."""

from datetime import datetime

from sqlmodel import SQLModel


class Visit(SQLModel):
    """One call at one source: when, what came of it, and who must act if it failed. Times are aware."""

    source: str
    started_at: datetime
    ended_at: datetime
    heard: int = 0
    new: int = 0
    rejected: int = 0
    error: str | None = None
    who_acts: str | None = None

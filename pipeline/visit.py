"""Visit: one call at a source, and how it went."""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import SQLModel


class Visit(SQLModel):
    """One call at one source: when, what came of it, and who must act if it failed. Times are aware.

    `gone` counts the mentions deleted here because they were deleted where they were said. `unchecked` is why it cannot
    be looked up whether others were, and `unchecked_at` since when; null if the last look-up went well.
    """

    source: str
    started_at: datetime
    ended_at: datetime
    heard: int = 0
    new: int = 0
    rejected: int = 0
    gone: int = 0
    error: str | None = None
    who_acts: str | None = None
    unchecked: str | None = None
    unchecked_at: datetime | None = None


def together(visits: Iterable[Visit]) -> dict[str, Visit]:
    """The visits to each source as one, the oldest given first: a second try goes on where the first one failed."""
    whole: dict[str, Visit] = {}
    for visit in visits:
        before = whole.get(visit.source)
        counts = {name: getattr(visit, name) for name in ("heard", "new", "rejected", "gone")}
        if before is not None:
            counts = {name: count + getattr(before, name) for name, count in counts.items()}
        start = visit.started_at if before is None else before.started_at
        whole[visit.source] = visit.model_copy(update={"started_at": start, **counts})
    return whole

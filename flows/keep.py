"""Keep: how long Earful remembers; the table [keep] of the settings."""

from datetime import datetime, timedelta

from pydantic import BaseModel, Field

from pipeline.route import Duration
from storage.store import Store

SETTLED, LEAP = timedelta(days=1), timedelta(days=7)
"""A clock that went further on than LEAP since the last visit is believed once it has stood for so long."""


class Keep(BaseModel, frozen=True, extra="forbid"):
    """How long what was said is remembered: for ever, unless a time is given. `earful forget` forgets the rest."""

    mentions: Duration | None = Field(
        default=None,
        description="Mentions said longer ago are deleted, with all that was made of them; kept for ever if not given.",
    )
    raws: Duration | None = Field(
        default=None,
        description="What a source sent, as it came, and what nobody could read: deleted when it is older than this.",
    )

    def forgets(self, said_at: datetime, now: datetime) -> bool:
        """Whether a mention said then is not remembered any more: it is not even heard."""
        return self.mentions is not None and said_at < now - self.mentions


def surely(store: Store, now: datetime) -> datetime:
    """The time by which it is judged what is too old to keep: never long after anything was last heard.

    A clock that is ahead would make everything too old, and what is forgotten does not come back. After a real pause
    nothing is lost by waiting for a day.
    """
    seen = store.visited_before(now - SETTLED)
    return now if seen is None else min(now, seen + LEAP)

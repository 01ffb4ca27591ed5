"""Back from the newest: one walk over one or several lists that give their newest first."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from connectors.contract import Item, Page
from connectors.paging import Hidden
from pipeline.coverage import Gap

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""No place is older; an earlier time is a mistake, such as the year 1 or 1970."""
REPEATED = "the same page came again and again, and nothing that is older"
AHEAD = timedelta(days=1)
"""A time that is further ahead of the clock than this is a mistake."""


@dataclass
class Back:
    """How far a walk goes back, and what it has read on its way.

    `bound`: everything since then is asked for; None: as far as a first call goes. `newest`: the time of the newest
    thing ever read, which is the cursor. A thing without a time, or with one that is not `credible`, moves neither.
    """

    bound: datetime | None
    newest: datetime | None = None
    oldest: datetime | None = None
    """The time of the oldest thing read on this walk."""
    whole_since: datetime | None = None
    """Where the reading of a list was given up; of all lists the latest."""

    @classmethod
    def to(cls, since: str | None, first_day: date | None, overlap: timedelta) -> "Back":
        """Back to `overlap` before the newest of the walk before; of a first walk, to `first_day`."""
        newest = None if since is None else credible(moment(since))
        if newest is not None:
            return cls(newest - overlap, newest)
        return cls(None if first_day is None else datetime.combine(first_day, time(), UTC))

    def read(
        self,
        lists: Iterable[list[Item]],
        at: Callable[[Item], datetime | None],
        *,
        most: int | None = None,
        surely: bool = True,
    ) -> Iterator[Page]:
        """A list's pages, to one that is older than the bound as a whole; without a bound at most `most` of them.

        `surely`: the place promises newest first. A list of which it does not is read to its end unless it falls.
        """
        oldest = first = None
        falls = surely
        for number, items in enumerate(lists, start=1):
            yield Page(items)
            times = self.note(items, at)
            oldest = min(times if oldest is None else [*times, oldest], default=None)
            if times:
                first = first or times[0]
                falls = surely or first > times[-1]
            if self.bound is None:
                if most is not None and number >= most and (falls or first is None):
                    self.give_up(oldest)
                    return
            elif times and max(times) < self.bound and falls:
                return

    def note(self, items: list[Item], at: Callable[[Item], datetime | None]) -> list[datetime]:
        """Remember the newest and the oldest of these; the times that could be read."""
        times = [each for item in items if (each := credible(at(item))) is not None]
        if times:
            self.newest = max([*times, self.newest] if self.newest else times)
            self.oldest = min([*times, self.oldest] if self.oldest else times)
        return times

    def give_up(self, at: datetime | None) -> None:
        """From here on back a list was not read."""
        if at is not None:
            self.whole_since = max(at, self.whole_since) if self.whole_since else at

    @property
    def reach(self) -> datetime | None:
        """Since when everything was read."""
        return self.bound or self.whole_since or self.oldest

    def gaps(self, hidden: Iterable[Hidden], why: str, at: Callable[[int], datetime | None]) -> list[Gap]:
        """What a place hides from a walk `by_time`, whose seconds are `at` a time."""
        told = [(self.bound if start is None else at(start), at(end), start is None) for start, end in hidden]
        return [Gap(start, end, REPEATED if older else why) for start, end, older in told if end]

    def end(self, gaps: Sequence[Gap] = ()) -> Page:
        """The last page of the walk: newest first, so only now is the place safe."""
        return Page([], cursor=self.newest.isoformat() if self.newest else None, reach=self.reach, gaps=gaps)


def moment(value: object) -> datetime | None:
    """The aware time that an ISO text tells, in UTC; None where it tells none."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.astimezone(UTC) if read.tzinfo else None
    except (ValueError, OverflowError):
        return None


def epoch(second: int | None) -> datetime | None:
    """The time that so many seconds since 1970 tell; None where they tell none."""
    try:
        return None if second is None else datetime.fromtimestamp(second, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def credible(at: datetime | None, now: datetime | None = None) -> datetime | None:
    """The time, unless it cannot be true; `now` is ours where the place does not tell its own."""
    return at if at is not None and EARLIEST <= at <= (now or datetime.now(UTC)) + AHEAD else None

"""Gaps: when we may not have heard everything: a source failed or fell silent, or told that something is missing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pipeline.coverage import Coverage
from pipeline.coverage import Gap as Unread
from pipeline.mention import Mention
from pipeline.report.figures import Gap, Unheard
from pipeline.visit import Visit

DEAF_FROM = timedelta(hours=1)
"""A source that was read less long ago than this is as good as heard up to now."""


def unheard(
    coverage: Mapping[str, Coverage],
    labels: Mapping[str, str],
    start: datetime,
    end: datetime,
    *,
    as_of: datetime | None = None,
) -> list[Unheard]:
    """What the sources told that is missing of a period, each source's in order.

    So is what was said since one that is still listened to (it has a label) was last heard whole, if that is long
    before `as_of`, when the report is made.
    """
    found = [
        Unheard(source=source, label=labels.get(source, source), start=gap.start, end=gap.end, why=gap.why)
        for source, known in coverage.items()
        for gap in [*known.unheard, *(_since(known, as_of) if as_of and source in labels else ())]
        if (gap.start is None or gap.start < end) and gap.end > start
    ]
    return sorted(found, key=lambda gap: (gap.label, gap.source, gap.end))


def _since(known: Coverage, as_of: datetime) -> list[Unread]:
    """The time up to now in which nothing was heard and of which nothing was told either."""
    told = [gap.end for gap in known.unheard]
    heard = known.until and max([known.until, *told])
    return [Unread(heard, as_of, "the source was not called since")] if heard and as_of - heard > DEAF_FROM else []


class Listening:
    """Follows when each source was last heard, and keeps its longest silence between `start` and `end`."""

    def __init__(self, start: datetime, end: datetime, quiet_after: Mapping[str, timedelta]) -> None:
        self._start, self._end, self._quiet_after = start, end, quiet_after
        self._last: dict[str, datetime] = {}
        self._longest: dict[str, tuple[datetime, datetime]] = {}

    def hear(self, mention: Mention) -> None:
        """Take note that a source was heard; the brand's own words and noise show as well that it works."""
        if mention.said_at < self._end:
            self._silence(mention.source, mention.said_at)
            self._last[mention.source] = max(mention.said_at, self._last.get(mention.source, mention.said_at))

    def gaps(self, visits: Iterable[Visit], labels: Mapping[str, str]) -> list[Gap]:
        """Every source that failed, or was silent for longer than it may be, worst first."""
        seen: defaultdict[str, list[Visit]] = defaultdict(list)
        for visit in visits:
            if self._start <= visit.started_at < self._end:
                seen[visit.source].append(visit)
        found = []
        for source in {*seen, *self._quiet_after}:
            if source in self._quiet_after:
                self._silence(source, self._end)
            failed = sorted((visit for visit in seen[source] if visit.error), key=lambda visit: visit.started_at)
            last = failed[-1] if failed else None
            silence = self._longest.get(source)
            if last is None and silence is None:
                continue
            found.append(
                Gap(
                    source=source,
                    label=labels.get(source, source),
                    visits=len(seen[source]),
                    failed=len(failed),
                    error=last.error if last else None,
                    who_acts=last.who_acts if last else None,
                    failed_at=last.started_at if last else None,
                    silent_from=silence[0] if silence else None,
                    silent_until=silence[1] if silence else None,
                )
            )
        return sorted(found, key=lambda gap: (-gap.failed, gap.label, gap.source))

    def _silence(self, source: str, until: datetime) -> None:
        """Keep the silence that ends at `until` if it is too long, touches the period and is the longest yet."""
        since = self._last.get(source, self._start)
        allowed = self._quiet_after.get(source)
        if allowed is None or until <= self._start or until - since <= allowed:
            return
        known = self._longest.get(source)
        if known is None or until - since > known[1] - known[0]:
            self._longest[source] = (since, until)

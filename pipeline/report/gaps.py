"""Gaps: when we may not have heard everything, because a source failed or fell silent."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pipeline.mention import Mention
from pipeline.report.figures import Gap
from pipeline.visit import Visit


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

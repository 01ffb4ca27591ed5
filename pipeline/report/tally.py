"""Tally: what is counted while the mentions of one period go by, in memory that does not grow with their number."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.analysis import Analysis
from pipeline.mention import Mention
from pipeline.sentiment import Feeling
from pipeline.trend import Mean, mean
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint

_INSTANT = timedelta(microseconds=1)


class Tally:
    """What is counted while the mentions of one period go by."""

    def __init__(self, start: datetime, end: datetime, zone: ZoneInfo) -> None:
        self.start, self.end, self.zone = start, end, zone
        self.all: Counter[str] = Counter()
        self.scores = [0.0, 0.0]
        self.days: defaultdict[date, Counter[str]] = defaultdict(Counter)
        self.categories: defaultdict[Category, Counter[str]] = defaultdict(Counter)
        self.factors: defaultdict[Factor, Counter[str]] = defaultdict(Counter)
        self.journey: defaultdict[tuple[Stage | None, Touchpoint | None], Counter[str]] = defaultdict(Counter)
        self.sources: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.languages: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
        self.versions: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, mention: Mention, analysis: Analysis) -> bool:
        """Count one mention; False where it is not of this period, or the brand's own."""
        if not self.start <= mention.said_at < self.end:
            return False
        for name, version in analysis.versions.items():
            self.versions[name].add(version)
        if mention.by_brand:
            self.all["by_brand"] += 1
            return False
        facts = _facts(analysis)
        day = self.days[mention.said_at.astimezone(self.zone).date()]
        for counted in (self.all, day, self.sources[mention.source]):
            counted.update(facts)
        if analysis.category is not None and analysis.lane is Lane.SERVICE:
            self.categories[analysis.category].update(facts)
            day[analysis.category] += 1
        if analysis.factor is not None and analysis.lane is Lane.EXPERIENCE:
            self.factors[analysis.factor].update(facts)
        if "judged" in facts:
            self.journey[analysis.stage, analysis.touchpoint].update(facts)
        if "felt" in facts and analysis.sentiment_score is not None:
            self.all["scored"] += 1
            self.scores[0] += analysis.sentiment_score
            self.scores[1] += analysis.sentiment_score**2
        if "unscored" in facts or "unfelt" in facts:
            self.languages[analysis.language].update(facts)
        return True

    @property
    def sentiment(self) -> Mean:
        """The mean strength of feeling of all that could be scored."""
        return mean(self.all["scored"], *self.scores)

    def calendar(self) -> list[date]:
        """Every local day the period touches."""
        first, last = self.start.astimezone(self.zone).date(), (self.end - _INSTANT).astimezone(self.zone).date()
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _facts(analysis: Analysis) -> list[str]:
    """Everything one mention counts as. Noise and the unscored have a lane and nothing else to say."""
    facts = ["mentions", str(analysis.lane)]
    if analysis.needs_reply:
        facts.append("needs_reply")
    if analysis.lane is not Lane.NOISE:
        facts.append("about")
    if analysis.lane not in {Lane.SERVICE, Lane.EXPERIENCE}:
        return facts
    facts.append("judged")
    if analysis.complaint is not None:
        facts.append("weighed")
    if analysis.complaint:
        facts.append("complaint")
    facts += ["unfelt"] if analysis.sentiment is Feeling.UNSCORED else ["felt", str(analysis.sentiment)]
    return facts

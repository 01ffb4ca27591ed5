"""Drift: whether the mix of lanes or the share of corrections differs from the month before by more than chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from pipeline.trend import notable, trend
from pipeline.triage import Lane

PERIOD = timedelta(days=30)
"""What is compared: the last so many days with as many before them."""
LEAST = 100
"""Mentions each of the two must have."""
_MIX, _CORRECTED = 0.05, 0.01
"""A smaller difference of shares is no news, however sure: of lanes, and of corrected mentions."""
CORRECTIONS = "corrections"


@dataclass(frozen=True, slots=True)
class Month:
    """How many mentions of a period are in each lane, and how many of them a person corrected."""

    lanes: Mapping[str, int]
    corrected: int

    @property
    def mentions(self) -> int:
        """All that was judged."""
        return sum(self.lanes.values())


@dataclass(frozen=True, slots=True)
class Drift:
    """A share that changed: of a lane, or of "corrections". Both are 0..1; `p` is how often chance does as much."""

    what: str
    before: float
    now: float
    p: float

    @property
    def direction(self) -> str:
        """Which way it went."""
        return "up" if self.now > self.before else "down"

    @property
    def told(self) -> str:
        """In words for a person."""
        verb = "rose" if self.direction == "up" else "fell"
        whose = "of corrected mentions" if self.what == CORRECTIONS else f"of {self.what}"
        return f"the share {whose} {verb} from {self.before:.1%} to {self.now:.1%} in {PERIOD.days} days"


def drifts(now: Month, before: Month) -> list[Drift]:
    """What changed between two periods of equal length by more than chance and by enough to matter.

    Nothing where one of them has fewer than `LEAST` mentions. Each share is a rate a mention, and two rates are
    compared exactly, as in every report (a little strictly where a lane is large); over all that was compared the
    share of false alarms is kept at 5 % (Benjamini and Hochberg).
    """
    if min(now.mentions, before.mentions) < LEAST:
        return []
    counts = {lane.value: (now.lanes.get(lane, 0), before.lanes.get(lane, 0)) for lane in Lane}
    if now.corrected and before.corrected:  # else somebody began or ceased to correct, and the judgement is what it was
        counts[CORRECTIONS] = now.corrected, before.corrected
    compared = notable(
        [trend(late, early, days_now=now.mentions, days_before=before.mentions) for late, early in counts.values()]
    )
    found = []
    for (what, (late, early)), one in zip(counts.items(), compared, strict=True):
        drift = Drift(what, early / before.mentions, late / now.mentions, one.p)
        least = _CORRECTED if what == CORRECTIONS else _MIX
        if one.notable and abs(drift.now - drift.before) >= least:
            found.append(drift)
    return found

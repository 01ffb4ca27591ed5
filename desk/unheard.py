"""What was not heard, in words: the times of which something may be missing, and why."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

from rich.console import Console
from rich.text import Text

from pipeline.coverage import Coverage, Gap, Unheard, spoken

MOST = 5
"""Lines told of one source; the rest are counted."""
SHOWN = timedelta(days=30)
"""What is missing of a time before then is shown with --json only."""


def standing(out: Console, known: Mapping[str, Coverage], now: datetime, zone: tzinfo) -> None:
    """For each source since when it is complete, or up to when, and what is missing of the last 30 days."""
    for name, coverage in known.items():
        if coverage.until is not None:
            recent = [gap for gap in coverage.unheard if now - gap.end < SHOWN]
            whole = f"up to {_clock(coverage.until, zone)} only"
            if coverage.since is not None:
                whole = f"since {_clock(coverage.since, zone)}"
            before = "; something may be missing of" if recent else ""
            out.print(Text.assemble((name, "bold"), f" is complete {whole}", before), soft_wrap=True)
            told(out, recent, zone)
    silent = [name for name, coverage in known.items() if coverage.until is None]
    if silent:
        out.print(Text(f"not told how far back they are complete: {', '.join(silent)}", "dim"), soft_wrap=True)


def _clock(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%d %b %Y %H:%M}"


def told(out: Console, gaps: Sequence[Gap | Unheard], zone: tzinfo) -> None:
    """A line for each of the last gaps of a source, the newest first."""
    newest = sorted(gaps, key=lambda gap: gap.end, reverse=True)
    for gap in newest[:MOST]:
        out.print(Text.assemble("  ", (spoken(gap.start, gap.end, zone), "yellow"), f"  {gap.why}"), soft_wrap=True)
    if len(newest) > MOST:
        out.print(Text(f"  and of {len(newest) - MOST:,} more, see --json", "yellow"))


def as_values(coverage: Coverage) -> list[dict[str, object]]:
    """The gaps of a source for a script; one that is `lasting` will not be closed by a later walk."""
    return [
        {"start": one.start, "end": one.end, "why": one.why, "first_at": one.first_at, "lasting": coverage.lasting(one)}
        for one in coverage.unheard
    ]

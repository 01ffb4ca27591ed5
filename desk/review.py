"""The review queue: what Earful doubts, the most urgent first, as a person sees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from heapq import nlargest
from shlex import quote
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from desk.console import HERE
from desk.show import LANES, ago
from pipeline.analysis import Analysis
from pipeline.classifier import Reading
from pipeline.doubt import Doubt, Glance, doubt
from pipeline.mention import Mention
from pipeline.text import shorten

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.setup import Setup
    from storage.store import Store


@dataclass(frozen=True, slots=True)
class Doubted:
    """A mention, how it was judged, and why a person should look."""

    mention: Mention
    analysis: Analysis
    doubt: Doubt


@dataclass(frozen=True, slots=True)
class Queue:
    """What is `shown` of all that is `doubted`, and how many mentions of that time wait to be judged at all."""

    shown: list[Doubted]
    doubted: int
    unjudged: int


def queue(setup: "Setup", store: "Store", back: timedelta, source: str | None, most: int) -> Queue:
    """The `most` urgent of what was said in the last `back` and is doubted.

    By what is at stake; of two alike the newer first. Glances at all judged mentions of that time, a page at a time,
    and reads only those it shows.
    """
    now, doubted = setup.now(), 0

    def asked() -> Iterator[tuple[Doubt, Glance]]:
        nonlocal doubted
        for seen in store.unreviewed(now - back, now, source):
            found = doubt(seen, setup.judgement.miss_cost_of(seen.source))
            if found is not None:
                doubted += 1
                yield found, seen

    urgent = nlargest(most, asked(), key=lambda one: (one[0].at_stake, one[1].said_at, one[1].key))
    keys = [seen.key for _, seen in urgent]
    mentions, analyses = store.mentions(keys), store.analyses(keys)
    shown = [
        Doubted(mentions[seen.key], analyses[seen.key], found)
        for found, seen in urgent
        if seen.key in mentions and seen.key in analyses  # an edit may come between
    ]
    return Queue(shown, doubted, store.unjudged(now - back, now, source=source))


def entry(one: Doubted) -> dict[str, Any]:
    """For a script."""
    parts = {"mention": one.mention.model_dump(mode="json"), "analysis": one.analysis.model_dump(mode="json")}
    return parts | {"why": list(one.doubt.why), "at_stake": round(one.doubt.at_stake, 4)}


def listed(out: Console, setup: "Setup", queue: Queue, days: int) -> None:
    """The queue, three lines a mention, and how to answer."""
    other = "" if setup.path == HERE.resolve() else f" -s {setup.path}"
    waiting = ""
    if queue.unjudged:
        waiting = f" {queue.unjudged:,} wait{'s' if queue.unjudged == 1 else ''} to be judged: earful listen{other}"
    if not queue.shown:
        out.print(escape(f"Nothing of the last {days} days is in doubt.{waiting}"), soft_wrap=True)
        return
    now = setup.now()
    for one in queue.shown:
        mention, lane = one.mention, one.analysis.lane
        stars = f"  {mention.rating:g}/{mention.rating_max or 5:g}" if mention.rating is not None else ""
        line = Text.assemble((mention.key, "bold"), "  ", (lane, LANES[lane]), f" · {one.analysis.sentiment}{stars}")
        out.print(line, soft_wrap=True)
        quoted = f"“{shorten(' '.join(Reading.of(mention).words.split()), 240)}”"
        who = f" {mention.author or 'somebody'}, {setup.place(mention.source)}, {ago(mention.said_at, now)}"
        out.print(Padding(Text.assemble(quoted, (who, "dim")), (0, 0, 0, 2)))
        out.print(Padding(Text("; ".join(one.doubt.why), "yellow"), (0, 0, 0, 2)))
    key = quote(queue.shown[0].mention.key)
    said = f"{len(queue.shown):,} shown, {queue.doubted:,} of the last {days} days are in doubt.{waiting}"
    out.print(escape(said), soft_wrap=True)
    out.print(escape(f"Wrong: earful correct {key} --lane service --by NAME{other}"), soft_wrap=True)
    out.print(escape(f"Right: earful correct {key} --right --by NAME{other}"), soft_wrap=True)

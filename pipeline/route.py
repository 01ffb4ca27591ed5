"""Route: who hears of a case, how soon; Alert: what they hear."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator
from sqlmodel import Field as Column
from sqlmodel import SQLModel

from pipeline.analysis import Analysis
from pipeline.case import Case, CaseState
from pipeline.classifier import Reading
from pipeline.mention import Mention
from pipeline.triage import Category, Lane, Urgency

_DURATION = re.compile(r"(?:(\d+)d)? ?(?:(\d+)h)? ?(?:(\d+)m)?(?:(\d+)s)?")


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    written = value.strip() if isinstance(value, str) else ""
    found = _DURATION.fullmatch(written)
    if found is None or not any(found.groups()):
        message = 'write a duration like "30m", "2h" or "1d"'
        raise ValueError(message)
    days, hours, minutes, seconds = (min(int(part or 0), 10**6) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


_OCCASIONS = {"again": " (the author is back)", "shown": " (shown again)", "grave": " (now grave)"}
_ABOUT = {
    Category.BILLING_PAYMENT: "billing or payment",
    Category.RETURN_REFUND: "return or refund",
    Category.ORDER_BOOKING: "order or booking",
    Category.WAIT_CONTACT: "no answer from support",
    Category.SAFETY_LEGAL: "safety or legal",
    Category.OTHER: "something else",
}

Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0), le=timedelta(days=36500))]
"""A `timedelta` written "30m", "2h" or "1d" in the settings; above 0, a century at most."""


class When(BaseModel, frozen=True, extra="forbid"):
    """Which cases a route is for: every field given must match; a field with several values matches any of them."""

    lane: tuple[Lane, ...] = ()
    category: tuple[Category, ...] = ()
    urgency: tuple[Urgency, ...] = ()
    source: tuple[str, ...] = ()
    brand: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    words: str | None = Field(
        default=None, description="A regular expression, searched in title and text, case ignored."
    )
    reach_from: int | None = Field(default=None, ge=0, description="Only authors with at least this many followers.")
    probability_from: float | None = Field(
        default=None, ge=0, le=1, description="Only where the lane is at least this sure."
    )

    @field_validator("lane", "category", "urgency", "source", "brand", "language", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("words")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"this regular expression does not compile: {error}") from error
        return value

    def matches(self, mention: Mention, analysis: Analysis) -> list[str] | None:
        """Why this case is one of ours, a line for each field asked; None if it is not."""
        why: list[str] = []
        fields = (
            ("lane", self.lane, analysis.lane),
            ("category", self.category, analysis.category),
            ("urgency", self.urgency, analysis.urgency),
            ("source", self.source, mention.source),
            ("brand", self.brand, mention.brand),
            ("language", self.language, analysis.language),
        )
        for name, wanted, found in fields:
            if wanted and found not in wanted:
                return None
            if wanted:
                why.append(f"{name} is {found}")
        if self.words is not None:
            said = re.search(self.words, f"{mention.title or ''}\n{mention.text}", re.IGNORECASE)
            if said is None:
                return None
            why.append(f'it says "{said.group()[:60]}"')
        if self.reach_from is not None:
            if (mention.author_reach or 0) < self.reach_from:
                return None
            why.append(f"the author has {mention.author_reach:,} followers")
        if self.probability_from is not None:
            sure = analysis.lane_probabilities.get(analysis.lane)
            if sure is None or sure < self.probability_from:
                return None
            why.append(f"{analysis.lane} with probability {sure:.2f}")
        return why


class Route(BaseModel, frozen=True, extra="forbid"):
    """A rule: which cases, to whom, how soon. Routes are asked in order; the first that matches decides."""

    name: str
    when: When = When()
    team: str
    reply_within: Duration
    sinks: tuple[str, ...] = ()


class Alert(SQLModel):
    """A message for one sink, with a key, so that nobody hears it twice.

    `text` is a stranger's words, unescaped: every sink escapes it for its own markup. The key is stable over retries.
    One of kind "solved" says that a case needs nobody any more; only sinks that hold a ticket or a page of it hear it.
    """

    key: str
    sink: str
    kind: Literal["case", "watch", "digest", "solved"] = "case"
    case: str | None = None
    title: str
    who: str | None = None
    text: str = ""
    where: str = ""
    why: list[str] = Column(default_factory=list)
    team: str = ""
    urgency: Urgency | None = None
    reply_by: datetime | None = None
    said_at: datetime | None = None
    url: str | None = None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Routing:
    """The route that takes a case, and why, in words a person can check."""

    route: Route
    why: tuple[str, ...]


def choose(mention: Mention, analysis: Analysis, grave: Route, routes: Sequence[Route]) -> Routing:
    """Grave signals first, whatever the lane; then the first route that matches. The last takes everything."""
    judged = tuple(_judged(analysis))
    if analysis.grave:
        named = ", ".join(signal.replace("_", " ") for signal in analysis.grave)
        spans = [f'"{reason.text}"' for reason in analysis.reasons if reason.field == "grave"]
        # The signal is the reason here; the words behind the lane would only distract from it.
        return Routing(grave, (f"{named}: {', '.join(spans)}" if spans else named, *judged[:1]))
    for route in routes:
        why = route.when.matches(mention, analysis)
        if why is not None:
            rule = f'route "{route.name}": {"; ".join(why) or "takes what no other route took"}'
            return Routing(route, (rule, *judged))
    raise ValueError("no route takes everything")  # Setup refuses such settings


def _judged(analysis: Analysis) -> list[str]:
    """What the judgement rests on: the lane, the category and the words that carried them."""
    sure = analysis.lane_probabilities.get(analysis.lane)
    lane = f"{analysis.lane}{'' if sure is None else f' ({sure:.0%})'}"
    lines = [", ".join([lane, *(part.replace("_", " ") for part in (analysis.category, analysis.urgency) if part)])]
    words = [reason.text for reason in analysis.reasons if reason.field == "lane" and reason.weight > 0]
    if words:
        lines.append("because of " + ", ".join(f'"{word}"' for word in dict.fromkeys(words)))
    return lines


def alerts(
    case: Case, mention: Mention, routing: Routing, *, occasion: str, place: str, made_at: datetime
) -> list[Alert]:
    """One alert for each sink of the route. The key rests on the case, the occasion and the sink, so it is made once.

    `occasion` is why the case is told of: "opened", or "reopened" or "grave" with the mention that did it. `place` is
    where it was said, in words.
    """
    title = about(case) + _OCCASIONS.get(occasion.partition(":")[0], "")
    return [
        Alert(
            key=alert_key(case.key, occasion, sink),
            sink=sink,
            case=case.key,
            title=f"{case.brand}: {title}" if case.brand else title.capitalize(),
            who=mention.author,
            text=Reading.of(mention).words,
            where=place,
            why=list(routing.why),
            team=case.team,
            urgency=case.urgency,
            reply_by=case.reply_by,
            said_at=mention.said_at,
            url=mention.url,
            made_at=made_at,
        )
        for sink in routing.route.sinks
    ]


def solved(
    case: Case, sinks: Sequence[str], *, mention: Mention | None = None, place: str = "", made_at: datetime
) -> list[Alert]:
    """That a settled case needs nobody any more, one for each of these sinks; once each time it is settled.

    `mention` is the answer or the thanks that settled it, said at `place`; None where a person did, at `made_at`. The
    key rests on that, not on when something was said: many sources tell only the day.
    """
    closed = case.state is CaseState.CLOSED
    act = mention.key if mention else made_at.isoformat()
    why = case.closed_because if closed else "the brand has answered"
    title = f"{about(case)} ({'closed' if closed else 'answered'})"
    return [
        Alert(
            key=alert_key(case.key, f"{'closed' if closed else 'answered'}:{act}", sink),
            sink=sink,
            kind="solved",
            case=case.key,
            title=f"{case.brand}: {title}" if case.brand else title.capitalize(),
            who=mention.author if mention else None,
            text=Reading.of(mention).words if mention else "",
            where=place,
            why=[why] if why else [],
            team=case.team,
            said_at=mention.said_at if mention else None,
            url=mention.url if mention else None,
            made_at=made_at,
        )
        for sink in sinks
    ]


def about(case: Case) -> str:
    """What a case is about, in words for a headline: the grave signals if there are any, else the category."""
    signals = ", ".join(signal.replace("_", " ") for signal in case.grave)
    if case.category is None:
        return signals or "a low rating in words we cannot read"
    return signals or _ABOUT.get(case.category, case.category.replace("_", " "))


def alert_key(*parts: str) -> str:
    """The idempotency key of one act: the same parts, the same key, in every run."""
    return "alert_" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]

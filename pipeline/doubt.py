"""Doubt: which judgements a person should look at, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

from pipeline.analysis import Analysis
from pipeline.classifier import Reading
from pipeline.mention import Mention
from pipeline.sentiment import Feeling
from pipeline.triage import Lane

MISS_COST = 4.0
"""Missing somebody who waits for an answer costs as much as looking at this many mentions in vain."""
_FEW, _MANY = 0.25, 0.75
"""Stars as shares of their scale: up to two of five, and from four of five, on a scale from 1."""
_UNREAD = 0.66
"""Of 444 labelled mentions with so few stars this share belonged to service: a guess where no word can be read."""


@dataclass(frozen=True, slots=True)
class Glance:
    """All that a doubt rests on. Where thousands are looked through to show a few, nothing more is read.

    `stars` is the rating as a share of its scale, 0..1; the rest is as in Mention and Analysis.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "key", "source", "said_at", "by_brand", "rating", "rating_min", "rating_max",
        "lane", "lane_probabilities", "needs_reply", "complaint", "complaint_probability", "sentiment",
    )  # fmt: skip
    """What `made` takes."""

    key: str
    source: str
    said_at: datetime
    by_brand: bool
    stars: float | None
    lane: Lane
    lane_probabilities: Mapping[str, float | None]
    needs_reply: bool
    complaint: bool | None
    complaint_probability: float | None
    sentiment: Feeling

    @classmethod
    def made(
        cls, *, rating: float | None, rating_min: float | None, rating_max: float | None, lane: str, sentiment: str,
        **rest: Any,  # noqa: ANN401 - as they are
    ) -> Self:  # fmt: skip
        """From the plain values of `columns`."""
        scale = Reading(key="", text="", rating=rating, rating_min=rating_min or 0.0, rating_max=rating_max or 5.0)
        return cls(stars=scale.stars, lane=Lane(lane), sentiment=Feeling(sentiment), **rest)

    @classmethod
    def of(cls, mention: Mention, analysis: Analysis) -> Self:
        """At a mention as it was judged."""
        told = mention.__dict__ | analysis.__dict__
        return cls.made(**{name: told[name] for name in cls.columns})


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a judgement is doubted, in words for a person, and what leaving it may cost.

    `at_stake` is the probability of a mistake times what it costs: the larger, the more urgent. Where nobody is to
    reply, that is somebody who waits in vain, at `miss_cost`; where somebody is, it is their looking in vain, at 1.
    """

    at_stake: float
    why: tuple[str, ...]


def doubt(seen: Glance, miss_cost: float = MISS_COST) -> Doubt | None:
    """Why a person should look at this judgement; None where nothing speaks against it.

    A look costs 1 and a miss `miss_cost`, so it pays to look at what is service with a probability of
    1 / (1 + miss_cost) or more but was judged to be something else. What contradicts itself is doubted as well. The
    brand's own words are never doubted: nobody waits for an answer there.
    """
    if seen.by_brand:
        return None
    why = tuple(_doubts(seen, miss_cost))
    if not why:
        return None
    told = seen.lane_probabilities.get(Lane.SERVICE)
    waits = _UNREAD if told is None else told
    return Doubt(1 - waits if seen.needs_reply else miss_cost * waits, why)


def _doubts(seen: Glance, miss_cost: float) -> Iterator[str]:
    lane, stars = seen.lane, seen.stars
    if lane is Lane.UNSCORED:
        if seen.needs_reply and stars is not None and stars <= _FEW:
            yield "its words cannot be read, and it gives few stars"
        return
    waits = seen.lane_probabilities.get(Lane.SERVICE)
    if lane is not Lane.SERVICE and waits is not None and waits >= 1 / (1 + miss_cost):
        yield f"{lane}, but service at {waits:.0%}"
    if lane is Lane.NOISE and seen.complaint:
        sure = seen.complaint_probability
        yield "noise, but a complaint" + ("" if sure is None else f" at {sure:.0%}")
    if stars is None:
        return
    if stars <= _FEW and seen.sentiment is Feeling.POSITIVE:
        yield "few stars, but positive words"
    if stars >= _MANY and seen.sentiment is Feeling.NEGATIVE:
        yield "many stars, but negative words"

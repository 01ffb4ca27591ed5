"""The story: what people said about Hike in a month, written for the demo, a line a mention in the files beside."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

DAYS = 30
BRAND = "Hike"
AUTHORS = ("hike@running.example", "hike_eng_tom", "Hike press office")
"""Accounts of the brand itself."""

Place = Literal["mastodon", "hackernews", "appstore", "forum", "press", "shop"]
PLACES: tuple[Place, ...] = ("mastodon", "hackernews", "appstore", "forum", "press", "shop")

_HERE = Path(__file__).parent


class Line(BaseModel, frozen=True, extra="forbid"):
    """One thing somebody says in the story; `day` and `time` (UTC) count from the month's first midnight.

    `theme` is what its writer meant it to be, for tests and for reading; no server tells it. `reply_to` is another
    line's `id` in the same place; `edited_after` counts minutes.
    """

    place: Place
    number: int = Field(ge=1, description="Which line of its place, from 1.")
    day: int = Field(ge=0, lt=DAYS)
    time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    author: str
    theme: str
    text: str = Field(min_length=1)
    id: str | None = None
    title: str | None = None
    language: str = Field(default="en", description="ISO 639-1, where the place tells it.")
    followers: int = 0
    reply_to: str | None = None
    edited_after: int | None = None
    story: bool = False
    url: str | None = None
    points: int | None = None
    rating: int | None = Field(default=None, ge=1, le=5)
    version: str | None = None
    country: str | None = None
    product: str | None = None
    bought_at: str | None = None

    def said_at(self, end: datetime) -> datetime:
        """When it is said in a story that ends at `end`; aware, UTC."""
        hour, minute = self.time.split(":")
        return first_midnight(end) + timedelta(days=self.day, hours=int(hour), minutes=int(minute))


def first_midnight(end: datetime) -> datetime:
    """Where the month begins: 30 whole days before the last midnight (UTC) that `end`, which is aware, has seen."""
    last = end.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return last - timedelta(days=DAYS)


@cache
def story() -> Mapping[Place, tuple[Line, ...]]:
    """All lines by place, each place's in the order of time."""
    return {place: _lines(place) for place in PLACES}


def _lines(place: Place) -> tuple[Line, ...]:
    told = (_HERE / f"{place}.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(_line(place, number, text) for number, text in enumerate(told, 1))


def _line(place: Place, number: int, text: str) -> Line:
    return Line.model_validate({"place": place, "number": number, **json.loads(text)})

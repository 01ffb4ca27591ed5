"""Apple's public feed of App Store reviews: ten pages of fifty for each country, in both orders of the address."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from typing import Any

from desk.demo.asked import Answer, Asked, as_json, as_text
from desk.demo.story import Line

APP = "990000417"
COUNTRIES = ("us", "gb", "de", "fr", "es", "jp", "it", "ie")
"""Italy has one review and Ireland none: Apple writes both in ways of their own."""
PAGE, DEEPEST = 50, 10

_PATHS = (
    re.compile(r"/(?P<country>\w\w)/rss/customerreviews/page=(?P<page>\d+)/id=(?P<app>\d+)/sortBy=mostRecent/json"),
    re.compile(
        r"/(?P<country>\w\w)/rss/customerreviews/id=(?P<app>\d+)/sortBy=mostRecent(?:/page=(?P<page>\d+))?/json"
    ),
)
_CUPERTINO = timezone(timedelta(hours=-7))


def reviews(lines: Sequence[Line], end: datetime, asked: Asked) -> Answer:
    """One page of one country, newest first."""
    found = next(filter(None, (path.fullmatch(asked.path) for path in _PATHS)), None)
    if found is None:
        return as_text("Not Found", HTTPStatus.NOT_FOUND)
    number = int(found["page"] or 1)
    if number > DEEPEST:
        return as_text(f"CustomerReviews RSS page depth is limited to {DEEPEST}", HTTPStatus.BAD_REQUEST)
    of_country = [line for line in lines if line.country == found["country"] and found["app"] == APP]
    newest_first = sorted(of_country, key=lambda line: line.said_at(end), reverse=True)
    entries = [_entry(line, end) for line in newest_first[(number - 1) * PAGE : number * PAGE]]
    feed: dict[str, Any] = {"author": {"name": {"label": "iTunes Store"}}, "id": {"label": asked.base + asked.path}}
    if entries:
        feed["entry"] = entries if len(entries) > 1 else entries[0]
    return as_json({"feed": feed}, {"content-type": "text/javascript; charset=UTF-8"})


def _entry(line: Line, end: datetime) -> dict[str, Any]:
    said_at = line.said_at(end)
    home = f"https://itunes.apple.com/{line.country}"
    return {
        "author": {"name": {"label": line.author}, "uri": {"label": f"{home}/reviews/id{9_000_000_000 + line.number}"}},
        "updated": {"label": said_at.astimezone(_CUPERTINO).isoformat(timespec="seconds")},
        "im:rating": {"label": str(line.rating)},
        "im:version": {"label": line.version},
        "id": {"label": str(int(said_at.timestamp()) * 100 + line.number % 100)},
        "title": {"label": line.title},
        "content": {"label": line.text, "attributes": {"type": "text"}},
        "link": {"attributes": {"rel": "related", "href": f"{home}/review?id={APP}&type=Purple%20Software"}},
        "im:voteSum": {"label": "0"},
        "im:voteCount": {"label": "0"},
        "im:contentType": {"attributes": {"term": "Application", "label": "Application"}},
    }

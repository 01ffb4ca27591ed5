"""WordPress.org: the feed of a plugin's reviews, page by page."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import escape
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

PAGE = 30
FEED = "/support/plugin/hike/reviews/feed/"


class WordPressWorld(World):
    """Newest first; behind the last page there is none."""

    kind: ClassVar[str] = "wordpress"
    page: ClassVar[int] = PAGE
    late: ClassVar[timedelta] = timedelta(days=6)
    edits: ClassVar[timedelta | None] = timedelta(days=6)

    def settings(self, address: str) -> dict[str, Any]:
        """One plugin."""
        return {"kind": "wordpress", "slug": "hike", "api": address}

    def truth(self, said: Said) -> dict[str, Any]:
        """The stars, and who gave them."""
        rating = {"rating": 1 + said.number % 5, "rating_min": 1, "rating_max": 5}
        url = f"https://wordpress.org/support/topic/hike-{said.number}/"
        return {"kind": "review", "author": f"walker{said.number}", **rating, "url": url}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """One page of the feed."""
        del now
        number = int(request.url.params.get("paged", 1))
        there = sorted((each for each in said if not each.deleted), key=lambda each: (each.at, each.number))
        there.reverse()
        shown = there[(number - 1) * PAGE : number * PAGE]
        if request.url.path != FEED or (not shown and number > 1):
            return httpx.Response(404, text="<!doctype html><html><title>Page not found</title></html>")
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            "<channel><title>Hike Reviews</title><language>en-US</language>"
            + "".join(map(_item, shown))
            + "</channel></rss>"
        )
        return httpx.Response(200, headers={"content-type": "application/rss+xml"}, content=body.encode())


def _item(said: Said) -> str:
    address = f"https://wordpress.org/support/topic/hike-{said.number}/"
    shown = f"<p>Replies: 0</p><p>Rating: {1 + said.number % 5} stars</p><p>{escape(said.text)}</p>"
    return (
        f'<item><guid isPermaLink="true">{address}</guid><title>Review</title><link>{address}</link>'
        f"<pubDate>{format_datetime(said.at)}</pubDate><dc:creator>walker{said.number}</dc:creator>"
        f"<description><![CDATA[{shown}]]></description></item>"
    )

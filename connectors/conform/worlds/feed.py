"""A feed: RSS 2.0 with the newest entries of a forum, and nothing but those."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from html import escape
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

SHOWN = 500


class FeedWorld(World):
    """Shows its newest 500 entries, whoever asks; and 304 to who has them already."""

    kind: ClassVar[str] = "feed"
    page: ClassVar[int] = 50
    cap: ClassVar[int | None] = SHOWN
    late: ClassVar[timedelta] = timedelta(days=2)
    edits: ClassVar[timedelta | None] = timedelta(days=7)

    def settings(self, address: str) -> dict[str, Any]:
        """A feed of posts."""
        return {"kind": "feed", "url": f"{address}/forum.rss?key=sesame-feed", "kind_of_mention": "post"}

    def truth(self, said: Said) -> dict[str, Any]:
        """Its title and its address."""
        address = f"https://forum.example/t/{said.number}"
        return {"kind": "post", "author": f"walker{said.number}", "title": f"Topic {said.number}", "url": address}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """The document."""
        if request.url.path != "/forum.rss" or request.method != "GET":
            return httpx.Response(404)
        del now
        shown = sorted((each for each in said if not each.deleted), key=lambda each: (each.at, each.number))[-SHOWN:]
        body = (
            '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Forum</title>'
            + "".join(map(_item, reversed(shown)))
            + "</channel></rss>"
        ).encode()
        etag = f'"{sha256(body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers={"etag": etag})
        return httpx.Response(200, headers={"content-type": "application/rss+xml", "etag": etag}, content=body)


def _item(said: Said) -> str:
    return (
        f'<item><guid isPermaLink="false">{said.number}</guid><title>Topic {said.number}</title>'
        f"<link>https://forum.example/t/{said.number}</link><author>walker{said.number}</author>"
        f"<description>{escape(f'<p>{escape(said.text)}</p>')}</description>"
        f"<pubDate>{format_datetime(said.at)}</pubDate></item>"
    )

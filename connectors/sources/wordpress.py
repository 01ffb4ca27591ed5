"""WordPress.org: the reviews of one plugin or theme. No key needed; untested against the live service."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import ClassVar, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import Field

from connectors.client import Address, refused
from connectors.contract import Item, Page, Source
from connectors.newest import Back, moment
from connectors.syndication import answered_at, contents_of, document_of, moment_of, text_of, without_mail
from pipeline.coverage import Gap
from pipeline.errors import RecordError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain, tidy

FIRST_PAGES = 10
"""How far the very first walk goes back, if no `first_day` says it."""
DEEPEST = 200
"""Pages of one walk, should a feed never end."""
OVERLAP = timedelta(days=7)
"""Read again at each call: authors edit, and what a moderator lets in has the time it was written."""
PAUSE = 2.0
"""Seconds between two requests: the limit is not documented. https://wordpress.org/about/privacy/"""

_NO_SUCH_PAGE = 404
_RATING = re.compile(r"<p>\s*Rating:\s*(\d)\s+stars?\.?\s*</p>", re.IGNORECASE)
_REPLIES = re.compile(r"<p>\s*Replies:\s*(\d+)\s*</p>", re.IGNORECASE)
_REPLY = re.compile(r"post-(\d+)")


class WordPress(Source, frozen=True):
    """Reviews of one plugin or theme at WordPress.org, from the feed of its support forum.

    Untested against the live service: where the rating stands was written down from memory. A review without the line
    "Rating: n stars" is heard all the same, without a rating.
    """

    label: ClassVar[str] = "WordPress.org"
    docs: ClassVar[str] = "https://wordpress.org/support/article/wordpress-feeds/"
    quiet_after: ClassVar[timedelta] = timedelta(days=30)

    kind: Literal["wordpress"] = "wordpress"
    slug: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="The last part of its address in the directory.")
    what: Literal["plugin", "theme"] = Field(default="plugin", description="Whether it is a plugin or a theme.")
    api: Address = Field(default="https://wordpress.org", description="Where the feed is.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From the newest back to the last days before `since`, the time of the newest one read before."""
        back = Back.to(since, self.first_day, OVERLAP)
        cut = list[str]()
        yield from back.read(self._feed(http, cut), _said_at, most=FIRST_PAGES, surely=False)
        unread = back.oldest is not None and (back.bound is None or back.oldest > back.bound)
        yield back.end([Gap(back.bound, back.oldest, why) for why in cut if back.oldest and unread])

    def parse(self, item: Item) -> Mention:
        """A review, or a reply to one where the feed has any: its link ends in #post- and a number.

        The language the feed declares is the site's, not the reviewer's.
        """
        entry = item["entry"]
        said_at = _said_at(item)
        address = urlsplit(str(entry.get("link") or entry["id"]))  # an id may be ?post_type=topic&p=7
        reply = _REPLY.fullmatch(address.fragment)
        topic = f"wordpress:{address.netloc}{address.path.rstrip('/')}"
        if said_at is None or not address.netloc:
            raise RecordError("the review has no time or no address")
        shown = next((content.get("value") or "" for content in contents_of(entry)), "")
        rating, replies = _RATING.search(shown), _REPLIES.search(shown)
        title = text_of(entry.get("title_detail"))
        return Mention.model_validate(
            {
                "key": f"{topic}/{reply[0]}" if reply else topic,
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT if reply else MentionKind.REVIEW,
                "title": title or None,
                "text": plain(_RATING.sub("", _REPLIES.sub("", shown))) or title,
                "said_at": said_at,
                "url": entry.get("link"),
                "author": tidy(entry.get("author") or "") or None,
                "rating": float(rating[1]) if rating and not reply else None,
                "rating_min": 1.0 if rating and not reply else None,
                "rating_max": 5.0 if rating and not reply else None,
                "product": self.slug,
                "thread": topic,
                "parent": topic if reply else None,
                "replies": int(replies[1]) if replies else None,
            }
        )

    def place(self, item: Item) -> str:
        """The review's address."""
        entry = item.get("entry") or {}
        return str(entry.get("id") or entry.get("link") or "?")[:100]

    def _feed(self, http: httpx.Client, cut: list[str]) -> Iterator[list[Item]]:
        """Its pages, to one that does not exist or is empty; `cut` says why it is none of these that ended them."""
        known = set[str]()
        for number in range(1, DEEPEST + 1):
            answer = self._page(http, number, expected={_NO_SUCH_PAGE} if number > 1 else set())
            if answer.status_code == _NO_SUCH_PAGE:
                self._make_sure(http, number)
                return
            document = document_of(answer)
            heard_at = answered_at(answer).isoformat()
            items = [{"entry": entry, "heard_at": heard_at} for entry in map(without_mail, document["entries"])]
            fresh = {self.place(item) for item in items} - known
            known |= fresh
            if not fresh:
                if items:
                    cut.append("the feed gives the same reviews again and again, and no older ones")
                return
            yield items
        cut.append(f"no more than {DEEPEST} pages of the feed are read in one call")

    def _page(self, http: httpx.Client, number: int, expected: set[int]) -> httpx.Response:
        url = f"{self.api}/support/{self.what}/{self.slug}/reviews/feed/"
        params = {"paged": number} if number > 1 else {}
        return http.get(url, params=params, extensions={"pause": PAUSE, "expected": expected})

    def _make_sure(self, http: httpx.Client, number: int) -> None:
        """That a page which is not there is behind the last one, and was not away for a moment."""
        again = self._page(http, number, {_NO_SUCH_PAGE})
        if again.status_code != _NO_SUCH_PAGE:
            document_of(again)  # or it is no feed, which is worse
            raise refused(again, "a page of the feed was away for a moment; if this stays, tell WordPress.org")


def _said_at(item: Item) -> datetime | None:
    entry, heard_at = item["entry"], moment(item.get("heard_at"))
    return moment_of(entry.get("published_parsed") or entry.get("updated_parsed"), heard_at) if heard_at else None

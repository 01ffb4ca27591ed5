"""Hacker News: every story and comment with a phrase in it. No key needed."""

import logging
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import Field

from connectors.client import Address, changed, items_of, json_of, place
from connectors.contract import Item, Page, Source
from connectors.newest import Back, epoch
from connectors.paging import Found, Hidden, by_time
from connectors.values import identity
from pipeline.errors import ChangedError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain

PAGE = 100
CEILING = 1_000
"""The most hits one query gives, however it is paged: https://hn.algolia.com/api"""
EDITABLE = timedelta(hours=3)
"""Read again at each call: an author may edit for two hours, silently, and the index lags."""

PAUSE = 0.1
"""Seconds between two items that are looked up. There is no limit: https://github.com/HackerNews/API"""

_SEARCHED = ("title", "story_text", "comment_text", "url")

log = logging.getLogger(__name__)


class HackerNews(Source, frozen=True):
    """Stories and comments on Hacker News that say a phrase, found by its public search."""

    label: ClassVar[str] = "Hacker News"
    docs: ClassVar[str] = "https://hn.algolia.com/api"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)
    recheck_after: ClassVar[timedelta | None] = timedelta(hours=12)
    aside: ClassVar[frozenset[str]] = frozenset({"first_pages", "items_api"})

    kind: Literal["hackernews"] = "hackernews"
    phrase: str = Field(min_length=2, max_length=200, description="Your product's name, as people write it.")
    first_pages: int = Field(
        default=50,
        ge=1,
        le=1_000,
        description="How many pages of 100 to go back at the very first call, if no `first_day` is set.",
    )
    api: Address = Field(default="https://hn.algolia.com/api/v1", description="Where the search answers.")
    items_api: Address = Field(
        default="https://hacker-news.firebaseio.com/v0",
        description="Where single items are, to see which were deleted.",
    )

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From the newest back to the last hours before `since`, the second of the newest hit read before.

        By time, not by page number: the API stops at 1,000 hits, a bad day does not. Inclusive at both ends, for two
        things can be said in one second. Only within one second we go on by page number.
        """
        known, hidden = set[str](), list[Hidden]()

        def ask(end: int | None, number: int) -> Found:
            hits = self._hits(http, back.bound, end, number - 1)
            fresh = {_id(hit) for hit in hits} - known
            known.update(fresh)
            if not fresh and number > 1 and len(hits) >= PAGE:
                raise ChangedError(f"{urlsplit(self.api).netloc}: gives the same page of its search twice")
            return Found(hits, bool(fresh) or len(hits) >= PAGE)  # a short page may be short for a moment

        back = Back.to(_iso(since), self.first_day, EDITABLE)
        walk = by_time(ask, second=_second, native=_native, deepest=CEILING // PAGE, hidden=hidden)
        for page in back.read(walk, _said_at, most=self.first_pages):
            yield replace(page, items=[hit for hit in page.items if self._says_it(hit)])
        if hidden:
            log.warning(
                "%s: more than %d hits in one second, %d times; the rest is hidden", self.name, CEILING, len(hidden)
            )
        why = f"more than {CEILING:,} hits in one second; the search gives no more"
        end = back.end(back.gaps(hidden, why, epoch))
        reach = back.whole_since + timedelta(seconds=1) if back.bound is None and back.whole_since else end.reach
        cursor = str(int(back.newest.timestamp())) if back.newest else None
        yield replace(
            end, cursor=cursor, reach=reach
        )  # of the second in which it was given up, perhaps not all was read

    def parse(self, item: Item) -> Mention:
        """A hit. A comment carries the title of its story, which is somebody else's."""
        own = identity(item["objectID"], "objectID")
        comment = item.get("comment_text")
        story = item.get("story_id")
        parent = item.get("parent_id")
        return Mention.model_validate(
            {
                "key": f"hackernews:{own}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT if comment else MentionKind.POST,
                "title": item.get("story_title") if comment else item["title"],
                "text": plain(comment or item.get("story_text") or item["title"]),
                "said_at": datetime.fromtimestamp(item["created_at_i"], UTC),
                "url": f"https://news.ycombinator.com/item?id={own}",
                "author": item.get("author"),
                "author_id": item.get("author"),
                "thread": f"hackernews:{story}" if story else None,
                "parent": f"hackernews:{parent}" if parent else None,
                "likes": item.get("points"),
                "replies": item.get("num_comments"),
            }
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Those that say they are deleted, and those that are not there at all: of these the body is `null`.

        What is `dead` is hidden for now and may come back.
        """
        found = set[str]()
        for key in keys:
            response = http.get(f"{self.items_api}/item/{key.partition(':')[2]}.json", extensions={"pause": PAUSE})
            item = json_of(response)
            if item is not None and not isinstance(item, dict):
                raise changed(response, "answered no item")
            if item is None or item.get("deleted") is True:
                found.add(key)
        return found

    def place(self, item: Item) -> str:
        """The native id."""
        return _id(item)[:100]

    def _hits(self, http: httpx.Client, start: datetime | None, end: int | None, number: int) -> list[Item]:
        low = 0 if start is None else max(0, int(start.timestamp()))
        spoken = " ".join(self.phrase.replace('"', " ").split())
        asked: dict[str, Any] = {
            "query": f'"{spoken}"',
            "tags": "(story,comment)",
            "typoTolerance": "false",
            "restrictSearchableAttributes": ",".join(_SEARCHED),
            "numericFilters": f"created_at_i>={low}" + ("" if end is None else f",created_at_i<={end}"),
            "hitsPerPage": PAGE,
            "page": number,
        }
        response = http.get(f"{self.api}/search_by_date", params=asked)
        hits = json_of(response, dict).get("hits")
        if not isinstance(hits, list):
            raise ChangedError(f"{place(response.request)}: answered no list of hits")
        return items_of(hits)

    def _says_it(self, hit: Item) -> bool:
        """The search also finds the phrase in names of authors: "gymshark" found one called romshark."""
        said = " ".join(str(hit.get(each) or "") for each in _SEARCHED)
        return (
            "strange" in hit
            or self.phrase.casefold() in said.casefold()
            or f" {_words(self.phrase)} " in f" {_words(said)} "
        )


def _iso(since: str | None) -> str | None:
    """The cursor as a time that a walk goes back to."""
    at = epoch(int(since)) if since else None
    return at.isoformat() if at else None


def _id(hit: Item) -> str:
    return str(hit.get("objectID"))


def _native(hit: Item) -> object:
    return hit.get("objectID")


def _second(hit: Item) -> int | None:
    """When it was said, where that is a time at all."""
    second = hit.get("created_at_i")
    return second if type(second) is int and epoch(second) else None


def _said_at(hit: Item) -> datetime | None:
    return epoch(_second(hit))


def _words(html: str) -> str:
    """The letters and digits, as the search compares them: without case, accents and punctuation."""
    letters = unicodedata.normalize("NFKD", plain(html).casefold())
    return re.sub(r"[\W_]+", " ", "".join(letter for letter in letters if not unicodedata.combining(letter))).strip()

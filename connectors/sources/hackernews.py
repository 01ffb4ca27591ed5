"""Hacker News: every story and comment with a phrase in it. No key needed."""

import logging
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field

from connectors.client import Address, items_of, json_of, place
from connectors.contract import Item, Page, Source
from pipeline.errors import ChangedError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain

PAGE = 100
CEILING = 1_000
"""The most hits one query gives, however it is paged: https://hn.algolia.com/api"""
EDITABLE = timedelta(hours=3)
"""Read again at each call: an author may edit for two hours, silently, and the index lags."""

_SEARCHED = ("title", "story_text", "comment_text", "url")

log = logging.getLogger(__name__)


class HackerNews(Source, frozen=True):
    """Stories and comments on Hacker News that say a phrase, found by its public search."""

    label: ClassVar[str] = "Hacker News"
    docs: ClassVar[str] = "https://hn.algolia.com/api"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)

    kind: Literal["hackernews"] = "hackernews"
    phrase: str = Field(min_length=2, max_length=200, description="Your product's name, as people write it.")
    api: Address = Field(default="https://hn.algolia.com/api/v1", description="Where the search answers.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From the newest back to the last hours before `since`, the second of the newest hit read before.

        By time, not by page number: the API stops at 1,000 hits, a bad day does not. Inclusive at both ends, for two
        things can be said in one second. Only within one second we go on by page number.
        """
        newest = int(since or 0)
        start = max(0, newest - int(EDITABLE.total_seconds()))
        end: int | None = None
        number = 0
        known: set[str] = set()
        while True:
            hits = self._hits(http, start, end, number)
            fresh = [hit for hit in hits if _id(hit) not in known]
            if not fresh and len(hits) < PAGE:
                break
            yield Page([hit for hit in fresh if self._says_it(hit)])
            seconds = [second for hit in hits if (second := _second(hit)) is not None]
            newest = max([newest, *seconds])
            oldest = min(seconds, default=end)
            if oldest is not None and (end is None or oldest < end):
                end, number = oldest, 0
                known = {_id(hit) for hit in hits if _second(hit) == end}
            else:
                number += 1
                known |= {_id(hit) for hit in hits}
            if (number + 1) * PAGE > CEILING:
                log.warning(
                    "%s: more than %d hits in one second, %s; the rest cannot be asked for", self.name, CEILING, end
                )
                end, number, known = (end or start) - 1, 0, set()
        yield Page([], cursor=str(newest))  # newest first: safe only now

    def parse(self, item: Item) -> Mention:
        """A hit. A comment carries the title of its story, which is somebody else's."""
        comment = item.get("comment_text")
        story = item.get("story_id")
        parent = item.get("parent_id")
        return Mention.model_validate(
            {
                "key": f"hackernews:{item['objectID']}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT if comment else MentionKind.POST,
                "title": item.get("story_title") if comment else item["title"],
                "text": plain(comment or item.get("story_text") or item["title"]),
                "said_at": datetime.fromtimestamp(item["created_at_i"], UTC),
                "url": f"https://news.ycombinator.com/item?id={item['objectID']}",
                "author": item.get("author"),
                "author_id": item.get("author"),
                "thread": f"hackernews:{story}" if story else None,
                "parent": f"hackernews:{parent}" if parent else None,
                "likes": item.get("points"),
                "replies": item.get("num_comments"),
            }
        )

    def place(self, item: Item) -> str:
        """The native id."""
        return _id(item)[:100]

    def _hits(self, http: httpx.Client, start: int, end: int | None, number: int) -> list[Item]:
        spoken = " ".join(self.phrase.replace('"', " ").split())
        asked: dict[str, Any] = {
            "query": f'"{spoken}"',
            "tags": "(story,comment)",
            "typoTolerance": "false",
            "restrictSearchableAttributes": ",".join(_SEARCHED),
            "numericFilters": f"created_at_i>={start}" + ("" if end is None else f",created_at_i<={end}"),
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
        return "strange" in hit or self.phrase.casefold() in said.casefold() or _words(self.phrase) in _words(said)


def _id(hit: Item) -> str:
    return str(hit.get("objectID"))


def _second(hit: Item) -> int | None:
    second = hit.get("created_at_i")
    return second if type(second) is int else None


def _words(html: str) -> str:
    """The letters and digits, as the search compares them: without case, accents and punctuation."""
    letters = unicodedata.normalize("NFKD", plain(html).casefold())
    return re.sub(r"[\W_]+", " ", "".join(letter for letter in letters if not unicodedata.combining(letter))).strip()

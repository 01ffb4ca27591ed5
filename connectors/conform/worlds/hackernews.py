"""Hacker News: its search, which never gives more than 1,000 hits, and the items themselves."""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

CEILING = 1_000
FIRST = 48_000_000


class HackerNewsWorld(World):
    """Comments, newest first, between two seconds, both included."""

    kind: ClassVar[str] = "hackernews"
    page: ClassVar[int] = 100
    cap: ClassVar[int | None] = CEILING
    late: ClassVar[timedelta] = timedelta(hours=1)
    edits: ClassVar[timedelta | None] = timedelta(hours=2)
    deletes: ClassVar[bool] = True
    skips: ClassVar[frozenset[str]] = frozenset({"comment_text"})

    def settings(self, address: str) -> dict[str, Any]:
        """Both servers at the same address."""
        return {"kind": "hackernews", "phrase": "Hike", "api": f"{address}/api/v1", "items_api": f"{address}/v0"}

    def truth(self, said: Said) -> dict[str, Any]:
        """A comment on one story."""
        url = f"https://news.ycombinator.com/item?id={FIRST + said.number}"
        above = {"parent": str(FIRST), "thread": str(FIRST)}
        return {"kind": "comment", "author": f"walker{said.number}", "url": url, **above}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A page of hits, or one item."""
        del now
        if found := re.fullmatch(r"/v0/item/(\d+)\.json", request.url.path):
            item = json.dumps(_item(said, int(found.group(1)) - FIRST))  # httpx would make nothing of a null
            return httpx.Response(200, content=item.encode())
        if request.url.path != "/api/v1/search_by_date":
            return httpx.Response(404, json={"status": 404, "error": "Not Found"})
        asked = request.url.params
        size, page = int(asked.get("hitsPerPage", 20)), int(asked.get("page", 0))
        bounds = dict(re.findall(r"created_at_i(>=|<=)(-?\d+)", asked.get("numericFilters", "")))
        low, high = int(bounds.get(">=", 0)), int(bounds.get("<=", 1 << 40))
        fitting = [each for each in said if not each.deleted and low <= each.at.timestamp() <= high]
        fitting.sort(key=lambda each: (-each.at.timestamp(), each.number))
        answer: dict[str, Any] = {"nbHits": len(fitting), "page": page, "hitsPerPage": size, "query": asked["query"]}
        if (page + 1) * size > CEILING:
            refused = f"you can only fetch the {CEILING} hits for this query."
            return httpx.Response(200, json={**answer, "message": refused, "hits": []})
        return httpx.Response(200, json={**answer, "hits": list(map(_hit, fitting[page * size : (page + 1) * size]))})


def _hit(said: Said) -> dict[str, Any]:
    return {
        "objectID": str(FIRST + said.number),
        "author": f"walker{said.number}",
        "comment_text": f"{escape(said.text)}",
        "created_at": said.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "created_at_i": int(said.at.timestamp()),
        "story_id": FIRST,
        "parent_id": FIRST,
        "story_title": "What shoes do you wear?",
        "_tags": ["comment", f"author_walker{said.number}", f"story_{FIRST}"],
    }


def _item(said: Sequence[Said], number: int) -> dict[str, Any] | None:
    for each in said:
        if each.number == number:
            told = {"id": FIRST + number, "type": "comment", "time": int(each.at.timestamp()), "parent": FIRST}
            if each.deleted:
                return {**told, "deleted": True}
            return {**told, "by": f"walker{number}", "text": escape(each.text)}
    return None

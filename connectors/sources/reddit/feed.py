"""The search feed of Reddit: what can be heard without a key."""

import re
from datetime import datetime

import httpx

from connectors.contract import Item
from connectors.syndication import answered_at, document_of, moment_of

FED = 25
"""The most entries of the feed; it has no second page."""
PAUSE = 10.0
"""Seconds between two requests, for 10 are allowed in a minute without a key:
https://support.reddithelp.com/hc/en-us/articles/16160319875092-Reddit-Data-API-Wiki"""

_OWN_WORDS = re.compile(r"<!-- SC_OFF -->(.*)<!-- SC_ON -->", re.DOTALL)
_HOST = re.compile(r"^https?://[^/]+")
_ROOT = re.compile(r"/comments/(\w+)/")


def search_feed(
    http: httpx.Client, site: str, query: str, subreddit: str | None, agent: str
) -> tuple[httpx.Response, list[Item]]:
    """The entries of the feed, in the shape the API has them. The first may be communities (t5)."""
    path = f"/r/{subreddit}/search.rss" if subreddit else "/search.rss"
    asked = {"q": query, "sort": "new", **({"restrict_sr": "on"} if subreddit else {})}
    told = {"User-Agent": agent}
    answer = http.get(f"{site}{path}", params=asked, headers=told, extensions={"pause": PAUSE})
    return answer, [_child(entry, answered_at(answer)) for entry in document_of(answer)["entries"]]


def _child(entry: Item, heard_at: datetime) -> Item:
    """An entry as a child of a listing. What a person wrote stands between two marks, the rest is Reddit's."""
    if str(entry.get("id"))[:3] not in {"t1_", "t3_"}:
        return {"kind": "t5"}
    content = next((str(each.get("value")) for each in entry.get("content") or []), "")
    own, root = _OWN_WORDS.search(content), _ROOT.search(str(entry.get("link")))
    published, updated = (_second(entry.get(f"{at}_parsed"), heard_at) for at in ("published", "updated"))
    title = entry.get("title")
    return {
        "data": {
            "name": entry.get("id"),
            "title": title,
            "link_title": title,
            "html": own[1] if own else "",
            "author": str(entry.get("author") or "").removeprefix("/u/") or None,
            "created_utc": published or updated,
            "edited": updated if published and updated and updated > published else False,
            "permalink": _HOST.sub("", entry["link"]) if entry.get("link") else None,
            "link_id": f"t3_{root[1]}" if root else None,
        }
    }


def _second(parsed: list[int] | None, heard_at: datetime) -> float | None:
    at = moment_of(parsed, heard_at)
    return None if at is None else at.timestamp()

"""Reddit: tokens, the search as a listing by full names, and the shells that deletions leave."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

TOKEN = "sesame-reddit"  # noqa: S105 - it opens nothing
SECRET = "sesame-secret"  # noqa: S105 - it opens nothing


class RedditWorld(World):
    """A full name that was deleted leads to an empty page, whether asked for what is before or after it."""

    kind: ClassVar[str] = "reddit"
    page: ClassVar[int] = 100
    cap: ClassVar[int | None] = 1_000
    late: ClassVar[timedelta] = timedelta(hours=5)
    edits: ClassVar[timedelta | None] = timedelta(hours=20)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """One search with a key."""
        keys = {"client_id": "ears", "client_secret": SECRET, "agent": "python:earful:1 (by /u/ears)"}
        return {"kind": "reddit", "query": "Hike", **keys, "api": address, "site": address}

    def truth(self, said: Said) -> dict[str, Any]:
        """A post of one person."""
        url = f"https://www.reddit.com{_post(said)['permalink']}"
        return {"kind": "post", "author": "walker", "title": "About shoes", "url": url, "parent": None}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A token, a page of the search, or the things that are asked for."""
        del now
        path, asked, told = request.url.path, request.url.params, request.headers.get("authorization")
        if path == "/api/v1/access_token":
            if told != f"Basic {b64encode(f'ears:{SECRET}'.encode()).decode()}":
                return _refused(401, "Unauthorized")
            return httpx.Response(200, json={"access_token": TOKEN, "token_type": "bearer", "expires_in": 86400})
        if told != f"Bearer {TOKEN}":
            return _refused(401, "Unauthorized")
        if path == "/api/info":
            names = asked["id"].split(",")
            return _listing([each for each in said if _name(each) in names], None)
        living = sorted((each for each in said if not each.deleted), key=_order, reverse=True)[:1_000]
        return _search(asked, living) if path == "/r/all/search" else _refused(404, "Not Found")


def _search(asked: httpx.QueryParams, living: list[Said]) -> httpx.Response:
    names = [_name(each) for each in living]
    size, after, before = min(100, int(asked.get("limit", 25))), asked.get("after"), asked.get("before")
    if (after or before) and (after or before) not in names:
        return _listing([], None)
    start = names.index(after) + 1 if after else 0
    page = living[start : names.index(before) if before else len(living)][:size]
    return _listing(page, names[start + size - 1] if start + size < len(names) and not before else None)


def _refused(code: int, why: str) -> httpx.Response:
    return httpx.Response(code, json={"message": why, "error": code})


def _order(said: Said) -> tuple[datetime, int]:
    return said.at, said.number


def _listing(page: list[Said], after: str | None) -> httpx.Response:
    children = [{"kind": "t3", "data": _post(each)} for each in page]
    return httpx.Response(200, json={"kind": "Listing", "data": {"children": children, "after": after, "before": None}})


def _name(said: Said) -> str:
    return f"t3_{said.number:06d}"


def _post(said: Said) -> dict[str, Any]:
    return {
        "name": _name(said),
        "id": _name(said).removeprefix("t3_"),
        "title": "About shoes",
        "selftext": "[deleted]" if said.deleted else said.text,
        "author": "[deleted]" if said.deleted else "walker",
        "author_fullname": "t2_walker",
        "created_utc": said.at.timestamp(),
        "edited": said.edited_at.timestamp() if said.edited_at else False,
        "permalink": f"/r/hiking/comments/{said.number:06d}/about_shoes/",
        "subreddit": "hiking",
        "score": 2,
        "num_comments": 0,
        "removed_by_category": "deleted" if said.deleted else None,
    }

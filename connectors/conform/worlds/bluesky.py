"""Bluesky: a server of accounts with sessions, the search with its offsets, and single posts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

WALKER = "did:plc:walker"
ACCESS, REFRESH = "sesame-access", "sesame-refresh"


class BlueskyWorld(World):
    """The search filters and sorts by the time a post bears; its cursor is an offset, so that deletions shift it.

    When a post was indexed is another time: a late one bears an earlier one than those that were indexed before it.
    """

    kind: ClassVar[str] = "bluesky"
    page: ClassVar[int] = 100
    late: ClassVar[timedelta] = timedelta(hours=5)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """One search by one account."""
        who = {"identifier": "ears.bsky.social", "password": "sesame-app-password"}
        return {"kind": "bluesky", "query": '"Hike"', **who, "api": address}

    def truth(self, said: Said) -> dict[str, Any]:
        """A post that answers nobody."""
        url = f"https://bsky.app/profile/{WALKER}/post/{_uri(said).rpartition('/')[2]}"
        return {"kind": "post", "author": "walker.bsky.social", "language": "en", "url": url, "parent": None}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A session, a page of the search, or the posts that are asked for."""
        del now
        method = request.url.path.rpartition(".")[2]
        if method in {"createSession", "refreshSession"} and request.method == "POST":
            tokens = {"accessJwt": ACCESS, "refreshJwt": REFRESH}
            return httpx.Response(200, json={**tokens, "handle": "ears.bsky.social", "did": "did:plc:ears"})
        if request.headers.get("authorization") != f"Bearer {ACCESS}":
            return httpx.Response(401, json={"error": "AuthMissing", "message": "Authentication Required"})
        asked, living = request.url.params, [each for each in said if not each.deleted]
        shown = dict(zip((each.number for each in said), accumulate((each.at for each in said), max), strict=True))
        if method == "getPosts":
            found = [each for each in living if _uri(each) in asked.get_list("uris")]
            return httpx.Response(200, json={"posts": [_post(each, shown[each.number]) for each in found]})
        if method == "getRecord":
            return _record("at://{repo}/{collection}/{rkey}".format(**asked), living)
        if method == "searchPosts":
            return _search(asked, living, shown)
        return httpx.Response(404, json={"error": "MethodNotImplemented", "message": "Method Not Implemented"})


def _record(uri: str, living: Sequence[Said]) -> httpx.Response:
    found = next((each for each in living if _uri(each) == uri), None)
    if found is None:
        return httpx.Response(400, json={"error": "RecordNotFound", "message": f"Could not locate record: {uri}"})
    return httpx.Response(200, json={"uri": uri, "cid": f"bafyrei{found.number}", "value": {"text": found.text}})


def _search(asked: httpx.QueryParams, living: Sequence[Said], shown: dict[int, datetime]) -> httpx.Response:
    words = asked.get("q", "").strip('"').lower()
    if not words:
        return httpx.Response(400, json={"error": "InvalidRequest", "message": 'Params must have the property "q"'})
    since, until = (datetime.fromisoformat(asked[end]) if end in asked else None for end in ("since", "until"))
    found = [
        each
        for each in sorted(living, key=lambda each: (each.at, each.number), reverse=True)
        if words in each.text.lower() and (not since or each.at >= since) and (not until or each.at < until)
    ]
    start, size = int(asked.get("cursor", 0)), min(100, int(asked.get("limit", 25)))
    more = {"cursor": str(start + size)} if start + size < len(found) else {}
    return httpx.Response(
        200, json={"posts": [_post(each, shown[each.number]) for each in found[start : start + size]], **more}
    )


def _uri(said: Said) -> str:
    return f"at://{WALKER}/app.bsky.feed.post/3k{said.number:011d}"


def _post(said: Said, shown: datetime) -> dict[str, Any]:
    at = f"{said.at:%Y-%m-%dT%H:%M:%S}.000Z"
    return {
        "uri": _uri(said),
        "cid": f"bafyrei{said.number}",
        "author": {"did": WALKER, "handle": "walker.bsky.social", "displayName": "Walker"},
        "record": {"$type": "app.bsky.feed.post", "text": said.text, "createdAt": at, "langs": ["en"]},
        "indexedAt": f"{shown:%Y-%m-%dT%H:%M:%S}.000Z",
        "replyCount": 0,
        "repostCount": 1,
        "likeCount": 2,
        "quoteCount": 0,
        "labels": [],
    }

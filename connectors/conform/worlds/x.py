"""X: the recent search with its seven days, and the look-up of posts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

TOKEN = "sesame-x"  # noqa: S105 - it opens nothing
BORN = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)
SHOWN = timedelta(days=7)


class XWorld(World):
    """An id is the time a version was written: an edit has another id, and knows the one before.

    X lets a post be edited for an hour; under the same id it never has other words, but a trial shows that as well.
    """

    kind: ClassVar[str] = "x"
    page: ClassVar[int] = 100
    late: ClassVar[timedelta] = timedelta(minutes=4)
    edits: ClassVar[timedelta | None] = timedelta(minutes=4)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """One search, with a budget that is never used up, and looks at what may be deleted."""
        return {"kind": "x", "query": "Hike", "token": TOKEN, "budget": 100_000, "recheck": True, "api": address}

    def truth(self, said: Said) -> dict[str, Any]:
        """A post that answers nobody."""
        url = f"https://x.com/walker/status/{_native(said)}"
        return {"kind": "post", "author": "walker", "author_id": "7", "language": "en", "url": url, "parent": None}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A page of the search, or the posts that are asked for."""
        date = {"date": format_datetime(now.astimezone(UTC), usegmt=True)}
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"title": "Unauthorized", "type": "about:blank", "status": 401})
        living = sorted((each for each in said if not each.deleted), key=_native, reverse=True)
        asked = request.url.params
        if request.url.path == "/2/tweets":
            wanted = asked["ids"].split(",")
            there = {id_: each for each in living for id_ in _versions(each) if id_ in wanted}
            faults = [_missing(id_) for id_ in wanted if id_ not in there]
            data = {"data": [_tweet(each) for each in there.values()]} if there else {}
            return httpx.Response(200, json={**data, **({"errors": faults} if faults else {})})
        if request.url.path != "/2/tweets/search/recent":
            return httpx.Response(404, json={"title": "Not Found", "type": "about:blank", "status": 404})
        oldest = _id_at(now - SHOWN)
        for name in ("since_id", "until_id"):
            if name in asked and int(asked[name]) < oldest:
                return _invalid(name, asked[name])
        lower = max(oldest, int(asked.get("since_id", 0)))
        upper = min(int(asked.get("until_id", 1 << 63)), int(asked.get("next_token", f"b{1 << 63}")[1:]))
        found = [each for each in living if lower < _native(each) < upper]
        size = min(100, max(10, int(asked.get("max_results", 10))))
        return httpx.Response(200, headers=date, json=_listing(found[:size], more=len(found) > size))


def _listing(page: list[Said], *, more: bool) -> dict[str, Any]:
    meta: dict[str, Any] = {"result_count": len(page)}
    if not page:
        return {"meta": meta}
    meta |= {"newest_id": str(_native(page[0])), "oldest_id": str(_native(page[-1]))}
    meta |= {"next_token": f"b{_native(page[-1])}"} if more else {}
    walker = {"id": "7", "name": "Walker", "username": "walker", "public_metrics": {"followers_count": 12}}
    return {"data": [_tweet(each) for each in page], "includes": {"users": [walker]}, "meta": meta}


def _invalid(name: str, value: str) -> httpx.Response:
    message = f"Invalid '{name}':'{value}'. '{name}' must be a tweet id created within the last 7 days"
    fault = {"parameters": {name: [value]}, "message": message}
    kind = "https://api.x.com/2/problems/invalid-request"
    return httpx.Response(400, json={"errors": [fault], "title": "Invalid Request", "type": kind})


def _missing(native: str) -> dict[str, str]:
    kind = "https://api.x.com/2/problems/resource-not-found"
    return {"resource_id": native, "parameter": "ids", "title": "Not Found Error", "type": kind}


def _id_at(at: datetime, low: int = 0) -> int:
    return (int((at - BORN) / timedelta(milliseconds=1)) << 22) + low


def _native(said: Said) -> int:
    return _id_at(said.edited_at or said.at, said.number)


def _versions(said: Said) -> list[str]:
    return [str(each) for each in dict.fromkeys((_id_at(said.at, said.number), _native(said)))]


def _tweet(said: Said) -> dict[str, Any]:
    return {
        "id": str(_native(said)),
        "edit_history_tweet_ids": _versions(said),
        "text": escape(said.text, quote=False),
        "created_at": f"{said.edited_at or said.at:%Y-%m-%dT%H:%M:%S}.000Z",
        "author_id": "7",
        "conversation_id": _versions(said)[0],
        "lang": "en",
        "public_metrics": {"retweet_count": 1, "reply_count": 0, "like_count": 2, "quote_count": 0},
    }

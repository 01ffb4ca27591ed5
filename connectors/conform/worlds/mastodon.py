"""Mastodon: one instance's timeline of a hashtag, paged by its `Link` header, and the posts themselves."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

TIMELINE = "/api/v1/timelines/tag/hike"
STATUS = "/api/v1/statuses/"
TOKEN = "sesame-mastodon"  # noqa: S105 - it opens nothing


class MastodonWorld(World):
    """An instance that wants a token. An id is the time a post arrived, as far as its server dates it honestly."""

    kind: ClassVar[str] = "mastodon"
    page: ClassVar[int] = 40
    late: ClassVar[timedelta] = timedelta(hours=5)
    edits: ClassVar[timedelta | None] = timedelta(hours=5)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """One hashtag."""
        return {"kind": "mastodon", "instance": address, "tag": "hike", "token": TOKEN}

    def truth(self, said: Said) -> dict[str, Any]:
        """A post that answers nobody."""
        url = f"https://social.example/@walker/{_native(said)}"
        return {"kind": "post", "language": "en", "url": url, "author_id": "7", "author_reach": 12, "parent": None}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A page of the timeline, or one post."""
        del now
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"error": "The access token is invalid"})
        living = sorted((each for each in said if not each.deleted), key=_native)
        if request.url.path.startswith(STATUS):
            native = request.url.path.removeprefix(STATUS)
            found = next((each for each in living if str(_native(each)) == native), None)
            return httpx.Response(404, json={"error": "Record not found"}) if not found else _json(_status(found))
        if request.url.path != TIMELINE:
            return httpx.Response(404, json={"error": "Record not found"})
        asked = request.url.params
        size = min(40, int(asked.get("limit", 20)))
        lowest, highest = int(asked.get("min_id", -1)), int(asked.get("max_id", 1 << 80))
        fitting = [each for each in living if lowest < _native(each) < highest]
        page = (fitting[:size] if "min_id" in asked else fitting[-size:])[::-1]
        if not page:
            return _json([])
        here = str(request.url.copy_with(query=None))
        older, newer = (f"{here}?limit={size}&{name}={_native(each)}" for name, each in _ends(page))
        links = {"link": f'<{older}>; rel="next", <{newer}>; rel="prev"'}
        return httpx.Response(200, headers=links, json=[_status(each) for each in page])


def _ends(page: list[Said]) -> tuple[tuple[str, Said], tuple[str, Said]]:
    return ("max_id", page[-1]), ("min_id", page[0])


def _json(said: object) -> httpx.Response:
    return httpx.Response(200, json=said)


def _native(said: Said) -> int:
    return (int(said.at.timestamp() * 1000) << 16) + said.number


def _status(said: Said) -> dict[str, Any]:
    native = _native(said)
    return {
        "id": str(native),
        "created_at": f"{said.at:%Y-%m-%dT%H:%M:%S}.000Z",
        "edited_at": said.edited_at and f"{said.edited_at:%Y-%m-%dT%H:%M:%S}.000Z",
        "in_reply_to_id": None,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"https://social.example/users/walker/statuses/{native}",
        "url": f"https://social.example/@walker/{native}",
        "replies_count": 0,
        "reblogs_count": 1,
        "favourites_count": 2,
        "content": f"<p>{escape(said.text)}</p>",
        "reblog": None,
        "account": {"id": "7", "acct": "walker", "display_name": "Walker", "followers_count": 12, "bot": False},
        "tags": [{"name": "hike", "url": "https://social.example/tags/hike"}],
    }

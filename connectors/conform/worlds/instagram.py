"""Instagram: comments below an own post and replies to them, in Meta's Graph."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World
from connectors.conform.worlds.facebook import NOT_THERE, graph_page, graph_refusal, graph_time
from connectors.conform.worlds.newest import newest_first

ACCOUNT = "17841405822304914"
MEDIA = "17846368219941692"
FIRST = 17_858_154_000_000_000
TOPS = 150
"""So many comments no reply stands among: where few are said, each is an item by itself."""


class InstagramWorld(World):
    """One post of the account, below which people comment. A comment cannot be edited.

    Of what is said after the first `TOPS` every third thing is a reply, to a comment that was there long before.
    """

    kind: ClassVar[str] = "instagram"
    page: ClassVar[int] = 50
    late: ClassVar[timedelta] = timedelta(days=1)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """The account and its token."""
        return {"kind": "instagram", "account": ACCOUNT, "token": "EAAB-insta-0815", "api": f"{address}/v21.0"}

    def truth(self, said: Said) -> dict[str, Any]:
        """A comment on the only post."""
        top = {"parent": MEDIA} if said.number <= TOPS or said.number % 3 else {}
        return {"kind": "comment", "author": f"walker{said.number}", "thread": MEDIA, **top}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """The account's posts, posts that tag it (there are none), comments with their replies, or one comment."""
        path, asked = request.url.path.removeprefix("/v21.0/"), request.url.params
        if request.headers.get("authorization") != "Bearer EAAB-insta-0815":
            return graph_refusal({"message": "Invalid OAuth access token.", "type": "OAuthException", "code": 190})
        living = [each for each in said if not each.deleted]
        if path == f"{ACCOUNT}/media":
            return graph_page([_media(living, now)], None)
        if path == f"{ACCOUNT}/tags":
            return httpx.Response(200, json={"data": []})
        if path == f"{MEDIA}/comments":
            replies: dict[int, list[Said]] = {}
            for each in living:
                replies.setdefault(_answered(each, living), []).append(each)
            tops = replies.pop(0, [])
            shown, following = newest_first(tops, asked.get("after"), min(int(asked.get("limit", "25")), 50))
            return graph_page([_comment(each, replies.get(each.number, ())) for each in shown], following)
        there = path in {MEDIA, *(str(FIRST + each.number) for each in living)}
        return httpx.Response(200, json={"id": path}) if there else graph_refusal(NOT_THERE)


def _media(living: list[Said], now: datetime) -> dict[str, Any]:
    return {
        "id": MEDIA,
        "caption": "What are you wearing?",
        "media_type": "IMAGE",
        "timestamp": graph_time(min((each.at for each in living), default=now) - timedelta(days=1)),
        "permalink": "https://www.instagram.com/p/B8gQCApHMT-/",
        "username": "shoes",
        "like_count": 3,
        "comments_count": len(living),
    }


def _answered(said: Said, living: list[Said]) -> int:
    """The number of the comment it replies to; 0 where it is none, or that comment was deleted."""
    if said.number <= TOPS or said.number % 3:
        return 0
    above = said.number // 3
    while above and above % 3 == 0:
        above //= 3
    return above if any(each.number == above for each in living) else 0


def _comment(said: Said, replies: Sequence[Said] = ()) -> dict[str, Any]:
    told = {"replies": {"data": [_comment(each) for each in replies]}} if replies else {}
    return told | {
        "id": str(FIRST + said.number),
        "text": said.text,
        "timestamp": graph_time(said.at),
        "username": f"walker{said.number}",
        "from": {"id": f"66{said.number}", "username": f"walker{said.number}"},
        "like_count": 0,
    }

"""YouTube: the comment threads of a channel, newest first, and the look-up of comments."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World
from connectors.conform.worlds.newest import newest_first

KEY = "sesame-youtube"
CHANNEL = "UChike"


class YouTubeWorld(World):
    """Threads stand where they were first written, however they are edited; there is no "since"."""

    kind: ClassVar[str] = "youtube"
    page: ClassVar[int] = 100
    late: ClassVar[timedelta] = timedelta(hours=5)
    edits: ClassVar[timedelta | None] = timedelta(days=5)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """One channel, with units enough."""
        return {"kind": "youtube", "key": KEY, "channel_id": CHANNEL, "units": 10_000, "api": address}

    def truth(self, said: Said) -> dict[str, Any]:
        """A thread of one comment."""
        url = f"https://www.youtube.com/watch?v=hikevideo01&lc={_native(said)}"
        return {"kind": "comment", "author": "@walker", "author_id": "UCwalker", "url": url, "parent": None}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A page of threads, or the comments that are asked for."""
        del now
        asked = request.url.params
        if asked.get("key") != KEY:
            return _refused(400, "badRequest", "API key not valid. Please pass a valid API key.")
        if request.url.path == "/comments" and "id" in asked:
            wanted = asked["id"].split(",")
            there = [each for each in said if _native(each) in wanted and not each.deleted]
            if len(there) < len(wanted):
                return _refused(404, "commentNotFound", "One or more of the specified comments cannot be found.")
            return _listing("comment", [_comment(each) for each in there], None)
        if request.url.path != "/commentThreads" or asked.get("allThreadsRelatedToChannelId") != CHANNEL:
            return _refused(404, "channelNotFound", "The channel could not be found.")
        page, following = newest_first(said, asked.get("pageToken"), min(100, int(asked.get("maxResults", 20))))
        return _listing("commentThread", [_thread(each) for each in page], following)


def _refused(code: int, reason: str, message: str) -> httpx.Response:
    fault = {"message": message, "domain": "youtube.commentThread", "reason": reason}
    return httpx.Response(code, json={"error": {"code": code, "message": message, "errors": [fault]}})


def _listing(kind: str, items: list[dict[str, Any]], following: str | None) -> httpx.Response:
    about = {"kind": f"youtube#{kind}ListResponse", "pageInfo": {"totalResults": len(items), "resultsPerPage": 100}}
    return httpx.Response(200, json={**about, "items": items, **({"nextPageToken": following} if following else {})})


def _native(said: Said) -> str:
    return f"Ug{said.number:08d}AaABAg"


def _thread(said: Said) -> dict[str, Any]:
    about = {"channelId": CHANNEL, "videoId": "hikevideo01"}
    counts = {"canReply": True, "totalReplyCount": 0, "isPublic": True}
    snippet = {**about, "topLevelComment": _comment(said), **counts}
    return {"kind": "youtube#commentThread", "id": _native(said), "snippet": snippet}


def _comment(said: Said) -> dict[str, Any]:
    return {
        "kind": "youtube#comment",
        "id": _native(said),
        "snippet": {
            "channelId": CHANNEL,
            "videoId": "hikevideo01",
            "textDisplay": escape(said.text),
            "textOriginal": said.text,
            "authorDisplayName": "@walker",
            "authorChannelId": {"value": "UCwalker"},
            "likeCount": 2,
            "publishedAt": f"{said.at:%Y-%m-%dT%H:%M:%SZ}",
            "updatedAt": f"{said.edited_at or said.at:%Y-%m-%dT%H:%M:%SZ}",
        },
    }

"""Facebook: comments below a page's post, in Meta's Graph."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World
from connectors.conform.worlds.newest import newest_first

PAGE = "20531316728"
POST = f"{PAGE}_10158407654328553"
NOT_THERE = {"message": "Unsupported get request.", "type": "GraphMethodException", "code": 100, "error_subcode": 33}


def graph_time(at: datetime) -> str:
    """As Meta writes it: 2021-08-10T18:45:03+0000."""
    return at.strftime("%Y-%m-%dT%H:%M:%S%z")


def graph_page(items: list[dict[str, Any]], following: str | None) -> httpx.Response:
    """A page of a list, whose link to the next holds the token."""
    paging: dict[str, Any] = {"cursors": {"before": "before", "after": following or "end"}}
    if following:
        paging["next"] = f"https://graph.facebook.com/v21.0/x?access_token=EAAB-0815&after={following}"
    return httpx.Response(200, json={"data": items, "paging": paging})


def graph_refusal(error: dict[str, Any]) -> httpx.Response:
    """A refusal, which has status 400 whatever it says."""
    return httpx.Response(400, json={"error": {**error, "fbtrace_id": "A1m6KK6iBqv"}})


class FacebookWorld(World):
    """One post of the page, below which people comment."""

    kind: ClassVar[str] = "facebook"
    page: ClassVar[int] = 100
    late: ClassVar[timedelta] = timedelta(days=1)
    edits: ClassVar[timedelta | None] = timedelta(days=1)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """The page and its token."""
        return {"kind": "facebook", "page": PAGE, "token": "EAAB-page-0815", "api": f"{address}/v21.0"}

    def truth(self, said: Said) -> dict[str, Any]:
        """A comment on the only post."""
        url = _comment(said)["permalink_url"]
        return {"kind": "comment", "author": f"Walker {said.number}", "parent": POST, "thread": POST, "url": url}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """The feed, comments, recommendations (there are none), or one comment."""
        path, asked = request.url.path.removeprefix("/v21.0/"), request.url.params
        if request.headers.get("authorization") != "Bearer EAAB-page-0815":
            return graph_refusal({"message": "Invalid OAuth access token.", "type": "OAuthException", "code": 190})
        living = [each for each in said if not each.deleted]
        if path == f"{PAGE}/feed":
            return graph_page([_post(living, now)], None)
        if path == f"{PAGE}/ratings":
            return graph_page([], None)
        if path == f"{POST}/comments":
            shown, following = newest_first(said, asked.get("after"), min(int(asked.get("limit", "25")), 100))
            return graph_page([_comment(each) for each in shown], following)
        there = path in {POST, *map(_id, living)}
        return httpx.Response(200, json={"id": path}) if there else graph_refusal(NOT_THERE)


def _post(living: list[Said], now: datetime) -> dict[str, Any]:
    first = min((each.at for each in living), default=now) - timedelta(days=1)
    return {
        "id": POST,
        "message": "What are you wearing?",
        "created_time": graph_time(first),
        "updated_time": graph_time(max((each.edited_at or each.at for each in living), default=first)),
        "from": {"name": "Shoes", "id": PAGE},
        "permalink_url": f"https://www.facebook.com/{PAGE}/posts/10158407654328553/",
        "comments": {"data": [], "summary": {"order": "chronological", "total_count": len(living)}},
        "reactions": {"data": [], "summary": {"total_count": 3, "viewer_reaction": "NONE"}},
    }


def _id(said: Said) -> str:
    return f"10158407654328553_{10158407835000000 + said.number}"


def _comment(said: Said) -> dict[str, Any]:
    return {
        "id": _id(said),
        "message": said.text,
        "created_time": graph_time(said.at),
        "from": {"name": f"Walker {said.number}", "id": f"77{said.number}"},
        "like_count": 0,
        "comment_count": 0,
        "permalink_url": f"https://www.facebook.com/{PAGE}/posts/10158407654328553/?comment_id={_id(said)[18:]}",
    }

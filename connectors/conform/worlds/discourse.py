"""Discourse: a forum's search, ten pages of 50 deep, and one post."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

PAGE = 50
DEEPEST = 10


class DiscourseWorld(World):
    """Every third thing is a reply in the topic of the one before; the others begin one.

    A search of all topics shows the last of each. Without a phrase it is read whole, newest first.
    """

    kind: ClassVar[str] = "discourse"
    page: ClassVar[int] = PAGE
    cap: ClassVar[int | None] = PAGE * DEEPEST
    late: ClassVar[timedelta] = timedelta(hours=20)
    edits: ClassVar[timedelta | None] = timedelta(hours=20)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """A forum open to all."""
        return {"kind": "discourse", "forum": address, "phrase": "Hike"}

    def truth(self, said: Said) -> dict[str, Any]:
        """Its topic."""
        begins = said.number == _topic(said)
        told: dict[str, Any] = {"kind": "post", "parent": None} if begins else {"kind": "comment"}
        return {**told, "author": f"walker{said.number}", "thread": f"/t/{_topic(said)}"}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A page of the search, or a post."""
        del now
        there = [each for each in said if not each.deleted]
        if found := re.fullmatch(r"/posts/(\d+)\.json", request.url.path):
            posts = [each for each in there if each.number == int(found[1])]
            if posts:
                return httpx.Response(200, json=_post(posts[0]))
        elif request.url.path == "/posts.json":
            before = int(request.url.params.get("before", 1 << 60))
            posts = sorted((each for each in there if each.number < before), key=lambda each: -each.number)[:PAGE]
            return httpx.Response(200, json={"latest_posts": list(map(_post, posts))})
        elif request.url.path == "/search.json":
            return _search(request, there)
        missing = "The requested URL or resource could not be found."
        return httpx.Response(404, json={"errors": [missing], "error_type": "not_found"})


def _search(request: httpx.Request, there: list[Said]) -> httpx.Response:
    query, number = request.url.params["q"], int(request.url.params.get("page", 1))
    if number > DEEPEST:
        return httpx.Response(400, json={"errors": ["page parameter must not be greater than 10"]})
    if "order:latest" not in query:
        return httpx.Response(404)
    low, high = _bound(query, "after", date.min), _bound(query, "before", date.max)
    found = [each for each in there if low < each.at < high]
    if topic := re.search(r"topic:(\d+)", query):
        found = [each for each in found if _topic(each) == int(topic[1])]
    else:
        last = {_topic(each): each for each in sorted(found, key=lambda each: (each.at, each.number))}
        found = list(last.values())
    found.sort(key=lambda each: (each.at, each.number), reverse=True)
    shown = found[(number - 1) * PAGE : number * PAGE]
    told: dict[str, Any] = {"posts": list(map(_hit, shown)), "users": [], "categories": [], "tags": [], "groups": []}
    if shown:
        told["topics"] = [{"id": _topic(each), "title": "Shoes & socks", "slug": "shoes-socks"} for each in shown]
    more = True if len(found) > number * PAGE else None
    told["grouped_search_result"] = {"more_full_page_results": more, "error": None}
    return httpx.Response(200, json=told)


def _bound(query: str, word: str, otherwise: date) -> datetime:
    found = re.search(rf"{word}:(\S+)", query)
    return datetime.combine(date.fromisoformat(found[1]) if found else otherwise, datetime.min.time(), UTC)


def _topic(said: Said) -> int:
    """The number of the thing that began it."""
    return said.number - 1 if said.number % 3 == 0 else said.number


def _hit(said: Said) -> dict[str, Any]:
    return {
        "id": said.number,
        "name": None,
        "username": f"walker{said.number}",
        "avatar_template": "/letter_avatar/{size}.png",
        "created_at": _told(said.at),
        "like_count": 2,
        "blurb": f"{escape(said.text[:20])}…",
        "post_number": 1 + said.number - _topic(said),
        "topic_id": _topic(said),
    }


def _post(said: Said) -> dict[str, Any]:
    return {
        **_hit(said),
        "blurb": None,
        "cooked": f"<p>{escape(said.text)}</p>",
        "topic_slug": "shoes-socks",
        "updated_at": _told(said.edited_at or said.at),
        "version": 2 if said.edited_at else 1,
        "reply_to_post_number": 1 if said.number != _topic(said) else None,
        "deleted_at": None,
    }


def _told(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

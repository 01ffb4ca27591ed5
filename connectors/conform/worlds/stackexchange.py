"""Stack Exchange: its search of excerpts, 25 pages deep without a key, and posts by their ids."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

DEEPEST = 25
FIRST = 79_000_000


class StackExchangeWorld(World):
    """Questions, and every third thing an answer to the first of them, newest first between two seconds."""

    kind: ClassVar[str] = "stackexchange"
    page: ClassVar[int] = 100
    cap: ClassVar[int | None] = DEEPEST * 100
    late: ClassVar[timedelta] = timedelta(hours=20)
    edits: ClassVar[timedelta | None] = timedelta(hours=20)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """Without a key."""
        return {"kind": "stackexchange", "phrase": "Hike", "api": f"{address}/2.3"}

    def truth(self, said: Said) -> dict[str, Any]:
        """A question, or an answer to the first."""
        above = {"parent": str(FIRST + 1)} if _answers(said) else {"parent": None}
        kind = "comment" if _answers(said) else "post"
        return {"kind": kind, "author": "Jörg", "author_id": str(said.number), "title": "Which shoe & why?", **above}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A page of excerpts, or posts."""
        del now
        asked = request.url.params
        there = [each for each in said if not each.deleted]
        method, _, ids = request.url.path.removeprefix("/2.3/").partition("/")
        many = int(asked.get("pagesize", 30))
        number = int(asked.get("page", 1))
        if number > DEEPEST:
            return _error(403, "access_denied", "page above 25 requires access token or app key")
        if (method, ids) == ("search", "excerpts"):
            low, high = int(asked.get("fromdate", 0)), int(asked.get("todate", 1 << 40))
            found = [each for each in there if low <= each.at.timestamp() <= high]
            found.sort(key=lambda each: (each.at, each.number), reverse=True)
            return _wrapped(found, number, many, _excerpt)
        if method not in {"questions", "answers", "posts"} or not ids:
            return _error(404, "no_method", "no method found with this name")
        wanted = {int(each) - FIRST for each in ids.split(";")}
        kinds = {"questions": (False,), "answers": (True,)}.get(method, (False, True))
        found = [each for each in there if each.number in wanted and _answers(each) in kinds]
        return _wrapped(found, number, many, _post)


def _wrapped(found: list[Said], number: int, many: int, told: Any) -> httpx.Response:  # noqa: ANN401 - a function
    shown = [told(each) for each in found[(number - 1) * many : number * many]]
    rest = {"has_more": len(found) > number * many, "quota_max": 300, "quota_remaining": 200}
    return httpx.Response(200, json={"items": shown, **rest})


def _error(number: int, name: str, message: str) -> httpx.Response:
    return httpx.Response(400, json={"error_id": number, "error_name": name, "error_message": message})


def _answers(said: Said) -> bool:
    return said.number % 3 == 0


def _ids(said: Said) -> dict[str, Any]:
    own = FIRST + said.number
    return {"question_id": FIRST + 1, "answer_id": own} if _answers(said) else {"question_id": own}


def _excerpt(said: Said) -> dict[str, Any]:
    shown = escape(said.text).replace("Hike", '<span class="highlight">Hike</span>', 1)
    return {
        **_ids(said),
        "item_type": "answer" if _answers(said) else "question",
        "title": "Which shoe &amp; why?",
        "excerpt": f"&hellip; {shown}",
        "body": "...",
        "score": 2,
        "tags": ["shoes"],
        "creation_date": int(said.at.timestamp()),
        "last_activity_date": int((said.edited_at or said.at).timestamp()),
    }


def _post(said: Said) -> dict[str, Any]:
    edited = {"last_edit_date": int(said.edited_at.timestamp())} if said.edited_at else {}
    return {
        **_ids(said),
        "post_id": FIRST + said.number,
        "post_type": "answer" if _answers(said) else "question",
        "owner": {"user_id": said.number, "display_name": "J&#246;rg", "profile_image": "https://example.org/j.png"},
        "creation_date": int(said.at.timestamp()),
        "body": f"<p>{escape(said.text)}</p>\n",
        **edited,
    }

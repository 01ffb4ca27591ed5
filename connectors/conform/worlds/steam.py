"""Steam: the reviews of one app by their last change, with a cursor that comes again at the end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

APP = "480"


class SteamWorld(World):
    """Gives as many as are asked for, 100 at most; every seventh review has an answer."""

    kind: ClassVar[str] = "steam"
    page: ClassVar[int] = 100
    late: ClassVar[timedelta] = timedelta(days=6)
    edits: ClassVar[timedelta | None] = timedelta(days=6)

    def settings(self, address: str) -> dict[str, Any]:
        """One app."""
        return {"kind": "steam", "app_id": APP, "api": address}

    def truth(self, said: Said) -> dict[str, Any]:
        """The thumb, and in which language it was written."""
        rating = {"rating": float(said.number % 4 != 0), "rating_min": 0, "rating_max": 1}
        language = "de" if said.number % 2 else "zh"
        return {"kind": "review", "author_id": _review(said)["author"]["steamid"], "language": language, **rating}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """One page. A cursor is where a page ended."""
        del now
        asked = request.url.params
        if request.url.path != f"/appreviews/{APP}":
            return httpx.Response(200, json={"success": 2})
        if asked.get("filter") != "updated" or asked.get("purchase_type") != "all" or asked.get("language") != "all":
            return httpx.Response(404)
        left = sorted((each for each in said if not each.deleted), key=_order, reverse=True)
        cursor = asked.get("cursor", "*")
        if cursor != "*":
            second, _, number = cursor.removesuffix("+/=").partition("~")
            left = [each for each in left if _order(each) < (int(second), int(number))]
        shown = left[: min(int(asked.get("num_per_page", 20)), 100)]
        if shown:
            cursor = f"{_order(shown[-1])[0]}~{shown[-1].number}+/="
        told = {"success": 1, "query_summary": {"num_reviews": len(shown)}, "cursor": cursor}
        return httpx.Response(200, json={**told, "reviews": list(map(_review, shown))})


def _order(said: Said) -> tuple[int, int]:
    return int((said.edited_at or said.at).timestamp()), said.number


def _review(said: Said) -> dict[str, Any]:
    answered = {"developer_response": "Thank you!", "timestamp_dev_responded": int(said.at.timestamp()) + 9}
    return {
        "recommendationid": str(90_000_000 + said.number),
        "author": {"steamid": str(76_561_198_000_000_000 + said.number), "num_reviews": 3, "playtime_forever": 60},
        "language": "german" if said.number % 2 else "schinese",
        "review": said.text,
        "timestamp_created": int(said.at.timestamp()),
        "timestamp_updated": _order(said)[0],
        "voted_up": said.number % 4 != 0,
        "votes_up": said.number % 9,
        "votes_funny": 0,
        "weighted_vote_score": "0.5",
        "comment_count": 0,
        **(answered if said.number % 7 == 0 else {}),
    }

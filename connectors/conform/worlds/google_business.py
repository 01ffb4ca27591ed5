"""Google Business Profile: the reviews of a location by the time of their last change, and the tokens for them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World
from connectors.conform.worlds.newest import newest_first

LISTED = "/v4/accounts/1001/locations/2002/reviews"
STARS = ("ONE", "TWO", "THREE", "FOUR", "FIVE")


class GoogleBusinessWorld(World):
    """Reviews in German, of which Google shows a translation too."""

    kind: ClassVar[str] = "google_business"
    page: ClassVar[int] = 50
    late: ClassVar[timedelta] = timedelta(days=1)
    edits: ClassVar[timedelta | None] = timedelta(days=13)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """One location, and a refresh token."""
        oauth = {"client_id": "hike.apps", "client_secret": "gb-secret-0815", "refresh_token": "1//gb-refresh-0815"}
        place = {"kind": "google_business", "account": "1001", "location": "2002"}
        return {**place, **oauth, "tokens": f"{address}/token", "api": address}

    def truth(self, said: Said) -> dict[str, Any]:
        """The stars, and who gave them."""
        rating = {"rating": 1 + said.number % 5, "rating_min": 1, "rating_max": 5}
        return {"kind": "review", "author": f"Walker {said.number}", **rating}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A token, a page of the list, or one review."""
        del now
        path, asked = request.url.path, request.url.params
        if (request.method, path) == ("POST", "/token"):
            if b"grant_type=refresh_token" not in request.content or b"gb-refresh-0815" not in request.content:
                return httpx.Response(400, json={"error": "invalid_grant", "error_description": "Bad Request"})
            return httpx.Response(200, json={"access_token": "ya29.gbp", "expires_in": 3599, "token_type": "Bearer"})
        if request.headers.get("authorization") != "Bearer ya29.gbp":
            return _refusal(401, "UNAUTHENTICATED")
        if path == LISTED:
            many = min(int(asked.get("pageSize", "50")), 50)
            shown, following = newest_first(said, asked.get("pageToken"), many, edits_move=True)
            if not shown:
                return httpx.Response(200, json={})
            told = {"reviews": [_review(each) for each in shown], "averageRating": 3.0, "totalReviewCount": len(said)}
            return httpx.Response(200, json={**told, "nextPageToken": following} if following else told)
        found = [each for each in said if path == f"{LISTED}/AbFvOq{each.number}" and not each.deleted]
        return httpx.Response(200, json=_review(found[0])) if found else _refusal(404, "NOT_FOUND")


def _review(said: Said) -> dict[str, Any]:
    return {
        "name": f"{LISTED.removeprefix('/v4/')}/AbFvOq{said.number}",
        "reviewId": f"AbFvOq{said.number}",
        "reviewer": {
            "profilePhotoUrl": "https://lh3.googleusercontent.com/a/x",
            "displayName": f"Walker {said.number}",
        },
        "starRating": STARS[said.number % 5],
        "createTime": said.at.isoformat(),
        "updateTime": (said.edited_at or said.at).isoformat(),
        "comment": f"(Translated by Google) A shoe\n\n(Original)\n{said.text}" if said.number % 2 else said.text,
    }


def _refusal(code: int, status: str) -> httpx.Response:
    return httpx.Response(code, json={"error": {"code": code, "status": status, "message": "No."}})

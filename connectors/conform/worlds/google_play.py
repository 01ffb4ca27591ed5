"""Google Play: the reviews of an own app of the last 7 days, and the tokens for them."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from html import escape
from typing import Any, ClassVar

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.conform.world import Said, World
from connectors.conform.worlds.newest import newest_first

PACKAGE = "com.example.hike"
LISTED = f"/androidpublisher/v3/applications/{PACKAGE}/reviews"
WEEK = timedelta(days=7)


@cache
def _key() -> str:
    made = generate_private_key(65537, 2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class GooglePlayWorld(World):
    """Reviews by the time of their last change, which is the only one told."""

    kind: ClassVar[str] = "google_play"
    page: ClassVar[int] = 100
    late: ClassVar[timedelta] = timedelta(days=1)
    edits: ClassVar[timedelta | None] = timedelta(days=6)

    def settings(self, address: str) -> dict[str, Any]:
        """With a key file made for this occasion."""
        mail = "earful@hike.iam.gserviceaccount.com"
        file = {"type": "service_account", "client_email": mail, "private_key_id": "8d1f", "private_key": _key()}
        tokens = f"{address}/token"
        account = {
            "kind": "google_play",
            "package": PACKAGE,
            "service_account": json.dumps({**file, "token_uri": tokens}),
        }
        return {**account, "api": address}

    def truth(self, said: Said) -> dict[str, Any]:
        """The stars, who gave them, and the time of the last change."""
        rating = {"rating": 1 + said.number % 5, "rating_min": 1, "rating_max": 5}
        about = {"language": "en", "product_version": "4.1.0", "said_at": said.edited_at or said.at}
        return {"kind": "review", "author": f"Walker {said.number}", **rating, **about}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A token, or a page of the list."""
        path, asked = request.url.path, request.url.params
        if (request.method, path) == ("POST", "/token"):
            if b"jwt-bearer" not in request.content:
                return httpx.Response(400, json={"error": "unsupported_grant_type"})
            return httpx.Response(200, json={"access_token": "ya29.play", "expires_in": 3599, "token_type": "Bearer"})
        if request.headers.get("authorization") != "Bearer ya29.play":
            return httpx.Response(401, json={"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "No."}})
        if path != LISTED:
            return httpx.Response(404, json={"error": {"code": 404, "status": "NOT_FOUND", "message": "No."}})
        fresh = [each for each in said if (each.edited_at or each.at) >= now - WEEK]
        many = min(int(asked.get("maxResults", "10")), 100)
        shown, following = newest_first(fresh, asked.get("token"), many, edits_move=True)
        told: dict[str, Any] = {"reviews": [_review(each) for each in shown]} if shown else {}
        if following:
            told["tokenPagination"] = {"nextPageToken": following}
        return httpx.Response(200, json=told)


def _review(said: Said) -> dict[str, Any]:
    user = {
        "text": escape(said.text, quote=False),
        "lastModified": {"seconds": str(int((said.edited_at or said.at).timestamp())), "nanos": 123_000_000},
        "starRating": 1 + said.number % 5,
        "reviewerLanguage": "en",
        "appVersionName": "4.1.0",
        "thumbsUpCount": said.number % 3,
    }
    return {
        "reviewId": f"gp:AOqp{said.number}",
        "authorName": f"Walker {said.number}",
        "comments": [{"userComment": user}],
    }

"""App Store Connect: reviews of an own app, newest first, by a link to the next page."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.conform.world import Said, World
from connectors.conform.worlds.newest import newest_first

APP = "990011"


@cache
def _key() -> str:
    made = generate_private_key(SECP256R1())
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class AppStoreConnectWorld(World):
    """Reviews that get a new date when they are edited."""

    kind: ClassVar[str] = "appstore_connect"
    page: ClassVar[int] = 200
    late: ClassVar[timedelta] = timedelta(days=1)
    edits: ClassVar[timedelta | None] = timedelta(days=13)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """With a key made for this occasion."""
        named = {"issuer_id": "57246542-96fe-1a63-e053-0824d011072a", "key_id": "2X9R4HXF34", "private_key": _key()}
        return {"kind": "appstore_connect", "app_id": APP, "api": address, **named}

    def truth(self, said: Said) -> dict[str, Any]:
        """The stars, and who gave them."""
        rating = {"rating": 1 + said.number % 5, "rating_min": 1, "rating_max": 5}
        return {"kind": "review", "author": f"walker{said.number}", **rating, "title": "Shoes", "country": "DE"}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A page of the list, or one review."""
        del now
        path, asked = request.url.path, request.url.params
        if not request.headers.get("authorization", "").startswith("Bearer ey"):
            return _refusal(401, "NOT_AUTHORIZED")
        if path.startswith("/v1/customerReviews/"):
            found = [each for each in said if _id(each) == path.rpartition("/")[2] and not each.deleted]
            return httpx.Response(200, json={"data": _review(found[0])}) if found else _refusal(404, "NOT_FOUND")
        if path != f"/v1/apps/{APP}/customerReviews":
            return _refusal(404, "NOT_FOUND")
        if asked.get("sort", "-createdDate") != "-createdDate":
            return _refusal(400, "PARAMETER_ERROR.INVALID")
        many = min(int(asked.get("limit", "100")), 200)
        shown, following = newest_first(said, asked.get("cursor"), many, edits_move=True)
        links = {"self": str(request.url)}
        if following:
            links["next"] = str(request.url.copy_set_param("cursor", following))
        told = {"data": [_review(each) for each in shown], "links": links, "meta": {"paging": {"limit": many}}}
        return httpx.Response(200, json=told, headers={"x-rate-limit": "user-hour-lim:3600;user-hour-rem:3000;"})


def _id(said: Said) -> str:
    return f"00000014-{said.number:04}"


def _review(said: Said) -> dict[str, Any]:
    return {
        "type": "customerReviews",
        "id": _id(said),
        "attributes": {
            "rating": 1 + said.number % 5,
            "title": "Shoes",
            "body": said.text,
            "reviewerNickname": f"walker{said.number}",
            "createdDate": (said.edited_at or said.at).isoformat(),
            "territory": "DEU",
        },
        "relationships": {"response": {"links": {"related": "/response"}}},
    }


def _refusal(status: int, code: str) -> httpx.Response:
    return httpx.Response(
        status, json={"errors": [{"status": str(status), "code": code, "title": "No.", "detail": "No."}]}
    )

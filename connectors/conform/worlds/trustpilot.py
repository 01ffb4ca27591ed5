"""Trustpilot: the reviews of a business, newest first, by page number."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

UNIT = "46d6a890ffa235a75b00021d"
FIRST = 0x63497C66377E522E314F0000


class TrustpilotWorld(World):
    """Reviews that stay where they are when they are edited."""

    kind: ClassVar[str] = "trustpilot"
    page: ClassVar[int] = 100
    late: ClassVar[timedelta] = timedelta(days=1)
    edits: ClassVar[timedelta | None] = timedelta(days=13)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """The public list, for which a key is enough."""
        return {"kind": "trustpilot", "business_unit": UNIT, "key": "trustpilot-key-0815", "api": f"{address}/v1"}

    def truth(self, said: Said) -> dict[str, Any]:
        """The stars, and who gave them."""
        rating = {"rating": 1 + said.number % 5, "rating_min": 1, "rating_max": 5}
        url = f"https://www.trustpilot.com/reviews/{_id(said)}"
        return {"kind": "review", "author": f"Walker {said.number}", **rating, "language": "en", "url": url}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """A page of the list, or one review."""
        del now
        path, asked = request.url.path, request.url.params
        if request.headers.get("apikey") != "trustpilot-key-0815":
            return httpx.Response(401, json={"message": "Invalid API key"})
        living = [each for each in said if not each.deleted]
        if path.startswith("/v1/reviews/"):
            found = [each for each in living if _id(each) == path.rpartition("/")[2]]
            missing = httpx.Response(404, json={"message": "Review not found"})
            return httpx.Response(200, json=_review(found[0])) if found else missing
        if path != f"/v1/business-units/{UNIT}/reviews":
            return httpx.Response(404, json={"message": "Business unit not found", "errorCode": 1010})
        many, page = min(int(asked.get("perPage", "20")), 100), int(asked.get("page", "1"))
        living.sort(key=lambda each: (each.at, each.number), reverse=True)
        shown = living[(page - 1) * many : page * many]
        href = str(request.url.copy_set_param("page", page + 1))
        more = [{"href": href, "method": "GET", "rel": "next-page"}] if len(living) > page * many else []
        return httpx.Response(200, json={"links": more, "reviews": [_review(each) for each in shown]})


def _id(said: Said) -> str:
    return f"{FIRST + said.number:x}"


def _review(said: Said) -> dict[str, Any]:
    return {
        "links": [],
        "id": _id(said),
        "consumer": {"links": [], "id": f"5d343e748c9ca112{said.number:08}", "displayName": f"Walker {said.number}"},
        "businessUnit": {"links": [], "id": UNIT, "identifyingName": "hike.example", "displayName": "HIKE"},
        "location": None,
        "stars": 1 + said.number % 5,
        "title": "Shoes",
        "text": said.text,
        "language": "en",
        "createdAt": said.at.isoformat(),
        "updatedAt": said.edited_at and said.edited_at.isoformat(),
        "companyReply": None,
        "isVerified": False,
        "source": "Organic",
        "numberOfLikes": 0,
        "status": "active",
    }

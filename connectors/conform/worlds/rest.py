"""A shop's reviews behind an API of its own: pages by token, a lower bound in time, deletions that are marked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World


class RestWorld(World):
    """Reviews in the order they arrived."""

    kind: ClassVar[str] = "rest"
    page: ClassVar[int] = 25
    late: ClassVar[timedelta] = timedelta(minutes=40)
    edits: ClassVar[timedelta | None] = timedelta(minutes=40)
    deletes: ClassVar[bool] = True

    def settings(self, address: str) -> dict[str, Any]:
        """As an operator would write them down."""
        return {
            "kind": "rest",
            "url": f"{address}/v1/reviews",
            "headers": {"Authorization": "Bearer rest-key-0815"},
            "params": {"per_page": str(self.page)},
            "items": "$.reviews",
            "paging": "token",
            "next": "$.meta.next",
            "page_param": "after",
            "since_param": "created_since",
            "fields": {
                "id": "$.id",
                "text": "$.body",
                "said_at": "$.created",
                "edited_at": "$.edited",
                "author": "$.customer.name",
                "deleted": "$.deleted",
            },
        }

    def truth(self, said: Said) -> dict[str, Any]:
        """As the settings say where it stands."""
        return {"author": f"Customer {said.number}", "edited_at": said.edited_at}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """One page; the token is the number of the last review on it."""
        del now
        if request.method != "GET" or request.url.path != "/v1/reviews":
            return httpx.Response(404, json={"error": "no such thing"})
        if request.headers.get("authorization") != "Bearer rest-key-0815":
            return httpx.Response(401, json={"error": "unknown key"})
        asked = request.url.params
        since = datetime.fromisoformat(asked.get("created_since", "1970-01-01T00:00:00Z"))
        after = int(asked.get("after", "0"))
        found = [each for each in said if each.number > after and each.at >= since]
        many = int(asked.get("per_page", "10"))
        shown = found[:many]
        following = str(shown[-1].number) if len(found) > many else None
        return httpx.Response(200, json={"reviews": [_review(each) for each in shown], "meta": {"next": following}})


def _review(said: Said) -> dict[str, Any]:
    return {
        "id": said.number,
        "body": said.text,
        "created": _told(said.at),
        "edited": said.edited_at and _told(said.edited_at),
        "deleted": said.deleted,
        "customer": {"name": f"Customer {said.number}", "email": f"c{said.number}@example.com"},
    }


def _told(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""Typeform: the responses to one form, by time or by token, and by their ids."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World


class TypeformWorld(World):
    """Answers to the question "why", with a number from 0 to 10 before them."""

    kind: ClassVar[str] = "typeform"
    page: ClassVar[int] = 1_000
    late: ClassVar[timedelta] = timedelta(minutes=30)
    deletes: ClassVar[bool] = True
    skips: ClassVar[frozenset[str]] = frozenset({"ref"})

    def settings(self, address: str) -> dict[str, Any]:
        """As an operator would write them down."""
        return {"kind": "typeform", "api": address, "form": "h1K3", "token": "tfp_token_0815", "text_refs": ["why"]}

    def truth(self, said: Said) -> dict[str, Any]:
        """The number, on the scale of its question."""
        return {"kind": "survey", "rating": said.number % 11, "rating_min": 0, "rating_max": 10}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """One page. `after` and `before` cannot be sent together with an order."""
        del now
        if request.url.path == "/forms/h1K3":
            return httpx.Response(200, json={"id": "h1K3", "title": "Hike", "fields": _FIELDS})
        if request.url.path != "/forms/h1K3/responses":
            return httpx.Response(404, json={"code": "FORM_NOT_FOUND", "description": "Non existing form"})
        if request.headers.get("authorization") != "Bearer tfp_token_0815":
            return httpx.Response(401, json={"code": "AUTHENTICATION_FAILED", "description": "Authentication failed"})
        asked = request.url.params
        if "sort" in asked and ("after" in asked or "before" in asked):
            return httpx.Response(400, json={"code": "VALIDATION_ERROR", "description": "sort with after"})
        since = datetime.fromisoformat(asked.get("since", "1970-01-01T00:00:00Z"))
        found = [each for each in said if not each.deleted and each.at >= since]
        if "included_response_ids" in asked:
            wanted = asked["included_response_ids"].split(",")
            found = [each for each in found if _token(each) in wanted]
        found.sort(key=lambda each: (each.at, each.number), reverse="asc" not in asked.get("sort", ""))
        if "after" in asked:
            found.sort(key=lambda each: each.number)  # in the order they were processed, not of their times
            tokens = [_token(each) for each in found]
            found = found[tokens.index(asked["after"]) + 1 :] if asked["after"] in tokens else found
        many = int(asked.get("page_size", "25"))
        items = [_response(each) for each in found[:many]]
        pages = -(-len(found) // many)
        return httpx.Response(200, json={"total_items": len(found), "page_count": pages, "items": items})


_FIELDS = [
    {"id": "a1", "ref": "nps", "type": "nps", "properties": {"steps": 11, "start_at_one": False}},
    {"id": "a2", "ref": "why", "type": "long_text", "properties": {}},
]


def _token(said: Said) -> str:
    return f"{said.number:032x}"


def _response(said: Said) -> dict[str, Any]:
    at = said.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "landing_id": _token(said),
        "token": _token(said),
        "response_id": _token(said),
        "response_type": "completed",
        "landed_at": at,
        "submitted_at": at,
        "metadata": {"user_agent": "Mozilla/5.0", "platform": "mobile", "network_id": "5f3c", "browser": "touch"},
        "answers": [
            {"field": {"id": "a1", "type": "nps", "ref": "nps"}, "type": "number", "number": said.number % 11},
            {"field": {"id": "a2", "type": "long_text", "ref": "why"}, "type": "text", "text": said.text},
            {"field": {"id": "a3", "type": "email", "ref": "mail"}, "type": "email", "email": "ann@example.com"},
        ],
        "hidden": {"customer_id": f"c-{said.number}"},
        "calculated": {"score": 0},
    }

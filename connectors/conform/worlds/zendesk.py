"""Zendesk: the cursor export of tickets in the order of their changes, and the list of satisfaction ratings."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx

from connectors.conform.world import Said, World

_KEY = base64.b64encode(b"agent@hike.example/token:zendesk-token-0815").decode()


@dataclass
class ZendeskWorld(World):
    """Tickets; a deletion is a change like any other. The real export gives 1,000 on a page and holds a minute back."""

    kind: ClassVar[str] = "zendesk"
    page: ClassVar[int] = 100
    late: ClassVar[timedelta] = timedelta(days=2)
    deletes: ClassVar[bool] = True

    rated: bool = False
    """Whether all that is said are ratings of tickets that say nothing, instead of tickets."""
    changes: list[Said] = field(default_factory=list)
    """What was said and what became of it, as the export tells it."""

    def settings(self, address: str) -> dict[str, Any]:
        """As an operator would write them down."""
        return {"kind": "zendesk", "api": address, "username": "agent@hike.example", "token": "zendesk-token-0815"}

    def truth(self, said: Said) -> dict[str, Any]:
        """Who asked; of a rating whether it is a good one."""
        if self.rated:
            return {"kind": "survey", "rating": said.number % 2, "rating_min": 0, "rating_max": 1}
        return {"kind": "message", "author": f"Ann {said.number}", "author_id": str(9_000 + said.number)}

    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """The export, the ratings, and looking tickets up."""
        del now
        if request.headers.get("authorization") != f"Basic {_KEY}":
            return httpx.Response(401, json={"error": "Couldn't authenticate you"})
        path, asked = request.url.path.removeprefix("/api/v2"), request.url.params
        if path == "/incremental/tickets/cursor.json":
            return self._export(asked, () if self.rated else said)
        if path == "/satisfaction_ratings.json":
            return self._ratings(asked, said if self.rated else ())
        living = {str(each.number): each for each in said if not each.deleted}
        if path == "/tickets/show_many.json":
            found = [_ticket(living[native]) for native in asked.get("ids", "").split(",") if native in living]
            return httpx.Response(200, json={"tickets": found, "next_page": None, "count": len(found)})
        native = path.removeprefix("/tickets/").removesuffix(".json")
        if native in living:
            return httpx.Response(200, json={"ticket": _ticket(living[native])})
        return httpx.Response(404, json={"error": "RecordNotFound", "description": "Not found"})

    def _ratings(self, asked: httpx.QueryParams, said: Sequence[Said]) -> httpx.Response:
        """By cursor, a page no longer than asked for, from the time a rating was offered on."""
        start, size = int(asked.get("start_time", "0")), min(100, int(asked.get("page[size]", "100")))
        after = int(base64.b64decode(asked["page[after]"])) if "page[after]" in asked else 0
        left = [each for each in said if each.number > after and each.at.timestamp() >= start]
        more = len(left) > size
        cursor = base64.b64encode(str(left[size - 1].number).encode()).decode() if more else None
        url = f"https://example.zendesk.com/api/v2/satisfaction_ratings.json?page%5Bafter%5D={cursor}" if more else None
        meta = {"has_more": more, "after_cursor": cursor, "before_cursor": None}
        shown = [_rating(each) for each in left[:size]]
        return httpx.Response(200, json={"satisfaction_ratings": shown, "meta": meta, "links": {"next": url}})

    def _export(self, asked: httpx.QueryParams, said: Sequence[Said]) -> httpx.Response:
        told = {each.number: each for each in self.changes}
        self.changes += [each for each in said if told.get(each.number) != each]
        start = int(base64.b64decode(asked["cursor"])) if "cursor" in asked else 0
        end = min(start + self.page, len(self.changes))
        after = base64.b64encode(str(end).encode()).decode()
        url = f"https://example.zendesk.com/api/v2/incremental/tickets/cursor.json?cursor={after}"
        ends = {"end_of_stream": end == len(self.changes), "after_cursor": after, "after_url": url}
        shown = self.changes[start:end]
        users = [{"id": 9_000 + each.number, "name": f"Ann {each.number}", "role": "end-user"} for each in shown]
        tickets = [_ticket(each) for each in shown]
        return httpx.Response(200, json={"tickets": tickets, "users": users, "before_cursor": None, **ends})


def _ticket(said: Said) -> dict[str, Any]:
    at = said.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": said.number,
        "external_id": None,
        "subject": None,
        "description": said.text,
        "status": "deleted" if said.deleted else "open",
        "requester_id": 9_000 + said.number,
        "submitter_id": 9_000 + said.number,
        "created_at": at,
        "updated_at": at,
        "via": {"channel": "email", "source": {"from": {"address": "ann@example.com"}}},
    }


def _rating(said: Said) -> dict[str, Any]:
    at = said.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": said.number,
        "score": "good" if said.number % 2 else "bad",
        "comment": said.text,
        "reason_id": 0,
        "ticket_id": 70_000 + said.number,
        "requester_id": 9_000 + said.number,
        "created_at": at,
        "updated_at": at,
    }

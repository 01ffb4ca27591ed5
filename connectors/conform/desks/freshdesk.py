"""The desk of Freshdesk: tickets with notes, found by a tag."""

import re
from datetime import datetime
from typing import Any, ClassVar

import httpx

from connectors.conform.desks.reading import seen, sent
from connectors.conform.world import Desk, Found

_AUTH = httpx.BasicAuth("conform-hush", "X")
_SOUGHT = re.compile(r"\"tag:'([^']+)'\"")
_NEEDED = ("email", "subject", "description", "status", "priority", "source")


class FreshdeskDesk(Desk):
    """Its search learns of a ticket one request late; its list knows it at once."""

    kind: ClassVar[str] = "freshdesk"
    by_case: ClassVar[bool] = True

    def __init__(self) -> None:
        self.tickets: list[dict[str, Any]] = []
        self._notes: dict[int, list[dict[str, Any]]] = {}
        self._indexed = 0

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": self.kind, "api": address, "key": "conform-hush", "requester": "ears@example.com"}

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        asked = next(_AUTH.auth_flow(httpx.Request(request.method, request.url))).headers["authorization"]
        if request.headers.get("authorization") != asked:
            return httpx.Response(401, json={"code": "invalid_credentials", "message": "You have to be logged in."})
        match request.method, request.url.path.removeprefix("/api/v2/").split("/"):
            case "GET", ["search", "tickets"]:
                return self._search(request.url.params.get("query", ""))
            case "GET", ["tickets"]:
                return httpx.Response(200, json=[_told(one) for one in self._living()[::-1][:100]])
            case "POST", ["tickets"]:
                return self._create(sent(request) or {}, now)
            case "GET", ["tickets", number] if ticket := self._ticket(number, self.tickets):
                return httpx.Response(200, json=ticket)
            case "PUT", ["tickets", number] if ticket := self._ticket(number):
                ticket.update(sent(request) or {}, updated_at=now.isoformat())
                return httpx.Response(200, json=ticket)
            case "GET", ["tickets", number, "conversations"] if self._ticket(number):
                size, page = (int(request.url.params.get(name, "1")) for name in ("per_page", "page"))
                return httpx.Response(200, json=self._notes[int(number)][size * (page - 1) : size * page])
            case "POST", ["tickets", number, "notes"] if ticket := self._ticket(number):
                note = {"id": len(self._notes[ticket["id"]]) + 1, **(sent(request) or {})}
                self._notes[ticket["id"]].append(note | {"body_text": seen(note["body"])})
                return httpx.Response(201, json=note)
        return httpx.Response(404)

    def found(self) -> list[Found]:
        return [
            Found(
                one["tags"][-1],
                "\n".join([one["subject"], *(seen(said) for said in (one["description"], *self._said(one)))]),
                open=one["status"] not in {4, 5},
            )
            for one in self._living()
        ]

    def delete(self) -> bool:
        for one in self._living()[-1:]:
            one["deleted"] = True  # it stands in the trash, where the search finds it for a while
            return True
        return False

    def _living(self) -> list[dict[str, Any]]:
        return [one for one in self.tickets if not one.get("deleted")]

    def _said(self, ticket: dict[str, Any]) -> list[str]:
        return [note["body"] for note in self._notes[ticket["id"]]]

    def _ticket(self, number: str, among: list[dict[str, Any]] | None = None) -> dict[str, Any] | None:
        """One that takes words; `among` all, one in the trash too."""
        return next((one for one in among or self._living() if str(one["id"]) == number), None)

    def _search(self, query: str) -> httpx.Response:
        known, self._indexed = self.tickets[: self._indexed], len(self.tickets)
        sought = _SOUGHT.fullmatch(query)
        if sought is None:
            fault = {"field": "query", "message": "Given query is invalid", "code": "invalid_value"}
            return httpx.Response(400, json={"description": "Validation failed", "errors": [fault]})
        results = [_told(one) for one in known if sought.group(1) in one["tags"]]
        return httpx.Response(200, json={"total": len(results), "results": results[:30]})

    def _create(self, asked: dict[str, Any], now: datetime) -> httpx.Response:
        missing = [name for name in _NEEDED if not asked.get(name)]
        if missing or any(len(tag) > 32 for tag in asked.get("tags", ())):
            faults = [
                {"field": name, "message": "It is missing.", "code": "missing_field"} for name in missing or ["tags"]
            ]
            return httpx.Response(400, json={"description": "Validation failed", "errors": faults})
        ticket = {"id": 21 + len(self.tickets), "created_at": now.isoformat(), "spam": False, **asked}
        self.tickets.append(ticket)
        self._notes[ticket["id"]] = []
        return httpx.Response(201, json=ticket)


def _told(ticket: dict[str, Any]) -> dict[str, Any]:
    """A list tells no description unless it is asked to."""
    return {name: value for name, value in ticket.items() if name != "description"}

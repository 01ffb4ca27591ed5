"""The desk of Zendesk: tickets with comments, known by their external id."""

from datetime import datetime
from typing import Any, ClassVar

import httpx

from connectors.conform.desks.reading import seen, sent
from connectors.conform.world import Desk, Found

_AUTH = httpx.BasicAuth("ears@example.com/token", "conform-hush")
_AGENT = 135


class ZendeskDesk(Desk):
    """The same Idempotency-Key gives the same ticket; a closed one takes no more words, and nobody's is not solved."""

    kind: ClassVar[str] = "zendesk_ticket"
    by_case: ClassVar[bool] = True

    def __init__(self) -> None:
        self.tickets: list[dict[str, Any]] = []
        self._comments: dict[int, list[dict[str, Any]]] = {}
        self._made: dict[str, dict[str, Any]] = {}

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": self.kind, "api": address, "username": "ears@example.com", "token": "conform-hush"}

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        asked = next(_AUTH.auth_flow(httpx.Request(request.method, request.url))).headers["authorization"]
        if request.headers.get("authorization") != asked:
            return httpx.Response(401, json={"error": "Couldn't authenticate you"})
        way = request.url.path.removeprefix("/api/v2/").removesuffix(".json").split("/")
        match request.method, way:
            case "GET", ["tickets"]:
                return self._listed(request.url.params.get("external_id"))
            case "GET", ["users", "me"]:
                return httpx.Response(200, json={"user": {"id": _AGENT, "role": "agent"}})
            case "POST", ["tickets"]:
                return self._create(request, now)
            case "GET", ["tickets", number, "comments"] if self._ticket(number):
                comments = sorted(self._comments[int(number)], key=lambda comment: -int(comment["id"]))
                return httpx.Response(200, json={"comments": comments[:100], "meta": {"has_more": False}})
            case "PUT", ["tickets", number] if ticket := self._ticket(number):
                return self._change(ticket, (sent(request) or {}).get("ticket"), now)
        return httpx.Response(404, json={"error": "RecordNotFound", "description": "Not found"})

    def found(self) -> list[Found]:
        return [
            Found(
                one["external_id"],
                "\n".join([one["subject"], *(seen(comment["html_body"]) for comment in self._comments[one["id"]])]),
                open=one["status"] not in {"solved", "closed"},
            )
            for one in self.tickets
        ]

    def delete(self) -> bool:
        return bool(self.tickets and self.tickets.pop())

    def _ticket(self, number: str) -> dict[str, Any] | None:
        return next((one for one in self.tickets if str(one["id"]) == number), None)

    def _listed(self, external_id: str | None) -> httpx.Response:
        listed = [one for one in self.tickets if external_id in {None, one["external_id"]}]
        return httpx.Response(200, json={"tickets": listed[:100], "next_page": None, "count": len(listed)})

    def _create(self, request: httpx.Request, now: datetime) -> httpx.Response:
        key, asked = request.headers.get("idempotency-key", ""), (sent(request) or {}).get("ticket") or {}
        if key in self._made:
            return httpx.Response(201, json=self._made[key], headers={"x-idempotency-lookup": "hit"})
        if not (asked.get("comment") or {}).get("html_body"):
            return _invalid("base", "Description: cannot be blank", "BlankValue")
        kept = {name: asked.get(name) for name in ("subject", "external_id", "priority", "tags", "group_id")}
        after = asked.get("via_followup_source_id")
        ticket: dict[str, Any] = {
            "id": 4014 + max(len(self.tickets), len(self._comments)),
            "status": "new",
            "assignee_id": None,
            "created_at": now.isoformat(),
            **kept,
            "after": after,
        }
        self.tickets.append(ticket)
        self._comments[ticket["id"]] = []
        self._say(ticket, asked["comment"])
        answer = {"ticket": dict(ticket), "audit": {"ticket_id": ticket["id"]}}
        if key:
            self._made[key] = answer
        return httpx.Response(201, json=answer, headers={"x-idempotency-lookup": "miss"})

    def _change(self, ticket: dict[str, Any], asked: dict[str, Any] | None, now: datetime) -> httpx.Response:
        if ticket["status"] == "closed":
            return _invalid("status", "Status: closed prevents ticket update", "InvalidValue")
        changes = dict(asked or {})
        whose = changes.get("assignee_id", ticket["assignee_id"])
        if changes.get("status") == "solved" and whose is None:
            return _invalid("base", "Assignee: is required when solving a ticket", "BlankValue")
        if comment := changes.pop("comment", None):
            self._say(ticket, comment)
        ticket.update(changes, updated_at=now.isoformat())
        return httpx.Response(200, json={"ticket": ticket, "audit": {"ticket_id": ticket["id"]}})

    def _say(self, ticket: dict[str, Any], comment: dict[str, Any]) -> None:
        said = self._comments[ticket["id"]]
        body = {"html_body": comment["html_body"], "body": seen(comment["html_body"])}
        said.append({"id": len(said) + 1, "public": comment.get("public", True), **body})


def _invalid(field: str, why: str, error: str) -> httpx.Response:
    details = {field: [{"description": why, "error": error}]}
    told = {"error": "RecordInvalid", "description": "Record validation errors", "details": details}
    return httpx.Response(422, json=told)

"""Freshdesk: one ticket for each case, through API v2."""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr

from connectors.client import SecureAddress, changed, json_of, refused, throttled
from connectors.ticket import Ticket, TicketSink, as_html, subject
from connectors.wording import reference
from pipeline.errors import ChangedError, EarfulError
from pipeline.route import Alert
from pipeline.triage import Urgency

PRIORITIES = {Urgency.CRITICAL: 4, Urgency.HIGH: 3, Urgency.NORMAL: 2, Urgency.LOW: 1}
OPEN, RESOLVED, CLOSED = 2, 4, 5
BY_PORTAL = 2
"""Where a ticket came from, as Freshdesk counts: no number means "a program", and this one mails nobody by itself."""
PAGE, MOST_PAGES = 100, 10
"""Conversations a page, and how many pages of one ticket are looked through for an alert told before."""


class Freshdesk(TicketSink, frozen=True, hide_input_in_errors=True):
    """Tickets in Freshdesk, known by a tag, the case's key. What is heard later of a case is a private note.

    A closed case resolves its ticket. Built from the documentation: not yet tried against the live service.
    """

    label: ClassVar[str] = "Freshdesk"
    docs: ClassVar[str] = "https://developers.freshdesk.com/api/#tickets"

    kind: Literal["freshdesk"] = "freshdesk"
    api: SecureAddress = Field(description="Your Freshdesk, such as https://example.freshdesk.com.")
    key: SecretStr = Field(description="The API key of an agent.")
    requester: str = Field(
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="Whose tickets they are: an address of your own, never a customer's, for Freshdesk may mail it.",
    )
    group_id: int | None = Field(default=None, description="The group that gets the tickets, by its number.")
    tags: tuple[str, ...] = Field(default=("earful",), description="Tags of every ticket, beside the case's key.")

    def find(self, http: httpx.Client, known_by: str) -> Ticket | None:
        """By the search; and among the newest tickets, because the search learns of them minutes late.

        It learns as late that a ticket was solved, deleted or marked as spam: the ticket itself says how it stands.
        """
        sought = {"query": f"\"tag:'{known_by}'\""}
        answer = self._ask(http, "GET", "/search/tickets", params=sought)
        results = json_of(answer, dict).get("results")
        if not isinstance(results, list):
            raise changed(answer, "answered without a list of results")
        newest = self._ask(http, "GET", "/tickets", params={"per_page": PAGE, "order_by": "created_at"})
        listed = [one for one in (*results, *json_of(newest, list)) if isinstance(one, dict)]
        ours = [one for one in listed if known_by in (one.get("tags") or ()) and isinstance(one.get("id"), int)]
        for number in sorted({int(one["id"]) for one in ours}, reverse=True):
            answer = self._ask(http, "GET", f"/tickets/{number}", expected={httpx.codes.NOT_FOUND})
            if answer.status_code == httpx.codes.NOT_FOUND:
                if answer.content.strip():  # Freshdesk's own word for "no such ticket" is empty
                    raise refused(answer, "check `api` in the settings: Freshdesk answers at another address")
                continue
            ticket = json_of(answer, dict)
            if not ticket.get("deleted") and not ticket.get("spam"):
                return Ticket(str(number), open=ticket.get("status") not in {RESOLVED, CLOSED})
        return None

    def create(self, http: httpx.Client, alert: Alert, *, after: Ticket | None) -> str:
        """A ticket with the alert as its description."""
        del after  # Freshdesk puts no ticket away for good
        made: dict[str, Any] = {
            "subject": subject(alert),
            "description": as_html(alert),
            "email": self.requester,
            "status": OPEN,
            "priority": PRIORITIES[alert.urgency or Urgency.NORMAL],
            "source": BY_PORTAL,
            "tags": [*self.tags, reference(alert)],
        }
        if self.group_id is not None:
            made["group_id"] = self.group_id
        answer = self._ask(http, "POST", "/tickets", json=made)
        if not isinstance(number := json_of(answer, dict).get("id"), int):
            raise changed(answer, "answered without a ticket's id")
        return str(number)

    def heard(self, http: httpx.Client, ticket: Ticket) -> Iterable[str]:
        """The description, then the notes, which Freshdesk lists oldest first."""
        yield from _texts(json_of(self._ask(http, "GET", f"/tickets/{ticket.id}"), dict), "description")
        for page in range(1, MOST_PAGES + 1):
            asked = {"per_page": PAGE, "page": page}
            notes = json_of(self._ask(http, "GET", f"/tickets/{ticket.id}/conversations", params=asked), list)
            for note in notes:
                yield from _texts(note, "body")
            if len(notes) < PAGE:
                return

    def add(self, http: httpx.Client, ticket: Ticket, alert: Alert) -> None:
        """The state first, then a private note."""
        changes: dict[str, Any] = {}
        if alert.kind == "solved" and ticket.open:
            changes["status"] = RESOLVED
        elif alert.kind != "solved" and not ticket.open:
            changes["status"] = OPEN
        if alert.urgency is Urgency.CRITICAL:
            changes["priority"] = PRIORITIES[alert.urgency]
        if changes:
            self._ask(http, "PUT", f"/tickets/{ticket.id}", json=changes)
        self._ask(http, "POST", f"/tickets/{ticket.id}/notes", json={"body": as_html(alert), "private": True})

    def _ask(
        self,
        http: httpx.Client,
        method: str,
        path: str,
        *,
        expected: Collection[int] = (),
        **more: Any,  # noqa: ANN401 - as httpx
    ) -> httpx.Response:
        answer = http.request(
            method,
            f"{self.api}/api/v2{path}",
            auth=httpx.BasicAuth(self.key.get_secret_value(), "X"),
            follow_redirects=False,
            extensions={"explain": _explain, "expected": expected},
            **more,
        )
        if not answer.is_success and answer.status_code not in expected:
            raise refused(answer, "check `api` in the settings: Freshdesk answers at another address")
        return answer


def _explain(answer: httpx.Response) -> EarfulError | None:
    """Freshdesk names the fields it does not take, with a code; their values, which it may quote, are not repeated."""
    try:
        errors = json_of(answer, dict).get("errors")
    except ChangedError:
        return None
    if answer.status_code == httpx.codes.CONFLICT:
        return throttled(answer, "somebody changed the ticket in the same moment")
    if answer.status_code != httpx.codes.BAD_REQUEST or not isinstance(errors, list):
        return None
    told = [f"{str(one.get('field'))[:40]} ({str(one.get('code'))[:40]})" for one in errors if isinstance(one, dict)]
    return refused(answer, f"Freshdesk does not take these fields: {', '.join(told)}; see what your form demands")


def _texts(one: object, name: str) -> list[str]:
    texts = [one.get(part) for part in (name, f"{name}_text")] if isinstance(one, dict) else []
    return [text for text in texts if isinstance(text, str)]

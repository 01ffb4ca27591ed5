"""Zendesk: one ticket for each case, through the Support API."""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr

from connectors.client import SecureAddress, changed, json_of, place, refused, throttled
from connectors.ticket import Ticket, TicketSink, as_html, subject
from connectors.wording import reference
from pipeline.errors import ChangedError, EarfulError, RefusedError
from pipeline.route import Alert
from pipeline.triage import Urgency

PRIORITIES = {Urgency.CRITICAL: "urgent", Urgency.HIGH: "high", Urgency.NORMAL: "normal", Urgency.LOW: "low"}
LATEST = 100
"""Comments looked through, the newest, for an alert that may have been told before."""


class ZendeskTicket(TicketSink, frozen=True, hide_input_in_errors=True):
    """Tickets in Zendesk, known by their `external_id`, the case's key. Nothing is ever sent to a customer.

    What is heard later of a case is an internal note on its ticket; a closed case solves it. The name or address on the
    token is the requester, so give Earful an agent of its own. Built from the documentation and recordings of ours: not
    yet tried against the live service.
    """

    label: ClassVar[str] = "Zendesk tickets"
    docs: ClassVar[str] = "https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/"

    kind: Literal["zendesk_ticket"] = "zendesk_ticket"
    api: SecureAddress = Field(description="Your Zendesk, such as https://example.zendesk.com.")
    token: SecretStr = Field(description="An API token, or an OAuth token where no `username` is given.")
    username: str | None = Field(default=None, description="Whose API token it is: the agent's e-mail address.")
    group_id: int | None = Field(default=None, description="The group that gets the tickets, by its number.")
    tags: tuple[str, ...] = Field(default=("earful",), description="Tags of every ticket.")

    def find(self, http: httpx.Client, known_by: str) -> Ticket | None:
        """Among tickets of this external id the newest, and one that still takes words before one that does not."""
        answer = self._ask(http, "GET", "/tickets.json", params={"external_id": known_by})
        listed = [one for one in _list(answer, "tickets") if _text(one, "external_id") == known_by]
        kept = [one for one in listed if isinstance(one.get("id"), int) and _text(one, "status") != "deleted"]
        if not kept:
            return None
        newest = max(kept, key=lambda one: (_text(one, "status") != "closed", one["id"]))
        state, assigned = _text(newest, "status"), newest.get("assignee_id") is not None
        still = state not in {"solved", "closed"}
        return Ticket(str(newest["id"]), open=still, final=state == "closed", assigned=assigned)

    def create(self, http: httpx.Client, alert: Alert, *, after: Ticket | None) -> str:
        """A ticket whose first comment is internal. Zendesk gives the same ticket to the same Idempotency-Key."""
        made: dict[str, Any] = {
            "subject": subject(alert),
            "comment": {"html_body": as_html(alert), "public": False},
            "external_id": reference(alert),
            "tags": list(self.tags),
        }
        if alert.urgency:
            made["priority"] = PRIORITIES[alert.urgency]
        if self.group_id is not None:
            made["group_id"] = self.group_id
        if after is not None:
            made["via_followup_source_id"] = int(after.id)
        key = {"Idempotency-Key": alert.key}
        answer = self._ask(http, "POST", "/tickets.json", json={"ticket": made}, headers=key)
        ticket = json_of(answer, dict).get("ticket")
        if not isinstance(ticket, dict) or not isinstance(ticket.get("id"), int):
            raise changed(answer, "answered without a ticket's id")
        return str(ticket["id"])

    def heard(self, http: httpx.Client, ticket: Ticket) -> Iterable[str]:
        """The newest hundred comments; the first of a ticket is its description."""
        asked = {"page[size]": LATEST, "sort": "-created_at"}
        answer = self._ask(http, "GET", f"/tickets/{ticket.id}/comments.json", params=asked)
        return [_text(comment, part) for comment in _list(answer, "comments") for part in ("html_body", "body")]

    def add(self, http: httpx.Client, ticket: Ticket, alert: Alert) -> None:
        """State and words in one request. Where a ticket may not be solved, the words go in without it.

        Nobody reads a solved ticket, so what reopens one is never said without reopening it.
        """
        said = {"comment": {"html_body": as_html(alert), "public": False}}
        changes: dict[str, Any] = {}
        if alert.kind == "solved":
            changes["status"] = "solved"
        elif not ticket.open:
            changes["status"] = "open"
        if alert.urgency is Urgency.CRITICAL:
            changes["priority"] = PRIORITIES[alert.urgency]
        if alert.kind == "solved" and not ticket.assigned and (own := self._own_id(http)) is not None:
            changes["assignee_id"] = own
        form = {httpx.codes.UNPROCESSABLE_ENTITY} if alert.kind == "solved" else set()
        answer = self._change(http, ticket, said | changes, expected=form)
        if not answer.is_success:  # a form demands more of a solved ticket; any other refusal may be over the next time
            self._change(http, ticket, said)
            raise _unfit(answer)  # so that somebody hears of it, once: the next try finds the words there

    def _own_id(self, http: httpx.Client) -> int | None:
        """Our agent's, who solves what nobody was assigned to: Zendesk solves no ticket without an assignee.

        None where an OAuth token may read no users: then Zendesk refuses the solving, and the words go in without it.
        """
        answer = self._ask(http, "GET", "/users/me.json", expected={httpx.codes.FORBIDDEN})
        if answer.status_code == httpx.codes.FORBIDDEN:
            return None
        user = json_of(answer, dict).get("user")
        if not isinstance(user, dict) or not isinstance(user.get("id"), int):
            raise changed(answer, "answered without the id of the token's agent")
        return int(user["id"])

    def _change(
        self, http: httpx.Client, ticket: Ticket, changes: dict[str, Any], *, expected: Collection[int] = ()
    ) -> httpx.Response:
        return self._ask(http, "PUT", f"/tickets/{ticket.id}.json", expected=expected, json={"ticket": changes})

    def _ask(
        self,
        http: httpx.Client,
        method: str,
        path: str,
        *,
        expected: Collection[int] = (),
        **more: Any,  # noqa: ANN401 - as httpx
    ) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        token, auth = self.token.get_secret_value(), None
        if self.username is None:
            headers["Authorization"] = f"Bearer {token}"
        else:
            auth = httpx.BasicAuth(f"{self.username.removesuffix('/token')}/token", token)
        answer = http.request(
            method,
            f"{self.api}/api/v2{path}",
            headers=headers,
            follow_redirects=False,
            extensions={"explain": _explain, "expected": expected},
            **(more | ({"auth": auth} if auth else {})),
        )
        if not answer.is_success and answer.status_code not in expected:
            raise refused(answer, "check `api` in the settings: Zendesk answers at another address")
        return answer


def _explain(answer: httpx.Response) -> EarfulError | None:
    """Zendesk names the fields it does not take; their values, which it may quote, are not repeated."""
    if answer.status_code == httpx.codes.CONFLICT:
        return throttled(answer, "somebody changed the ticket in the same moment")
    return _unfit(answer) if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY else None


def _unfit(answer: httpx.Response) -> RefusedError:
    try:
        details = json_of(answer, dict).get("details")
    except ChangedError:
        details = None
    fields = ", ".join(sorted(str(name)[:40] for name in details)) if isinstance(details, dict) else ""
    return refused(answer, f"Zendesk does not take these fields: {fields or 'unnamed'}; see what your forms demand")


def _list(answer: httpx.Response, name: str) -> list[dict[str, Any]]:
    found = json_of(answer, dict).get(name)
    if not isinstance(found, list):
        raise ChangedError(f"{place(answer.request)}: answered without a list of {name}")
    return [one for one in found if isinstance(one, dict)]


def _text(one: dict[str, Any], name: str) -> str:
    value = one.get(name)
    return value if isinstance(value, str) else ""

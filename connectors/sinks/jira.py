"""Jira Service Management: one request for each case, in Jira Cloud."""

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr

from connectors.client import SecureAddress, changed, json_of, refused, throttled
from connectors.ticket import SUBJECT_LIMIT, TEXT_LIMIT, Ticket, TicketSink
from connectors.wording import OPEN, QUOTES, WHY, byline, facts, footer, link, reasons, reference, title, visible
from pipeline.errors import ChangedError, EarfulError, RefusedError
from pipeline.route import Alert
from pipeline.text import shorten

LATEST = 100
"""Comments looked through, the newest, for an alert that may have been told before."""
INTERNAL = [{"key": "sd.public.comment", "value": {"internal": True}}]
"""What keeps a comment from the customers' portal."""

Node = dict[str, Any]


class JiraServiceManagement(TicketSink, frozen=True, hide_input_in_errors=True):
    """Requests in a service desk of Jira Cloud, known by a label and by the case's key in the summary.

    What strangers said stands in internal comments only. Jira's search learns of a new request some seconds late: two
    alerts of one case within that time can make two requests. Built from the documentation: not yet tried against the
    live service.
    """

    label: ClassVar[str] = "Jira Service Management"
    docs: ClassVar[str] = "https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/"

    kind: Literal["jira"] = "jira"
    api: SecureAddress = Field(description="Your Jira, such as https://example.atlassian.net.")
    username: str = Field(description="Whose API token it is: an agent's e-mail address.")
    token: SecretStr = Field(description="The API token.")
    service_desk_id: str = Field(pattern=r"^\w+$", description="The service desk, by its number.")
    request_type_id: str = Field(pattern=r"^\w+$", description="The type of request, by its number.")
    solved: str | None = Field(
        default=None,
        description='The transition for a closed case, such as "Resolve this issue"; none: only a comment.',
    )
    reopened: str | None = Field(
        default=None,
        description='The transition if it comes back, such as "Back to in progress"; none: only a comment.',
    )

    def find(self, http: httpx.Client, known_by: str) -> Ticket | None:
        """By its label or its summary, as people may change either; an open one first, then the newest.

        Only what our account made in this service desk: a case's key is no secret, and a portal is open to strangers.
        """
        desk = self._ask(http, "GET", f"/rest/servicedeskapi/servicedesk/{self.service_desk_id}")
        if not isinstance(project := json_of(desk, dict).get("projectKey"), str):
            raise changed(desk, "answered without the key of the service desk's project")
        known = f'labels = "{_label(known_by)}" OR summary ~ "\\"{known_by}\\""'
        jql = f'project = "{project}" AND creator = currentUser() AND ({known}) ORDER BY created DESC'
        asked = {"jql": jql, "fields": "summary,labels,status", "maxResults": 50}
        answer = self._ask(http, "GET", "/rest/api/3/search/jql", params=asked)
        issues = json_of(answer, dict).get("issues")
        if not isinstance(issues, list):
            raise changed(answer, "answered without a list of issues")
        found = [ticket for issue in issues if (ticket := _ticket(issue, known_by))]
        return next((ticket for ticket in found if ticket.open), found[0] if found else None)

    def create(self, http: httpx.Client, alert: Alert, *, after: Ticket | None) -> str:
        """A request in our own words, then its label, then the alert: a crash between is mended by the next try."""
        del after  # Jira puts no request away for good
        known_by = reference(alert)
        fields = {"summary": _summary(alert), "description": "What was said stands in an internal comment of Earful."}
        made = {
            "serviceDeskId": self.service_desk_id,
            "requestTypeId": self.request_type_id,
            "requestFieldValues": fields,
        }
        answer = self._ask(http, "POST", "/rest/servicedeskapi/request", json=made)
        if not isinstance(key := json_of(answer, dict).get("issueKey"), str):
            raise changed(answer, "answered without the key of a request")
        labels = {"update": {"labels": [{"add": _label(known_by)}]}}
        with suppress(RefusedError, ChangedError):  # not every project lets us: the summary serves too
            self._ask(http, "PUT", f"/rest/api/3/issue/{key}", json=labels)
        self._comment(http, key, alert)
        return key

    def heard(self, http: httpx.Client, ticket: Ticket) -> Iterable[str]:
        """Those of the newest hundred comments that our account wrote, as Jira keeps them."""
        me = self._ask(http, "GET", "/rest/api/3/myself")
        if not isinstance(ours := json_of(me, dict).get("accountId"), str):
            raise changed(me, "answered without the id of the token's account")
        asked = {"maxResults": LATEST, "orderBy": "-created"}
        answer = self._ask(http, "GET", f"/rest/api/3/issue/{ticket.id}/comment", params=asked)
        comments = json_of(answer, dict).get("comments")
        if not isinstance(comments, list):
            raise changed(answer, "answered without a list of comments")
        told = [comment for comment in comments if isinstance(comment, dict)]
        return [json.dumps(one.get("body")) for one in told if (one.get("author") or {}).get("accountId") == ours]

    def add(self, http: httpx.Client, ticket: Ticket, alert: Alert) -> None:
        """The state first, where the settings name a transition, then an internal comment."""
        if alert.kind == "solved" and ticket.open and self.solved:
            self._move(http, ticket, self.solved)
        elif alert.kind != "solved" and not ticket.open and self.reopened:
            self._move(http, ticket, self.reopened)
        self._comment(http, ticket.id, alert)

    def _move(self, http: httpx.Client, ticket: Ticket, wanted: str) -> None:
        way = f"/rest/api/3/issue/{ticket.id}/transitions"
        answer = self._ask(http, "GET", way)
        offered = json_of(answer, dict).get("transitions")
        for one in offered if isinstance(offered, list) else ():
            if isinstance(one, dict) and str(one.get("name", "")).casefold() == wanted.casefold():
                self._ask(http, "POST", way, json={"transition": {"id": str(one.get("id"))}})
                return
        raise refused(answer, f'no transition "{wanted}" leads on from where the request stands; see the workflow')

    def _comment(self, http: httpx.Client, key: str, alert: Alert) -> None:
        said = {"body": document(alert), "properties": INTERNAL}
        self._ask(http, "POST", f"/rest/api/3/issue/{key}/comment", json=said)

    def _ask(self, http: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - as httpx
        answer = http.request(
            method,
            f"{self.api}{path}",
            auth=httpx.BasicAuth(self.username, self.token.get_secret_value()),
            follow_redirects=False,
            extensions={"explain": _explain},
            **more,
        )
        if not answer.is_success:
            raise refused(answer, "check `api` in the settings: Jira answers at another address")
        return answer


def _explain(answer: httpx.Response) -> EarfulError | None:
    """Jira names the fields it does not take, or its own word for what is wrong; values it may quote stay unsaid."""
    try:
        said = json_of(answer, dict)
    except ChangedError:
        return None
    if answer.status_code == httpx.codes.CONFLICT:
        return throttled(answer, "somebody changed the request in the same moment")
    if answer.status_code not in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}:
        return None
    errors, i18n = said.get("errors"), said.get("i18nErrorMessage")
    named = [str(name)[:40] for name in errors] if isinstance(errors, dict) else []
    if isinstance(i18n, dict) and isinstance(i18n.get("i18nKey"), str):
        named.append(i18n["i18nKey"][:80])
    if not named and not isinstance(said.get("errorMessages"), list):
        return None
    return refused(answer, f"Jira does not take the request ({', '.join(named) or 'unnamed'}); see the request type")


def _ticket(issue: object, known_by: str) -> Ticket | None:
    """The issue, if it is surely this case's: a search by words may find others."""
    if not isinstance(issue, dict) or not isinstance(fields := issue.get("fields"), dict):
        return None
    known = _label(known_by) in (fields.get("labels") or ()) or f"[{known_by}]" in str(fields.get("summary"))
    if not known or not isinstance(issue.get("key"), str):
        return None
    status = fields.get("status")
    category = status.get("statusCategory") if isinstance(status, dict) else None
    done = isinstance(category, dict) and category.get("key") == "done"
    return Ticket(issue["key"], open=not done)


def _label(known_by: str) -> str:
    return f"earful-{known_by}"


def _summary(alert: Alert) -> str:
    return f"{title(alert, SUBJECT_LIMIT)} [{reference(alert)}]"


def document(alert: Alert) -> Node:
    """The alert in the Atlassian Document Format, where a text is nothing but a text."""
    text = shorten(visible(alert.text), TEXT_LIMIT)
    said = [_paragraph(_text(line)) for line in text.split("\n") if line.strip()]
    listed = [{"type": "listItem", "content": [_paragraph(_text(reason))]} for reason in reasons(alert)]
    rows = [_paragraph(_text(f"{name}: "), _text(value, "strong")) for name, value in facts(alert)]
    url = link(alert)
    there = {"type": "text", "text": OPEN[alert.kind], "marks": [{"type": "link", "attrs": {"href": url}}]}
    content = [
        _paragraph(_text(title(alert, 300), "strong")),
        *([_paragraph(_text(" · ".join(told)))] if (told := byline(alert)) else []),
        *([{"type": "blockquote", "content": said}] if said and alert.kind in QUOTES else said),
        *rows,
        *([_paragraph(_text(WHY[alert.kind])), {"type": "bulletList", "content": listed}] if listed else []),
        *([_paragraph(there)] if url else []),
        _paragraph(_text(footer(alert))),
    ]
    return {"type": "doc", "version": 1, "content": content}


def _paragraph(*content: Node) -> Node:
    return {"type": "paragraph", "content": list(content)}


def _text(text: str, *marks: str) -> Node:
    return {"type": "text", "text": text} | ({"marks": [{"type": mark} for mark in marks]} if marks else {})

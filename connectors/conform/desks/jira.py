"""The desk of Jira Service Management: requests with labels, comments and transitions, found by JQL."""

import re
from datetime import datetime
from typing import Any, ClassVar

import httpx

from connectors.conform.desks.reading import sent, texts
from connectors.conform.world import Desk, Found

_AUTH = httpx.BasicAuth("ears@example.com", "conform-hush")
_LABEL, _WORDS = re.compile(r'labels = "([^"]+)"'), re.compile(r'summary ~ "\\"([^"\\]+)\\""')
_DONE, _ONGOING = (
    {"name": "Resolved", "statusCategory": {"key": "done"}},
    {"name": "Open", "statusCategory": {"key": "new"}},
)
_PROJECT, _OURS = re.compile(r'project = "([^"]+)"'), "5b10ac8d82e05b22cc7d4ef5"
_WAYS = {"new": [{"id": "761", "name": "Resolve this issue"}], "done": [{"id": "901", "name": "Back to work"}]}


class JiraDesk(Desk):
    """A request can be resolved while it is open, and taken up again once it is done."""

    kind: ClassVar[str] = "jira"
    by_case: ClassVar[bool] = True

    def __init__(self) -> None:
        self.issues: list[dict[str, Any]] = []
        self.comments: dict[str, list[dict[str, Any]]] = {}

    def settings(self, address: str) -> dict[str, Any]:
        login = {
            "username": "ears@example.com",
            "token": "conform-hush",
            "service_desk_id": "1",
            "request_type_id": "25",
        }
        return {"kind": self.kind, "api": address, **login, "solved": "Resolve this issue", "reopened": "Back to work"}

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        asked = next(_AUTH.auth_flow(httpx.Request(request.method, request.url))).headers["authorization"]
        if request.headers.get("authorization") != asked:
            return httpx.Response(401, text="Client must be authenticated to access this resource.")
        way = request.url.path.removeprefix("/rest/").split("/")
        if (request.method, way) == ("GET", ["api", "3", "search", "jql"]):
            return self._search(request.url.params.get("jql", ""))
        if (request.method, way) == ("GET", ["servicedeskapi", "servicedesk", "1"]):
            desk = {"id": "1", "projectId": "11001", "projectName": "Service desk", "projectKey": "SD"}
            return httpx.Response(200, json=desk)
        if (request.method, way) == ("GET", ["api", "3", "myself"]):
            return httpx.Response(200, json={"accountId": _OURS, "emailAddress": "ears@example.com"})
        if (request.method, way) == ("POST", ["servicedeskapi", "request"]):
            return self._create(sent(request) or {}, now)
        if way[:3] == ["api", "3", "issue"] and (issue := self._issue(way[3])):
            return self._about(issue, request.method, way[4:], sent(request) or {})
        return httpx.Response(404, json={"errorMessages": ["Issue does not exist"], "errors": {}})

    def found(self) -> list[Found]:
        return [
            Found(
                one["fields"]["summary"].rpartition("[")[2].removesuffix("]"),
                "\n".join([one["fields"]["summary"], *texts(self.comments[one["key"]], "text", "href")]),
                open=not _done(one),
            )
            for one in self.issues
        ]

    def delete(self) -> bool:
        return bool(self.issues and self.issues.pop())

    def _issue(self, key: str) -> dict[str, Any] | None:
        return next((one for one in self.issues if one["key"] == key), None)

    def _about(self, issue: dict[str, Any], method: str, way: list[str], asked: dict[str, Any]) -> httpx.Response:
        comments, fields = self.comments[issue["key"]], issue["fields"]
        match method, way:
            case "PUT", []:
                fields["labels"] += [one["add"] for one in asked["update"]["labels"]]
                return httpx.Response(204)
            case "GET", ["comment"]:
                return httpx.Response(200, json={"comments": comments[::-1], "total": len(comments)})
            case "POST", ["comment"]:
                comments.append({"id": str(len(comments) + 1), "author": {"accountId": _OURS}, **asked})
                return httpx.Response(201, json=comments[-1])
            case "GET", ["transitions"]:
                return httpx.Response(200, json={"transitions": _WAYS[fields["status"]["statusCategory"]["key"]]})
            case "POST", ["transitions"]:
                offered = {one["id"] for one in _WAYS[fields["status"]["statusCategory"]["key"]]}
                if asked.get("transition", {}).get("id") not in offered:
                    return httpx.Response(400, json={"errorMessages": ["It is not valid for this issue"], "errors": {}})
                fields["status"] = _ONGOING if _done(issue) else _DONE
                return httpx.Response(204)
        return httpx.Response(404)

    def _search(self, jql: str) -> httpx.Response:
        label, words, project = _LABEL.search(jql), _WORDS.search(jql), _PROJECT.search(jql)
        found = [
            one
            for one in self.issues[::-1]
            if (label and label.group(1) in one["fields"]["labels"])
            or (words and words.group(1) in one["fields"]["summary"])
        ]
        if project:
            found = [one for one in found if one["key"].startswith(f"{project.group(1)}-")]
        if "creator = currentUser()" in jql:
            found = [one for one in found if one["fields"]["creator"]["accountId"] == _OURS]
        return httpx.Response(200, json={"issues": found[:50], "isLast": True})

    def _create(self, asked: dict[str, Any], now: datetime) -> httpx.Response:
        values = asked.get("requestFieldValues") or {}
        if not values.get("summary") or len(values["summary"]) > 255 or "\n" in values["summary"]:
            told = {"i18nKey": "sd.request.create.error.failed", "parameters": []}
            return httpx.Response(400, json={"errorMessage": "It could not be created.", "i18nErrorMessage": told})
        fields = {**values, "labels": [], "status": _ONGOING, "creator": {"accountId": _OURS}}
        issue: dict[str, Any] = {
            "id": str(10_001 + len(self.comments)),
            "key": f"SD-{5 + len(self.comments)}",
            "fields": fields,
        }
        self.issues.append(issue)
        self.comments[issue["key"]] = []
        made = {"issueId": issue["id"], "issueKey": issue["key"], "createdDate": {"iso8601": now.isoformat()}}
        return httpx.Response(201, json=made)


def _done(issue: dict[str, Any]) -> bool:
    return bool(issue["fields"]["status"] == _DONE)

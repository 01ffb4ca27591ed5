"""The desk of PagerDuty: Events API v2."""

from datetime import datetime
from typing import Any, ClassVar

import httpx

from connectors.conform.desks.reading import sent
from connectors.conform.world import Desk, Found

_KEY = "737ea619db564d41bd9824063e1f6b08"
_SEVERITIES = {"critical", "error", "warning", "info"}


class PagerDutyDesk(Desk):
    """One page for each dedup_key until it is resolved; a trigger after that opens the next."""

    kind: ClassVar[str] = "pagerduty"
    by_case: ClassVar[bool] = True
    knows: ClassVar[bool] = False  # the same event again stands in the log of the same page

    def __init__(self) -> None:
        self._pages: list[tuple[str, list[str], list[bool]]] = []

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": self.kind, "routing_key": _KEY, "api": address}

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        del now
        if request.method != "POST" or request.url.path != "/v2/enqueue":
            return httpx.Response(404)
        said = sent(request)
        if faults := _faults(said if isinstance(said, dict) else {}):
            told = {"status": "invalid event", "message": "Event object is invalid", "errors": faults}
            return httpx.Response(400, json=told)
        key = said["dedup_key"]
        ours = [page for page in self._pages if page[0] == key and page[2][-1]]
        if said["event_action"] == "resolve":
            for page in ours:
                page[2].append(False)
        else:
            if not ours:
                ours = [(key, [], [True])]
                self._pages += ours
            ours[0][1].extend(_words([said["payload"], said.get("links", [])]))
        return httpx.Response(202, json={"status": "success", "message": "Event processed", "dedup_key": key})

    def found(self) -> list[Found]:
        return [Found(key, "\n".join(words), open=states[-1]) for key, words, states in self._pages]


def _faults(event: dict[str, Any]) -> list[str]:
    faults = []
    if event.get("routing_key") != _KEY:
        faults.append("'routing_key' is invalid (must be a valid integration key)")
    if event.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
        faults.append("'event_action' is invalid")
    if not isinstance(event.get("dedup_key"), str) or not 0 < len(event["dedup_key"]) <= 255:
        faults.append("'dedup_key' is missing or too long")
    if event.get("event_action") == "trigger":
        payload = event.get("payload") or {}
        faults += [f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not payload.get(name)]
        if payload.get("severity") not in _SEVERITIES:
            faults.append("'payload.severity' is invalid")
    return faults


def _words(part: object) -> list[str]:
    if isinstance(part, dict | list):
        return [word for inner in (part.values() if isinstance(part, dict) else part) for word in _words(inner)]
    return [str(part)]

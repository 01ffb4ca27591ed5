"""Replay: a transport that answers from recorded exchanges, so that a connector meets its source without a network.

A fixture folder `fixtures/<kind>/` holds three files, all written by us after the documented schema:

- `settings.json`: the source's settings, with `kind` and `name`; relative paths in it start at the folder.
- `exchanges.json`: a list of `{"request": {"method", "url", "headers"?}, "response": {"status"?, "headers"?, and one of
  "json", "text"}}`. Method and url (with its query, in any order) must match; `headers`, where given, must be among
  those sent, and a recording that names headers is preferred to one that does not. A recording answers as often as it
  is asked, and must be asked at least once.
- `expected.json`: every mention a listener has after walking until the place no longer moves, as `Mention` reads it.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

FIXTURES = Path(__file__).parent / "fixtures"

Exchange = dict[str, Any]


class UnrecordedError(AssertionError):
    """The connector asked for something nobody recorded."""


@dataclass
class Replay(httpx.BaseTransport):
    """Answers from recordings. `in_order` also lets an unrecorded url have the next answer recorded for its path.

    For a path that nobody recorded, for another one that differs in its last part.
    """

    exchanges: list[Exchange]
    in_order: bool = False
    asked: list[httpx.Request] = field(default_factory=list)
    used: set[int] = field(default_factory=set)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        place = self._place(request)
        if place is None:
            message = f"nobody recorded {request.method} {request.url}"
            raise UnrecordedError(message)
        self.used.add(place)
        return answer(self.exchanges[place]["response"])

    @property
    def unused(self) -> list[str]:
        """What was recorded and never asked for."""
        return [each["request"]["url"] for place, each in enumerate(self.exchanges) if place not in self.used]

    def _place(self, request: httpx.Request) -> int | None:
        fitting = [place for place, each in enumerate(self.exchanges) if _fits(each["request"], request)]
        if fitting:
            return max(fitting, key=lambda place: len(self.exchanges[place]["request"].get("headers", {})))
        if not self.in_order:
            return None
        same = [place for place, each in enumerate(self.exchanges) if _same_path(each["request"], request)]
        if not same:  # ids in the path, of which one is spoilt
            folder = request.url.path.rpartition("/")[0]
            same = [place for place, each in enumerate(self.exchanges) if _within(each["request"], folder)]
        return next((place for place in same if place not in self.used), same[-1] if same else None)


def _fits(recorded: dict[str, Any], request: httpx.Request) -> bool:
    url = httpx.URL(recorded["url"])
    return (
        _same_path(recorded, request)
        and sorted(url.params.multi_items()) == sorted(request.url.params.multi_items())
        and all(request.headers.get(name) == value for name, value in recorded.get("headers", {}).items())
    )


def _same_path(recorded: dict[str, Any], request: httpx.Request) -> bool:
    url = httpx.URL(recorded["url"])
    return recorded.get("method", "GET") == request.method and (url.scheme, url.netloc, url.path) == (
        request.url.scheme,
        request.url.netloc,
        request.url.path,
    )


def _within(recorded: dict[str, Any], folder: str) -> bool:
    return httpx.URL(recorded["url"]).path.rpartition("/")[0] == folder


def answer(recorded: dict[str, Any]) -> httpx.Response:
    """A fresh response from its recording."""
    headers = recorded.get("headers", {})
    status = recorded.get("status", 200)
    if "json" in recorded:
        return httpx.Response(status, headers=headers, content=json.dumps(recorded["json"]).encode())
    return httpx.Response(status, headers=headers, content=recorded.get("text", "").encode())


def exchanges(kind: str) -> list[Exchange]:
    """The recordings of one kind."""
    read: list[Exchange] = json.loads((FIXTURES / kind / "exchanges.json").read_text(encoding="utf-8"))
    return read

"""Replay: a transport that answers from recorded exchanges, so that a connector meets its source without a network.

Which recording answers, and how, is the conformance kit's own word: `earful conform --recordings` replays such a
folder too.

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

from connectors.conform.recorded import Recorded

FIXTURES = Path(__file__).parent / "fixtures"
NUMBER = "x-recording"
"""A header that tells which recording answered; it is taken out again."""

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
        numbered = [_numbered(each, number) for number, each in enumerate(self.exchanges)]
        answer = Recorded(numbered, {}).answer(request)
        if NUMBER not in answer.headers and self.in_order and (next_one := self._next(request)) is not None:
            each = numbered[next_one]
            recorded = {**each, "request": {"method": request.method, "url": str(request.url)}}
            answer = Recorded([recorded], {}).answer(request)
        number = answer.headers.pop(NUMBER, None)
        if number is None:
            message = f"nobody recorded {request.method} {request.url}"
            raise UnrecordedError(message)
        self.used.add(int(number))
        return answer

    @property
    def unused(self) -> list[str]:
        """What was recorded and never asked for."""
        return [each["request"]["url"] for place, each in enumerate(self.exchanges) if place not in self.used]

    def _next(self, request: httpx.Request) -> int | None:
        """The first that was not used, recorded for this path, or else for another in the same folder."""
        urls = [httpx.URL(each["request"]["url"]) for each in self.exchanges]
        same = [place for place, url in enumerate(urls) if (url.host, url.path) == (request.url.host, request.url.path)]
        if not same:  # ids in the path, of which one is spoilt
            folder = request.url.path.rpartition("/")[0]
            same = [place for place, url in enumerate(urls) if url.path.rpartition("/")[0] == folder]
        return next((place for place in same if place not in self.used), same[-1] if same else None)


def _numbered(exchange: Exchange, number: int) -> Exchange:
    response = exchange["response"]
    return {**exchange, "response": {**response, "headers": {**response.get("headers", {}), NUMBER: str(number)}}}


def exchanges(kind: str) -> list[Exchange]:
    """The recordings of one kind."""
    read: list[Exchange] = json.loads((FIXTURES / kind / "exchanges.json").read_text(encoding="utf-8"))
    return read

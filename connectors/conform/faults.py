"""Faults: all that may go wrong on the way from a place to its listener, each with what a connector must make of it."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx

from connectors.conform.server import Wire, head, whole
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError

SILENCE = 0.6
"""Seconds a silent server is silent, and within `PATIENCE` its client gives up."""
PATIENCE = 0.3
LEISURE = 30.0
"""Seconds a client waits where no server is silent."""
NO_NAME, NO_PORT = "https://earful-conform.invalid", "http://127.0.0.1:9"
"""Where nothing can be reached: a name that nobody has, a port where nobody listens."""
HUGE = 50_000_000

Spoil = Callable[[httpx.Response], Wire | None]
"""Makes of a good answer what goes over the wire; None where the fault does not fit this answer."""
Errors = tuple[type[EarfulError], ...]

LATER: Errors = (TemporaryError,)
OPERATOR: Errors = (RefusedError, SettingsError)
DEVELOPER: Errors = (ChangedError,)
FAR: Errors = (TemporaryError, SettingsError, RefusedError)
"""For a place that cannot be reached at all."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with an answer, and what a connector may raise then.

    `must`: it may not go on as if nothing had happened. `lasts`: every later answer is spoilt too, until it is mended.
    `refuses`: the place has not taken the request; else it has, and only its answer is spoilt.
    `of_one`: a place may answer so of one thing that is no longer there, so that a walk may pass it over.
    `waits`: how long the other side asks to wait: the error must carry it, and nobody may ask again before it is over.
    """

    name: str
    spoil: Spoil
    errors: Errors
    must: bool = True
    lasts: bool = True
    refuses: bool = False
    of_one: bool = False
    waits: timedelta | None = None
    slow: bool = False
    attempts: int = 1


def _status(code: int, **headers: str) -> Spoil:
    page = f"<html><body><h1>{code}</h1></body></html>".encode()
    named = {"content-type": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return lambda _: whole(httpx.Response(code, headers=named, content=page))


def _throttled(name: str, header: str, value: Callable[[], str], seconds: int) -> Fault:
    def spoil(_: httpx.Response) -> Wire:
        return whole(httpx.Response(429, headers={header: value()}, json={"error": "Too many requests"}))

    return Fault(name, spoil, LATER, refuses=True, waits=timedelta(seconds=seconds))


def _instead(body: bytes, kind: str = "application/json") -> Spoil:
    return lambda _: whole(httpx.Response(200, headers={"content-type": kind}, content=body))


def _cut(answer: httpx.Response) -> Wire:
    body = answer.content
    return Wire((head(answer, content_length=str(len(body))) + body[: len(body) // 2],), end="close")


def _cut_chunk(answer: httpx.Response) -> Wire:
    body = answer.content[: max(1, len(answer.content) // 2)]
    return Wire((head(answer, transfer_encoding="chunked") + f"{len(body):x}\r\n".encode() + body,), end="close")


def _too_long(answer: httpx.Response) -> Wire:
    body = answer.content
    return Wire((head(answer, content_length=str(len(body) + 100)) + body,), end="close")


def _too_short(answer: httpx.Response) -> Wire:
    body = answer.content
    return Wire((head(answer, content_length=str(len(body) // 2)) + body,), end="close")


def _silent(answer: httpx.Response) -> Wire:
    return Wire((b"", *whole(answer).pieces), SILENCE)


def _stalled(answer: httpx.Response) -> Wire:
    (said,) = whole(answer).pieces
    return Wire((said[: len(said) // 2], said[len(said) // 2 :]), SILENCE)


def _dripping(answer: httpx.Response) -> Wire:
    (said,) = whole(answer).pieces
    size = len(said) // 10 + 1
    return Wire(tuple(said[at : at + size] for at in range(0, len(said), size)), PATIENCE / 10)


def _reset(_: httpx.Response) -> Wire:
    return Wire((), end="reset")


def _hung_up(_: httpx.Response) -> Wire:
    return Wire((), end="close")


def _cut_head(answer: httpx.Response) -> Wire:
    return Wire((head(answer)[:20],), end="reset")


def _no_http(_: httpx.Response) -> Wire:
    return Wire((b"220 mail.example ESMTP\r\n",), end="close")


def _circle(answer: httpx.Response) -> Wire:
    return whole(httpx.Response(302, headers={"location": str(answer.request.url)}))


@cache
def _zeros() -> bytes:
    return gzip.compress(b" " * HUGE, 1)


def _bomb(_: httpx.Response) -> Wire:
    answer = httpx.Response(200, headers={"content-type": "application/json"})
    body = _zeros()
    return Wire((head(answer, content_encoding="gzip", content_length=str(len(body))) + body,), end="close")


def _no_gzip(answer: httpx.Response) -> Wire:
    body = answer.content
    return Wire((head(answer, content_encoding="gzip", content_length=str(len(body))) + body,))


def _flood(answer: httpx.Response) -> Wire:
    megabyte = b" " * 1_000_000
    megabytes = HUGE // len(megabyte)
    return Wire((head(answer, content_length=str(HUGE)), *[megabyte] * megabytes), end="close")


def _no_utf8(answer: httpx.Response) -> Wire | None:
    body = answer.content
    return whole(_with(answer, body.replace(b"Hike ", b"Hike\xff\xfe ", 1))) if b"Hike " in body else None


def _other_list(answer: httpx.Response) -> Wire | None:
    """The list of items is a word all at once."""
    try:
        said = json.loads(answer.content)
    except ValueError:
        return None
    places = [place for place in lists_of(said) if b"Hike " in _json(place)]
    if not places:
        return None
    body = _json(said).replace(_json(places[0]), b'"maintenance"')
    return whole(_with(answer, body))


def _again(answer: httpx.Response) -> Wire | None:
    """The page before this one, once more."""
    before = answer.extensions.get("before")
    return whole(before) if before is not None else None


def _same_token(answer: httpx.Response) -> Wire | None:
    """A page that names itself as the next one."""
    before = answer.extensions.get("before")
    if before is None:
        return None
    if link := before.headers.get("link"):
        answer.headers["link"] = link
        return whole(answer)
    try:
        old, new = json.loads(before.content), json.loads(answer.content)
    except ValueError:
        return None
    sent = httpx.URL(str(answer.request.url)).query.decode() + answer.request.content.decode()
    for path, token in _leaves(old):
        if len(token) > 1 and (token in sent or quote(token, safe="") in sent) and _put(new, path, token):
            return whole(_with(answer, _json(new)))
    return None


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:  # noqa: ANN401 - JSON is anything
    """The words and numbers in the objects of an answer, but not in its lists, and how to get there."""
    if isinstance(value, dict):
        for name, held in value.items():
            yield from _leaves(held, (*path, name))
    elif isinstance(value, str | int) and not isinstance(value, bool) and path:
        yield path, str(value)


def _put(value: Any, path: tuple[str, ...], token: str) -> bool:  # noqa: ANN401 - JSON is anything
    *above, last = path
    for name in above:
        value = value.setdefault(name, {}) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        return False
    value[last] = int(token) if isinstance(value.get(last), int) else token
    return True


def _with(answer: httpx.Response, body: bytes) -> httpx.Response:
    made = httpx.Response(answer.status_code, headers=answer.headers, content=body)
    made.headers["content-length"] = str(len(body))
    return made


def _json(value: Any) -> bytes:  # noqa: ANN401 - JSON is anything
    return json.dumps(value, ensure_ascii=False).encode()


def lists_of(value: Any) -> Iterator[list[Any]]:  # noqa: ANN401 - JSON is anything
    """The lists of objects in it, the outermost first."""
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        yield value
    for held in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from lists_of(held)


def _in_date(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def _in_iso(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


HTML = b"<!doctype html><html><head><title>Just a moment...</title></head><body><p>Checking</p></body></html>"

FAULTS: tuple[Fault, ...] = (
    Fault("401, the key was revoked", _status(401), OPERATOR, refuses=True),
    Fault("401 once, the key ran out", _status(401), OPERATOR, must=False, lasts=False, refuses=True),
    Fault("403, not allowed", _status(403), OPERATOR, refuses=True, of_one=True),
    Fault("404, nothing there", _status(404), OPERATOR, refuses=True, of_one=True),
    Fault("408, too slow", _status(408), LATER, refuses=True),
    Fault("409, a conflict", _status(409), OPERATOR + LATER, refuses=True),
    Fault("410, gone for good", _status(410), OPERATOR, refuses=True, of_one=True),
    _throttled("429 with seconds to wait", "retry-after", lambda: "90", 90),
    _throttled("429 with a date to wait for", "retry-after", lambda: _in_date(90), 90),
    _throttled("429 until an epoch second", "x-ratelimit-reset", lambda: str(int(time.time()) + 90), 90),
    _throttled("429 for seconds from now", "x-ratelimit-reset", lambda: "90.0", 90),
    _throttled("429 until an ISO time", "x-ratelimit-reset", lambda: _in_iso(90), 90),
    _throttled("429 until an epoch second, by another name", "ratelimit-reset", lambda: str(int(time.time()) + 90), 90),
    _throttled("429 for milliseconds", "x-hubspot-ratelimit-interval-milliseconds", lambda: "90000", 90),
    Fault("429 without a word", _status(429), LATER, refuses=True),
    Fault("500, broken", _status(500), LATER, refuses=True),
    Fault("502, a bad gateway", _status(502), LATER, refuses=True),
    Fault("503, under maintenance", _status(503, retry_after="90"), LATER, waits=timedelta(seconds=90), refuses=True),
    Fault(
        "503 once, and well at the second try", _status(503), LATER, must=False, lasts=False, attempts=3, refuses=True
    ),
    Fault("a slow first byte", _silent, LATER, slow=True),
    Fault("a slow drip that ends", _dripping, LATER, must=False, lasts=False, slow=True),
    Fault("a drip that stalls", _stalled, LATER, slow=True),
    Fault("a body cut short", _cut, LATER),
    Fault("a chunked body cut short", _cut_chunk, LATER),
    Fault("a length that is too long", _too_long, LATER),
    Fault("a length that is too short", _too_short, LATER + DEVELOPER, must=False),
    Fault("a connection reset between two pages", _reset, LATER),
    Fault("a connection closed without an answer", _hung_up, LATER),
    Fault("a connection lost in the headers", _cut_head, LATER),
    Fault("something that is no HTTP", _no_http, LATER),
    Fault("a redirect in a circle", _circle, OPERATOR + DEVELOPER, refuses=True, of_one=True),
    Fault("HTML instead of an answer", _instead(HTML, "text/html; charset=utf-8"), DEVELOPER),
    Fault("an empty body", _instead(b""), DEVELOPER),
    Fault("null", _instead(b"null"), DEVELOPER),
    Fault("a word where the list of items was", _other_list, DEVELOPER),
    Fault("a page that comes twice", _again, DEVELOPER, must=False, lasts=False),
    Fault("the same page again and again", _again, DEVELOPER, must=False),
    Fault("the same token twice", _same_token, DEVELOPER, must=False),
    Fault("bytes that are no UTF-8", _no_utf8, DEVELOPER, must=False),
    Fault("a gzip bomb", _bomb, DEVELOPER),
    Fault("gzip that is none", _no_gzip, LATER + DEVELOPER),
    Fault("50 MB", _flood, DEVELOPER),
)
"""What may happen to an answer on its way, at the first, the middle and the last request."""

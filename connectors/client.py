"""The one HTTP client: who we are, patience, our errors."""

import json
import logging
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Annotated, Any

import httpx
from pydantic import AfterValidator

from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError

AGENT = f"Earful/{version('earful')}"
TIMEOUT = httpx.Timeout(30, connect=10)
LARGEST_BODY = 20_000_000
"""Bytes after decompression; no documented answer comes near it."""
LONGEST_BODY = timedelta(minutes=2)
"""A body that drips for longer than this is given up, however lively it drips."""
FIRST_WAIT = 1.0
"""Seconds before the second attempt; doubled each time, with jitter."""

_EPOCH_FROM = 1e9  # a wait of 30 years is none: from here on a number of seconds is a moment

_THROTTLED = HTTPStatus.TOO_MANY_REQUESTS
_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, _THROTTLED}
_TEMPORARY = (httpx.TransportError, httpx.DecodingError)  # after _SETTINGS, which are transport errors as well
_NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_SETTINGS = (UnicodeError, httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the operator must act: the key or password in the settings is missing, wrong or revoked",
    HTTPStatus.FORBIDDEN: "the operator must act: this key, or anyone, is not allowed here",
    HTTPStatus.NOT_FOUND: "the operator must act: nothing is there, check the address or name in the settings",
    HTTPStatus.GONE: "the operator must act: it is gone for good, take it out of the settings",
}


def open_client(
    *,
    attempts: int = 3,
    patience: timedelta = timedelta(seconds=30),
    contact: str | None = None,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> httpx.Client:
    """A client that raises nothing but `pipeline.errors`, and tries again where that is safe.

    Whatever httpx raises and every status from 400 becomes one of our errors. A temporary failure of a GET is tried
    `attempts` times in all, of any other method only if it never arrived. `Retry-After` wins over our own backoff; the
    waits of one request stay within `patience`, and a longer one is raised at once, with `retry_after`.

    A request says more about itself in `extensions`: `secret_path=True` where the path is a secret (a webhook's
    address), so that only its host is ever named; `pause=SECONDS` where the terms of a host ask for so long between two
    requests. Redirects are answers, not followed. `contact` is told to every host beside our name. `transport` and
    `sleep` are for tests.
    """
    for chatty in ("httpx", "httpcore"):  # they log whole addresses, and keys live in the query
        logging.getLogger(chatty).setLevel(logging.WARNING)
    inner = transport or httpx.HTTPTransport()
    patient = _Patient(inner, attempts=attempts, patience=patience, sleep=sleep)
    agent = f"{AGENT} (+{contact})" if contact else AGENT
    return _Client(transport=patient, headers={"User-Agent": agent}, timeout=TIMEOUT, follow_redirects=False)


def json_of(response: httpx.Response, of: type = object) -> Any:  # noqa: ANN401 - JSON is anything
    """What the answer says, if it is JSON and of the type `of` (`dict`, `list`); else ChangedError says what came."""
    try:
        said = json.loads(response.content)
    except (ValueError, RecursionError):
        raise ChangedError(f"{place(response.request)}: answered {_instead(response)} instead of JSON") from None
    if not isinstance(said, of):
        came = "nothing (null)" if said is None else f"JSON of another shape ({type(said).__name__}, not {of.__name__})"
        raise ChangedError(f"{place(response.request)}: answered {came}")
    return said


def place(request: httpx.Request) -> str:
    """Method, host and path, as a message may name them: never the query, a password, or a path that is a secret."""
    return _place(request.method, request.url, secret=bool(request.extensions.get("secret_path")))


def _place(method: str, url: httpx.URL, *, secret: bool) -> str:
    host = f"{url.host}:{url.port}" if url.port else url.host
    return f"{method} {host}" if secret else f"{method} {host}{url.path}"


def _address(value: str) -> str:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL as error:
        raise ValueError("write an address like https://example.org") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("write an address like https://example.org")
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]
"""An http or https address in the settings, without its last slash."""


def items_of(values: list[Any]) -> list[dict[str, Any]]:
    """The values as items. One that is no object is wrapped, so that `parse` refuses it alone and it is kept aside."""
    return [value if isinstance(value, dict) else {"strange": value} for value in values]


class _Client(httpx.Client):
    """Turns what httpx raises outside a transport, such as an impossible address, into our errors as well."""

    def build_request(self, method: str, url: httpx.URL | str, **more: Any) -> httpx.Request:  # noqa: ANN401 - as httpx
        try:
            return super().build_request(method, url, **more)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise _ours(error, method) from None

    def send(self, request: httpx.Request, **more: Any) -> httpx.Response:  # noqa: ANN401 - as httpx
        with _named(request):
            return super().send(request, **more)


class _Patient(httpx.BaseTransport):
    """A transport around a transport: waits, tries again, and speaks our errors."""

    def __init__(
        self, inner: httpx.BaseTransport, *, attempts: int, patience: timedelta, sleep: Callable[[float], None]
    ) -> None:
        self._inner = inner
        self._attempts = attempts
        self._patience = patience.total_seconds()
        self._sleep = sleep
        self._asked_at: dict[str, float] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        waited, attempt = 0.0, 0
        while True:
            attempt += 1
            self._pause(request)
            try:
                return self._once(request)
            except TemporaryError as error:
                wait = self._wait(error, attempt)
                if attempt >= self._attempts or waited + wait > self._patience or not _repeatable(request, error):
                    raise
            self._sleep(wait)
            waited += wait

    def close(self) -> None:
        self._inner.close()

    def _once(self, request: httpx.Request) -> httpx.Response:
        with _named(request):
            answer = self._inner.handle_request(request)
            try:
                body = _body(answer, request)
            finally:
                answer.close()
        headers = httpx.Headers(answer.headers)
        for told in ("content-encoding", "content-length", "transfer-encoding"):
            headers.pop(told, None)  # of the body as it was sent; ours is decoded and whole
        whole = httpx.Response(answer.status_code, headers=headers, content=body, request=request)
        if whole.is_error or whole.status_code >= 600:  # noqa: PLR2004 - no name: HTTP ends at 599
            raise _refusal(whole)
        return whole

    def _wait(self, error: TemporaryError, attempt: int) -> float:
        if error.retry_after is not None:
            return error.retry_after.total_seconds()
        return FIRST_WAIT * 2.0 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311 - jitter, no secret

    def _pause(self, request: httpx.Request) -> None:
        pause = request.extensions.get("pause")
        if pause:
            rest = self._asked_at.get(request.url.host, -math.inf) + pause - time.monotonic()
            if rest > 0:
                self._sleep(rest)
            self._asked_at[request.url.host] = time.monotonic()


@contextmanager
def _named(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict) as error:
        # "from None": httpx's own words may hold the whole address or a header
        raise _ours(error, place(request)) from None


def _ours(error: Exception, where: str) -> EarfulError:
    """The error of ours that stands for one of httpx's."""
    name = type(error).__name__
    if isinstance(error, httpx.HTTPStatusError):
        return _refusal(error.response)
    if isinstance(error, _SETTINGS):
        return SettingsError(f"{where}: cannot be asked ({name}); the operator must act: check the address and the key")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return RefusedError(f"{where}: its certificate is not trusted; the operator must act: check the address")
    if isinstance(error, _TEMPORARY):
        return TemporaryError(f"{where}: no whole answer ({name}); {TemporaryError.who_acts}")
    if isinstance(error, httpx.TooManyRedirects):
        return RefusedError(f"{where}: sends us in circles; the operator must act: check the address")
    return ChangedError(f"{where}: {name}; a developer must act: Earful asked in a way it must not")


def _refusal(answer: httpx.Response) -> EarfulError:
    """The error that a status from 400 stands for."""
    status = answer.status_code
    said = f"{place(answer.request)}: {status} {httpx.codes.get_reason_phrase(status)}".rstrip()
    if status in _TRY_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TemporaryError(f"{said}; {TemporaryError.who_acts}", _retry_after(answer))
    if status == HTTPStatus.BAD_REQUEST:
        return ChangedError(f"{said}; a developer must act: our request is not understood")
    return RefusedError(f"{said}; {_ADVICE.get(status, 'the operator must act: check the settings')}")


def _retry_after(answer: httpx.Response) -> timedelta | None:
    """How long the other side asks us to wait: `Retry-After`, or of a 429 without one `x-ratelimit-reset`."""
    told = answer.headers.get("retry-after")
    if told is None and answer.status_code == _THROTTLED:
        told = answer.headers.get("x-ratelimit-reset")
    return None if told is None else _until(told.strip())


def _until(told: str) -> timedelta | None:
    """The wait that "120", an epoch second, an HTTP date or an ISO time asks for; None where it is none of them."""
    try:
        seconds = float(told)
    except ValueError:
        moment = _moment(told)
        seconds = math.nan if moment is None else moment.timestamp() - time.time()
    else:
        if seconds > _EPOCH_FROM:
            seconds -= time.time()
    return timedelta(seconds=max(0.0, seconds)) if seconds < _EPOCH_FROM else None


def _moment(told: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(told)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _repeatable(request: httpx.Request, error: TemporaryError) -> bool:
    """Asking twice does no harm; telling twice does, unless the first never arrived."""
    return request.method in {"GET", "HEAD"} or isinstance(error.__context__, _NEVER_ARRIVED)


def _body(answer: httpx.Response, request: httpx.Request) -> bytes:
    """The decoded body, read piece by piece so that no answer can fill our memory or our day."""
    read = bytearray()
    started = time.monotonic()
    for piece in answer.iter_bytes():
        read += piece
        if len(read) > LARGEST_BODY:
            raise ChangedError(f"{place(request)}: answered more than {LARGEST_BODY:,} bytes")
        if time.monotonic() - started > LONGEST_BODY.total_seconds():
            raise TemporaryError(f"{place(request)}: its answer takes for ever; {TemporaryError.who_acts}")
    return bytes(read)


def _instead(answer: httpx.Response) -> str:
    start = answer.content[:200].lstrip().lower()
    if answer.has_redirect_location:
        return f"{answer.status_code}, a way to another address,"
    if not start:
        return "nothing"
    if start.startswith((b"<!doctype html", b"<html")):
        return "HTML"
    return "a cut or broken text" if start[:1] in b"{[" else "some other text"

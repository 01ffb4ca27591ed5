"""The one HTTP client: who we are, patience, our errors."""

import json
import random
import time
from collections.abc import Callable, Collection
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import httpx
from pydantic import AfterValidator

from connectors.cache import Cached
from connectors.circuits import Circuits
from connectors.failures import (
    Explain,
    changed,
    host_of,
    named,
    ours,
    place,
    refusal,
    refused,
    repeatable,
    throttled,
)
from connectors.hush import hush
from connectors.pace import Gate, Pace
from connectors.patience import told_to_rest
from connectors.wire import Whole, Wire
from pipeline.errors import ChangedError, EarfulError, TemporaryError

__all__ = [
    "Address",
    "Explain",
    "SecureAddress",
    "changed",
    "items_of",
    "json_of",
    "open_client",
    "place",
    "refused",
    "throttled",
]  # what connectors need of the client, from one place

AGENT = f"Earful/{version('earful')}"
TIMEOUT = httpx.Timeout(connect=10, read=30, write=30, pool=30)
FIRST_WAIT = 1.0
"""Seconds before the second attempt; doubled each time, with jitter."""

_RESTS = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
"""What a host answers in its own name: a wait in any other refusal is a matter of one key or one page."""


def open_client(
    *,
    attempts: int = 3,
    patience: timedelta = timedelta(seconds=30),
    contact: str | None = None,
    allowed: Collection[str] | None = None,
    circuits: Circuits | None = None,
    gate: Gate | None = None,
    cache: Path | None = None,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> httpx.Client:
    """A client that raises nothing but `pipeline.errors`, and tries again where that is safe.

    Whatever httpx raises and every status from 400 becomes one of our errors. A temporary failure of a GET is tried
    `attempts` times in all, of any other method only if it never arrived. `Retry-After` and its kin are waited for,
    and never less than our own backoff; the waits of one request stay within `patience`, and a longer one is raised at
    once, with `retry_after`.

    A request says more about itself in `extensions`: `secret_path=True` where the path is a secret (a webhook's
    address), so that only its host is ever named; `pause=SECONDS` where the terms of a host ask for so long between two
    requests; `expected={404}` for statuses from 400 that are answers here; `explain=FUNCTION` where a place says in its
    own words what went wrong (see `Explain`); `cache=True` for a public page that need not be sent again if it is as it
    was. Redirects are answers, not followed. `contact` is told to every host beside our name.

    `Setup.http` gives what runs share: `circuits`, the hosts left alone for a while; `gate`, which keeps the pauses of
    all workers; `cache`, the file of pages; `allowed`, the hosts that may be at a private address (None: any, which is
    for tests, as are `transport` and `sleep`).
    """
    hush()
    whole: httpx.BaseTransport = Whole(transport or Wire(allowed))
    patient = _Patient(
        Cached(whole, cache) if cache else whole,
        attempts=attempts,
        patience=patience,
        circuits=circuits,
        gate=gate or Pace(sleep),
        sleep=sleep,
    )
    agent = f"{AGENT} (+{contact})" if contact else AGENT
    headers = {"User-Agent": agent, "Accept-Encoding": "gzip, deflate"}  # others pack without bound
    return _Client(transport=patient, headers=headers, timeout=TIMEOUT, follow_redirects=False)


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


def _secure(value: str) -> str:
    url = httpx.URL(value)
    if url.scheme != "https" and url.host not in {"localhost", "127.0.0.1", "::1"}:
        raise ValueError("write an address that starts with https://: anybody on the way could read the key")
    return value


SecureAddress = Annotated[Address, AfterValidator(_secure)]
"""An address a secret is sent to: https, or this very computer."""


def items_of(values: list[Any]) -> list[dict[str, Any]]:
    """The values as items. One that is no object is wrapped, so that `parse` refuses it alone and it is kept aside."""
    return [value if isinstance(value, dict) else {"strange": value} for value in values]


class _Client(httpx.Client):
    """Turns what httpx raises outside a transport, such as an impossible address, into our errors as well."""

    def build_request(self, method: str, url: httpx.URL | str, **more: Any) -> httpx.Request:  # noqa: ANN401 - as httpx
        try:
            return super().build_request(method, url, **more)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ours(error, method) from None

    def send(self, request: httpx.Request, **more: Any) -> httpx.Response:  # noqa: ANN401 - as httpx
        with named(request):
            return super().send(request, **more)


class _Patient(httpx.BaseTransport):
    """A transport around a transport: waits, tries again, and speaks our errors."""

    def __init__(
        self,
        inner: httpx.BaseTransport,
        *,
        attempts: int,
        patience: timedelta,
        circuits: Circuits | None,
        gate: Gate,
        sleep: Callable[[float], None],
    ) -> None:
        self._inner = inner
        self._attempts = attempts
        self._patience = patience
        self._circuits = circuits
        self._gate = gate
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = host_of(request)
        waited, attempt = timedelta(0), 0
        while True:
            attempt += 1
            waited = self._let_through(request, host, waited)
            try:
                return self._once(request, host)
            except TemporaryError as error:
                wait = _wait(error, attempt)
                given_up = attempt >= self._attempts or (self._circuits and self._circuits.broken(host))
                if given_up or waited + wait > self._patience or not repeatable(request, error):
                    raise
            self._sleep(wait.total_seconds())
            waited += wait

    def close(self) -> None:
        self._inner.close()

    def _let_through(self, request: httpx.Request, host: str, waited: timedelta) -> timedelta:
        """Wait until a host may be asked, by its circuit and by its pause; what was `waited` for the request by then.

        The circuit is asked last: others ask the host meanwhile, and may be told to leave it alone.
        """
        pause = request.extensions.get("pause")
        while True:
            rest = self._rest(request, host, waited, trying=not pause)
            if pause and not rest:  # else the turn would be taken in vain
                self._gate(request.url.host, pause)
                rest = self._rest(request, host, waited)
            if not rest:
                return waited
            self._sleep(rest.total_seconds())
            waited += rest

    def _rest(self, request: httpx.Request, host: str, waited: timedelta, *, trying: bool = True) -> timedelta:
        if self._circuits is None:
            return timedelta(0)
        return self._circuits.ask(host, place(request), self._patience - waited, trying=trying)

    def _once(self, request: httpx.Request, host: str) -> httpx.Response:
        """Ask once; how it went is told to the circuits."""
        try:
            with named(request):
                answer = self._inner.handle_request(request)
        except TemporaryError as error:
            self._failed(host, error)
            raise
        except EarfulError:  # nothing that passes: a trial that ends so is over
            self._heard(host)
            raise
        if answer.status_code in request.extensions.get("expected", ()) or not _is_refusal(answer):
            self._heard(host)
            if self._circuits and answer.is_success and (rest := told_to_rest(answer)):
                self._circuits.rest(host, rest)
            return answer
        explain: Explain = request.extensions.get("explain", refusal)
        why = explain(answer) or refusal(answer)
        if isinstance(why, TemporaryError):
            self._failed(host, why, asked=answer.status_code in _RESTS)
        else:
            self._heard(host)
        raise why

    def _heard(self, host: str) -> None:
        if self._circuits:
            self._circuits.heard(host)

    def _failed(self, host: str, error: TemporaryError, *, asked: bool = False) -> None:
        if self._circuits:
            why = str(error).removesuffix(f"; {TemporaryError.who_acts}")
            self._circuits.failed(host, why, error.retry_after if asked else None)


def _wait(error: TemporaryError, attempt: int) -> timedelta:
    own = timedelta(seconds=FIRST_WAIT * 2.0 ** (attempt - 1) * random.uniform(0.5, 1))  # noqa: S311 - jitter, no secret
    return own if error.retry_after is None else max(own, error.retry_after)


def _is_refusal(answer: httpx.Response) -> bool:
    return answer.is_error or answer.status_code >= 600  # noqa: PLR2004 - no name: HTTP ends at 599


def _instead(answer: httpx.Response) -> str:
    start = answer.content[:200].lstrip().lower()
    if answer.has_redirect_location:
        return f"{answer.status_code}, a way to another address,"
    if not start:
        return "nothing"
    if start.startswith((b"<!doctype html", b"<html")):
        return "HTML"
    return "a cut or broken text" if start[:1] in b"{[" else "some other text"

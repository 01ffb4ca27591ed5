"""Failures: every status and every error of httpx as one of ours, naming the place and never a secret."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus

import httpx

from connectors.patience import LONGEST_WAIT, asked_to_wait
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError

Explain = Callable[[httpx.Response], EarfulError | None]
"""Reads a refusal as its place documents it, such as a 400 that means "too many requests"; None: as its status says.
`refused`, `throttled` and `changed` make its errors."""

_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_PASSED_ON = {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}  # a gateway asked, and heard no whole answer
_TEMPORARY = (httpx.TransportError, httpx.DecodingError)  # after _SETTINGS, which are transport errors as well
_NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_ASKS = {"GET", "HEAD"}
_SETTINGS = (UnicodeError, httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the operator must act: the key or password in the settings is missing, wrong or revoked",
    HTTPStatus.FORBIDDEN: "the operator must act: this key, or anyone, is not allowed here",
    HTTPStatus.NOT_FOUND: "the operator must act: nothing is there, check the address or name in the settings",
    HTTPStatus.GONE: "the operator must act: it is gone for good, take it out of the settings",
}


def refused(answer: httpx.Response, why: str) -> RefusedError:
    """The operator must act, and `why` says what is wrong and its mend; no text of the answer, which may hold a key."""
    return RefusedError(f"{place(answer.request)}: {answer.status_code}; the operator must act: {why}")


def throttled(answer: httpx.Response, why: str, wait: timedelta | None = None) -> TemporaryError:
    """Later, after `wait` where the place says how long; else as its headers or its body say."""
    said = f"{place(answer.request)}: {answer.status_code}, {why}; {TemporaryError.who_acts}"
    asked = asked_to_wait(answer, throttled=True) if wait is None else min(max(wait, timedelta(0)), LONGEST_WAIT)
    return TemporaryError(said, asked or None)  # a moment that is over asks for nothing


def changed(answer: httpx.Response, why: str) -> ChangedError:
    """The answer is not as documented."""
    return ChangedError(f"{place(answer.request)}: {why}")


def place(request: httpx.Request) -> str:
    """Method, host and path, as a message may name them: never the query, a password, or a path that is a secret."""
    said = f"{request.method} {host_of(request)}"
    return said if request.extensions.get("secret_path") else said + request.url.path


def host_of(request: httpx.Request) -> str:
    """The host, with its port where the address names one."""
    return f"{request.url.host}:{request.url.port}" if request.url.port else request.url.host


def refusal(answer: httpx.Response) -> EarfulError:
    """The error that a status from 400 stands for."""
    status = answer.status_code
    said = f"{place(answer.request)}: {status} {httpx.codes.get_reason_phrase(status)}".rstrip()
    if status in _TRY_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        unsure = status in _PASSED_ON and answer.request.method not in _ASKS
        return TemporaryError(f"{said}; {TemporaryError.who_acts}", asked_to_wait(answer), unsure)
    if status == HTTPStatus.BAD_REQUEST:
        return ChangedError(f"{said}; a developer must act: our request is not understood")
    return RefusedError(f"{said}; {_ADVICE.get(status, 'the operator must act: check the settings')}")


@contextmanager
def named(request: httpx.Request) -> Iterator[None]:
    """Whatever httpx raises inside is raised as ours."""
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict, UnicodeError) as error:
        # "from None": httpx's own words may hold the whole address or a header
        raise ours(error, place(request), asks=request.method in _ASKS) from None


def ours(error: Exception, where: str, *, asks: bool = False) -> EarfulError:
    """The error of ours that stands for one of httpx's; who only `asks` has done nothing, whatever was lost."""
    name = type(error).__name__
    if isinstance(error, httpx.HTTPStatusError):
        return refusal(error.response)
    if isinstance(error, _SETTINGS):
        return SettingsError(f"{where}: cannot be asked ({name}); the operator must act: check the address and the key")
    if why := _lasting(error):
        return RefusedError(f"{where}: {why}")
    if isinstance(error, _TEMPORARY):
        said = f"{where}: no whole answer ({name}); {TemporaryError.who_acts}"
        return TemporaryError(said, unsure=not asks and not isinstance(error, _NEVER_ARRIVED))
    return ChangedError(f"{where}: {name}; a developer must act: Earful asked in a way it must not")


def _lasting(error: Exception) -> str | None:
    """What is wrong and its mend, where an error of the connection does not pass by itself."""
    words = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return "its certificate is not trusted; the operator must act: check the address"
    if isinstance(error, httpx.ProxyError) and words.startswith("4"):
        return f"the proxy refuses it ({words[:3]}); the operator must act: check the proxy"
    if isinstance(error, httpx.TooManyRedirects):
        return "sends us in circles; the operator must act: check the address"
    return None


def repeatable(request: httpx.Request, error: TemporaryError) -> bool:
    """Asking twice does no harm; telling twice does, unless the first never arrived."""
    return request.method in _ASKS or isinstance(error.__context__, _NEVER_ARRIVED)

"""The server of a Bluesky account: sessions, and what its refusals mean."""

from typing import Any

import httpx
from pydantic import SecretStr

from connectors.auth import Fetched, Token
from connectors.client import json_of, refused, throttled
from pipeline.errors import ChangedError, EarfulError

SESSION = 3600.0
"""Seconds after which a session is renewed; it is good for two hours, and `ExpiredToken` says so earlier."""

_OLD = ("ExpiredToken", "InvalidToken")
_REASONS = {
    **dict.fromkeys(_OLD, "no session of this account counts here; `api` must be the account's own server"),
    "AuthFactorTokenRequired": "the account asks for a code by mail; make an app password and use that",
    "AccountTakedown": "the account was taken down",
}


class Session(Fetched):
    """A session of the account: begun with its password, then renewed with what the last one gave for that."""

    def __init__(self, http: httpx.Client, api: str, identifier: str, password: SecretStr) -> None:
        super().__init__(self._begin, self._begun, refusals=(400, 401), old=lambda answer: error_of(answer) in _OLD)
        self._http = http
        self._api = api
        self._who = (identifier, password)
        self._refresh = ""
        self.did = ""

    def _begin(self) -> httpx.Request:
        url, more = f"{self._api}/xrpc/com.atproto.server.", {"explain": explain}
        if self._refresh:
            told = {"Authorization": f"Bearer {self._refresh}"}
            return self._http.build_request("POST", f"{url}refreshSession", headers=told, extensions=more)
        who = {"identifier": self._who[0], "password": self._who[1].get_secret_value()}
        return self._http.build_request("POST", f"{url}createSession", json=who, extensions=more)

    def _begun(self, said: dict[str, Any]) -> Token:
        self._refresh, self.did = str(said["refreshJwt"]), str(said["did"])
        return str(said["accessJwt"]), SESSION


def explain(answer: httpx.Response) -> EarfulError | None:
    """What the error's name means, as the lexicons have it."""
    error = error_of(answer)
    if error in _OLD and answer.request.url.path.endswith("refreshSession"):
        return throttled(answer, "the session ended; the next call begins another")
    if error in _REASONS:
        return refused(answer, _REASONS[error])
    if answer.status_code == httpx.codes.FORBIDDEN:
        return refused(answer, _REASONS["ExpiredToken"])
    return None


def error_of(answer: httpx.Response) -> str | None:
    """The error's name."""
    try:
        said = json_of(answer, dict).get("error")
    except ChangedError:
        return None
    return said if isinstance(said, str) else None

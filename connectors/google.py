"""What Google's interfaces have in common: how one gets a token, and how they say no."""

import json
import time
from typing import Any

import httpx
from pydantic import SecretStr

from connectors.auth import Fetched, signed, text_of
from connectors.client import refused, throttled
from pipeline.errors import EarfulError, SettingsError

TOKENS = "https://oauth2.googleapis.com/token"
LIFE = 3600
"""Seconds a signed request for a token may be good for: https://developers.google.com/identity/protocols/oauth2/service-account"""

_TOO_MUCH = {"RESOURCE_EXHAUSTED", "rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"}


def by_refresh_token(
    http: httpx.Client, tokens: str, client_id: str, client_secret: SecretStr, refresh_token: SecretStr
) -> Fetched:
    """Tokens in the name of a person who once consented.

    https://developers.google.com/identity/protocols/oauth2/web-server#offline
    """
    asked = {
        "grant_type": "refresh_token",
        "client_id": client_id,
        "client_secret": client_secret.get_secret_value(),
        "refresh_token": refresh_token.get_secret_value(),
    }
    return Fetched(lambda: http.build_request("POST", tokens, data=asked, extensions=_EXPLAINED), _token)


def by_service_account(http: httpx.Client, key_file: SecretStr, scope: str, tokens: str | None) -> Fetched:
    """Tokens of a service account, for which its key signs; from `tokens`, or from where its key file says."""
    account = _account(key_file)
    where = tokens or account.get("token_uri") or TOKENS

    def ask() -> httpx.Request:
        now = int(time.time())
        claims = {"iss": account["client_email"], "scope": scope, "aud": where, "iat": now, "exp": now + LIFE}
        key, named = SecretStr(account["private_key"]), {"kid": str(account.get("private_key_id") or "")}
        try:
            assertion = signed(claims, key, "RS256", named if named["kid"] else None)
        except ValueError as error:
            raise SettingsError(f"the service account's key file: {error}") from None
        told = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        return http.build_request("POST", where, data=told, extensions=_EXPLAINED)

    return Fetched(ask, _token)


def explain(answer: httpx.Response) -> EarfulError | None:
    """A refusal as Google words it: `{"error": {"status", "errors": [{"reason"}]}}` or `{"error": "invalid_grant"}`."""
    code, reasons = _said(answer)
    if reasons & _TOO_MUCH:
        return throttled(answer, "the quota of this project is used up for now")
    if reasons & {"invalid_grant", "invalid_client", "unauthorized_client", "deleted_client"}:
        why = "the consent was withdrawn or ran out, or the client or key was deleted; make a new one"
        return refused(answer, why)
    if code == httpx.codes.UNAUTHORIZED:
        return refused(answer, "Google does not know this token; check the key in the settings")
    if "accessNotConfigured" in reasons or "SERVICE_DISABLED" in reasons:
        return refused(answer, "switch this interface on for your project in the Google Cloud console")
    if code == httpx.codes.FORBIDDEN:
        return refused(answer, "this account has no right here; invite it, with the right to read and to reply")
    return None


def _said(answer: httpx.Response) -> tuple[int | None, set[str]]:
    """The status of a refusal that is worded as Google does it, and all names of its reason; else nothing."""
    try:
        error = json.loads(answer.content)["error"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None, set()
    if not isinstance(error, dict):
        return None, {str(error)}
    details = [each for each in [*_list(error.get("errors")), *_list(error.get("details"))] if isinstance(each, dict)]
    told = [error.get("status"), *(each.get("reason") for each in details)]
    return answer.status_code, {each for each in told if isinstance(each, str)}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _token(said: dict[str, Any]) -> tuple[str, float]:
    return said["access_token"], said.get("expires_in", LIFE)


def _account(key_file: SecretStr) -> dict[str, str]:
    try:
        account = json.loads(text_of(key_file).get_secret_value())
        found = {name: account[name] for name in ("client_email", "private_key")}
    except (ValueError, LookupError, TypeError, RecursionError):
        why = "the service account's key file is none: download it anew from the Google Cloud console, as JSON"
        raise SettingsError(why) from None
    return {**account, **found}


_EXPLAINED = {"explain": explain}

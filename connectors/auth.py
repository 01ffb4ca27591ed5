"""Keys that are not simply written down: tokens that are fetched and expire, and claims we sign ourselves."""

import threading
import time
from collections.abc import Callable, Generator, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import jwt
from pydantic import SecretStr

from connectors.client import changed, json_of
from pipeline.errors import SettingsError

EARLY = 60.0
"""Seconds before its end in which a token is renewed: a page may take a while."""

Token = tuple[str, float]
"""A token and the seconds it is good for."""


class Fetched(httpx.Auth):
    """A bearer token from another request, asked for once, before it ends, and again where it is refused (401).

    `ask` makes that request, `read` takes the token and its seconds from its JSON. One per walk: it keeps the token.
    Where a place refuses an old token with another status too, name them in `refusals`, and `old` says which of those
    answers mean it.
    """

    requires_response_body = True

    def __init__(
        self,
        ask: Callable[[], httpx.Request],
        read: Callable[[dict[str, Any]], Token],
        prefix: str = "Bearer",
        *,
        refusals: Iterable[int] = (httpx.codes.UNAUTHORIZED,),
        old: Callable[[httpx.Response], bool] = lambda _: True,
    ) -> None:
        self._ask = ask
        self._read = read
        self._prefix = prefix
        self._refusals = set(refusals)
        self._old = old
        self._token = ""
        self._until = 0.0
        self._lock = threading.Lock()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with the token; once more with a new one where the old is refused."""
        fresh = False
        with self._lock:
            if time.monotonic() >= self._until:
                yield from self._fetch()
                fresh = True
        expected = set(request.extensions.get("expected", ()))
        if not fresh:
            request.extensions = {**request.extensions, "expected": expected | self._refusals}
        request.headers["Authorization"] = f"{self._prefix} {self._token}"
        answer = yield request
        if not fresh and answer.status_code in self._refusals - expected:
            if self._old(answer):
                with self._lock:
                    yield from self._fetch()
            request.extensions = {**request.extensions, "expected": expected}
            request.headers["Authorization"] = f"{self._prefix} {self._token}"
            yield request

    def _fetch(self) -> Generator[httpx.Request, httpx.Response, None]:
        answer = yield self._ask()
        try:
            token, seconds = self._read(json_of(answer, dict))
            self._token, self._until = str(token), time.monotonic() + max(0.0, float(seconds) - EARLY)
        except (KeyError, TypeError, ValueError):
            raise changed(answer, "answered no token") from None


def signed(claims: dict[str, Any], key: SecretStr, algorithm: str, headers: dict[str, str] | None = None) -> str:
    """The claims as a JSON Web Token. ValueError, without the key, where it is none for this algorithm."""
    try:
        return jwt.encode(claims, _prepared(key.get_secret_value(), algorithm), algorithm=algorithm, headers=headers)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ValueError(
            f"this is no private key for {algorithm}: copy the whole file, with its first and last line"
        ) from None


@lru_cache(maxsize=8)
def _prepared(key: str, algorithm: str) -> Any:  # noqa: ANN401 - each algorithm has keys of its own
    """The key as the algorithm takes it. Reading an RSA key checks its numbers, which takes longer than signing."""
    return jwt.get_algorithm_by_name(algorithm).prepare_key(key)


def text_of(secret: SecretStr) -> SecretStr:
    """A key or key file itself, however its lines were kept, or what stands in the file that it names.

    SettingsError where there is no such file.
    """
    said = secret.get_secret_value().strip()
    if said.startswith("-----BEGIN"):
        return SecretStr(said.replace("\\n", "\n"))  # as one line in the environment
    if said.startswith("{"):
        return SecretStr(said)
    try:
        return SecretStr(Path(said).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise SettingsError("the key is neither the text of a key nor a file that can be read") from None

"""Recorder: what a live source answers, as a fixture, without secrets and without the people who spoke."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape, unescape
from itertools import count
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
from pydantic import SecretStr

from connectors.contract import Source
from connectors.privacy import discreet
from pipeline.mention import Mention

SECRET = "SECRET"  # noqa: S105 - what stands in place of one
SECRET_ADDRESS = "https://secret.example/feed"  # noqa: S105 - and of one that is an address
KEPT = re.compile(r"content-type|link|etag|last-modified|date|retry-after|.*rate-?limit.*|.*-usage|location")
"""Headers of an answer that a connector may look at; no other is written."""
_GIVEN = re.compile(r"(access|refresh|id)_?(jwt|token)|api_?key|secret|client_secret|password|sig(nature)?|assertion")
"""Names of fields that hold a secret which the place gave us. A bare "token" mostly names a page."""
_ASKED = re.compile(rf"{_GIVEN.pattern}|key|passkey|utoken|authorization|.*_proof")
"""Names of parameters that hold one of ours, or what was made of one."""
_PEOPLE = re.compile(
    r".*(user_?name|display_?name|nick_?name|full_?name|acct|handle|screen_?name|author|author_?name|reviewer_?name)$"
)
"""Names of fields that hold somebody's name: those who are quoted or thanked as well, not only the author."""
_PERSON = re.compile(r"from|user|author|reviewer|consumer|actor")
"""Names of fields that hold somebody, whose `name` is a person's."""
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IP = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_PHONE = re.compile(r"(?<!\d)\+\d[\d ()/-]{7,}\d")
_NOBODY = re.compile(r"\[\w+\]|A Google User|\W*")
"""What stands for a name where a place tells none: the source knows it by that."""
_SHORTEST = 3
"""Letters of a name that is looked for in running text: a shorter one would be found everywhere."""


class Recorder:
    """Notes every answer of a client: `http.event_hooks = {"response": [recorder.note]}`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._answers: list[httpx.Response] = []
        self._people: dict[str, str] = {}
        self._kept = set(_words(source.model_dump(mode="json")))
        """The words of the settings: whoever is called so is no stranger, and the settings must go on fitting."""
        self._numbers = count(1)
        self._rename([])

    def note(self, answer: httpx.Response) -> None:
        """Keep one answer; its body is read whole by the client."""
        self._answers.append(answer)

    def exchanges(self, heard: Iterable[Mention]) -> list[dict[str, Any]]:
        """All that was asked and answered, in order, as the tests and `earful conform` replay it.

        Who said each of the `heard` mentions, and whoever else stands in a field for names, is called person-1,
        person-2 and so on, the same person always the same; so are mail addresses, telephone numbers and IP addresses.
        What else people said stays: look at it before you share it.
        """
        for mention in heard:
            self._rename([mention.author, mention.author_id])
        bodies = [_json(answer) for answer in self._answers]
        for body in bodies:
            self._rename(_names(body))
        return [self._exchange(answer, body) for answer, body in zip(self._answers, bodies, strict=True)]

    def settings(self) -> dict[str, Any]:
        """The source's settings, each secret replaced."""
        told = self._source.model_dump(mode="json", exclude_defaults=True) | {"kind": self._source.kind}
        secret = {name for name, value in self._source if isinstance(value, SecretStr)}
        hidden = {name: _instead(getattr(self._source, name).get_secret_value()) for name in secret & told.keys()}
        told |= hidden
        cleaned: dict[str, Any] = self._cleaned(told)
        return cleaned

    def _exchange(self, answer: httpx.Response, body: object) -> dict[str, Any]:
        query = [(name, SECRET if _ASKED.fullmatch(name.lower()) else value) for name, value in _query(answer.request)]
        url = str(answer.request.url.copy_with(params=query, userinfo=b"") if query else answer.request.url)
        headers = {name: value for name, value in answer.headers.items() if KEPT.fullmatch(name)}
        told: dict[str, Any] = {"status": answer.status_code, "headers": self._cleaned(headers)}
        told |= {"text": self._cleaned(answer.text)} if body is None else {"json": self._cleaned(_opened(body))}
        return {"request": {"method": answer.request.method, "url": self._cleaned(url)}, "response": told}

    def _rename(self, names: Iterable[str | None]) -> None:
        for name in map(unescape, filter(None, names)):
            if not _NOBODY.fullmatch(name) and name not in self._people and name not in self._kept:
                self._people[name] = f"person-{next(self._numbers)}"
        called = {form: who for name, who in self._people.items() if len(name) >= _SHORTEST for form in _forms(name)}
        longest_first = "|".join(map(re.escape, sorted(called, key=len, reverse=True)))  # "ann" is a part of "anna"
        self._called, self._calls = called, re.compile(rf"(?<![^\W_])(?:{longest_first or '(?!)'})(?![^\W_])")

    def _cleaned(self, value: Any) -> Any:  # noqa: ANN401 - JSON is anything
        if isinstance(value, dict):
            return {name: self._cleaned(held) for name, held in value.items()}
        if isinstance(value, list):
            return [self._cleaned(held) for held in value]
        return self._without(value) if isinstance(value, str) else value

    def _without(self, text: str) -> str:
        if unescape(text) in self._people:
            return self._people[unescape(text)]
        for secret in _secrets(self._source):
            for form in _forms(secret):
                text = text.replace(form, _instead(secret))
        text = self._calls.sub(lambda name: self._called[name[0]], text)
        text = _MAIL.sub("person@example.com", text)
        return _PHONE.sub("+49 30 000000", _IP.sub("192.0.2.1", text))


def replayed(exchanges: list[dict[str, Any]]) -> httpx.MockTransport:
    """A transport that gives these answers in their order, for the same walk once more."""
    left = iter(exchanges)

    def answer(request: httpx.Request) -> httpx.Response:
        told = next(left)["response"]
        body = {part: told[part] for part in ("json", "text") if part in told}
        return httpx.Response(told["status"], headers=told["headers"], request=request, **body)

    return httpx.MockTransport(answer)


def _json(answer: httpx.Response) -> object:
    """The body as JSON holds it, pictures and addresses of people dropped; None where it is none."""
    try:
        return discreet(json.loads(answer.content))
    except (ValueError, RecursionError):
        return None


def _query(request: httpx.Request) -> list[tuple[str, str]]:
    return list(request.url.params.multi_items())


def _opened(value: Any) -> Any:  # noqa: ANN401 - JSON is anything
    """The value without the secrets that the place gave us: tokens and what signs them."""
    if isinstance(value, Mapping):
        return {
            name: SECRET if isinstance(held, str) and _GIVEN.fullmatch(str(name).lower()) else _opened(held)
            for name, held in value.items()
        }
    return [_opened(held) for held in value] if isinstance(value, list) else value


def _names(value: object) -> Iterator[str]:
    """Everything in a field for somebody's name."""
    if isinstance(value, Mapping):
        for field, held in value.items():
            if isinstance(held, str) and _PEOPLE.fullmatch(str(field).lower()):
                yield held
            if isinstance(held, Mapping) and _PERSON.fullmatch(str(field)) and isinstance(held.get("name"), str):
                yield held["name"]
            yield from _names(held)
    elif isinstance(value, list):
        for held in value:
            yield from _names(held)


def _instead(secret: str) -> str:
    return SECRET_ADDRESS if secret.startswith(("https://", "http://")) else SECRET


def _words(value: object) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for held in value.values() if isinstance(value, Mapping) else value:
            yield from _words(held)


def _forms(text: str) -> list[str]:
    """The ways in which a text can stand in an answer: as it is, in an address, in HTML. The longest first."""
    quoted = {quote(text, safe=""), quote(text), quote_plus(text)}
    low = {re.sub("%..", lambda sign: sign[0].lower(), each) for each in quoted}
    html = {escape(text), escape(text).replace("&#x27;", "&#39;"), escape(text, quote=False)}
    return sorted({text} | quoted | low | html, key=len, reverse=True)


def _secrets(source: Source) -> list[str]:
    """The longest first."""
    values = [value for _, value in source]
    found = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
    return sorted((one.get_secret_value() for one in found if isinstance(one, SecretStr)), key=len, reverse=True)

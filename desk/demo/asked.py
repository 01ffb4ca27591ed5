"""What a demo server is asked and what it answers: values, so that every server is a function."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `base` is the server's address up to `path`, which begins with "/"; header names are lower case."""

    base: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(value: Any, headers: Mapping[str, str] | None = None, status: int = HTTPStatus.OK) -> Answer:  # noqa: ANN401 - JSON
    """An answer in JSON."""
    content = json.dumps(value, ensure_ascii=False).encode()
    return Answer(status, content, {"content-type": "application/json; charset=utf-8", **(headers or {})})


def as_text(text: str, status: int = HTTPStatus.OK) -> Answer:
    """An answer in plain words."""
    return Answer(status, text.encode(), {"content-type": "text/plain; charset=utf-8"})

"""Reading: what a person sees of a message in JSON or HTML, for the desks."""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import httpx

from pipeline.text import plain

_HREF = re.compile(r'<a href="([^"]*)"')


def sent(request: httpx.Request) -> Any:  # noqa: ANN401 - JSON is anything
    """The body of a request as JSON; None if it is none."""
    try:
        return json.loads(request.content)
    except ValueError:
        return None


def texts(part: object, *names: str) -> Iterator[str]:
    """Every text under one of these names, however deep, in order."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in names and isinstance(value, str):
                yield value
            else:
                yield from texts(value, *names)
    elif isinstance(part, list):
        for inner in part:
            yield from texts(inner, *names)


def seen(html: str) -> str:
    """What is seen of HTML, and where its links lead; marks of no width are not seen."""
    return "\n".join([plain(html).replace("\u200b", ""), *map(unescape, _HREF.findall(html))])


def key_in(footer: str) -> str:
    """The alert's key, as it ends a message of ours."""
    return footer.rpartition("Earful · ")[2].strip()

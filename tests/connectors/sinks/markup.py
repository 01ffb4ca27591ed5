"""Markup: what the other side of a sink does not show but reads; there no stranger's words may stand raw."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

_ESCAPED = re.compile(r"\\.")
_HTML = ("<script", "<img", "</blockquote></td>", "<!channel", "<@U123", '"javascript:', "'javascript:")
_PINGS = ("<!", "<@")


def _objects(part: object) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _objects(inner)


def _values(*names: str) -> Callable[[Any], list[str]]:
    """Reads every text under one of these names, however deep."""
    return lambda sent: [one[name] for one in _objects(sent) for name in names if isinstance(one.get(name), str)]


def _slack(sent: Any) -> list[str]:  # noqa: ANN401 - JSON is anything
    return [sent["text"], *(one["text"] for one in _objects(sent) if one.get("type") == "mrkdwn")]


def _teams(sent: Any) -> list[str]:  # noqa: ANN401 - JSON is anything
    return [one["text"] for one in _objects(sent) if one.get("type") == "TextBlock"] + _values("value")(sent)


def _discord(sent: Any) -> list[str]:  # noqa: ANN401 - JSON is anything
    assert sent["allowed_mentions"] == {"parse": []}
    return [_ESCAPED.sub("", text) for text in _values("title", "description", "value")(sent)]


_READ: dict[str, tuple[Callable[[Any], list[str]], tuple[str, ...]]] = {
    "email": (lambda html: [html], _HTML),
    "slack": (_slack, ("<!channel", "<!here", "<@", "<script", "<https://evil")),
    "teams": (_teams, ("<", "[", "*", "`")),
    "discord": (_discord, (*_PINGS, "<https", "*bold", "~gone", "```", "](")),
    "zendesk_ticket": (_values("html_body"), _HTML),
    "freshdesk": (_values("description", "body"), _HTML),
    "jira": (_values("href", "type"), ("javascript:",)),
    "pagerduty": (_values("href"), ("javascript:",)),
    "webhook": (_values("url"), ("javascript:",)),
    "apprise": (_values("title", "message"), (*_PINGS, "@here", "@channel", "Open the mention: javascript:")),
    "file": (_values("url"), ("javascript:",)),
}


def raw(kind: str, sent: str) -> list[str]:
    """What stands raw where this kind's other side reads markup, of what must not; `sent` is one request's body."""
    read, dangerous = _READ[kind]
    texts = read(sent if kind == "email" else json.loads(sent or "{}"))
    found = [mark for mark in dangerous if any(mark in text for text in texts)]
    if kind in {"zendesk_ticket", "freshdesk"}:  # both fill in placeholders wherever they stand
        found += [mark for mark in ("{{", "{%") if mark in sent]
    return found

"""The desk of Slack: an incoming webhook, within the limits of Block Kit."""

from collections.abc import Iterator
from datetime import datetime
from html import unescape
from typing import Any, ClassVar

import httpx

from connectors.conform.desks.reading import key_in, sent, texts
from connectors.conform.world import Desk, Found

_PATH = "/services/T000/B000/conformhush"
_LONGEST = {"header": 150, "section": 3_000, "context": 3_000, "rich_text": 4_000}


class SlackDesk(Desk):
    """One message for each request; its `text` is only the notification."""

    kind: ClassVar[str] = "slack"

    def __init__(self) -> None:
        self._taken: list[dict[str, Any]] = []

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": self.kind, "url": f"{address}{_PATH}"}

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        del now
        if request.method != "POST" or request.url.path != _PATH:
            return httpx.Response(404, text="no_service")
        said = sent(request)
        if not isinstance(said, dict):
            return httpx.Response(400, text="invalid_payload")
        if not said.get("text"):
            return httpx.Response(400, text="no_text")
        blocks = said.get("blocks")
        if not isinstance(blocks, list) or not 0 < len(blocks) <= 50 or not all(map(_fits, blocks)):
            return httpx.Response(400, text="invalid_blocks")
        self._taken.append(said)
        return httpx.Response(200, text="ok")

    def found(self) -> list[Found]:
        return [
            Found(key_in(unescape([*texts(one, "text")][-1])), "\n".join(_seen(one["blocks"]))) for one in self._taken
        ]


def _fits(block: object) -> bool:
    kind = block.get("type") if isinstance(block, dict) else None
    return kind in _LONGEST and all(0 < len(text) <= _LONGEST[kind] for text in texts(block, "text"))


def _seen(part: object) -> Iterator[str]:
    """Plain text and markup are unescaped by Slack; a text in rich text is not."""
    if isinstance(part, dict) and part.get("type") in {"plain_text", "mrkdwn"}:
        yield unescape(part["text"])
    elif isinstance(part, dict) and part.get("type") in {"text", "link"}:
        yield from (part[name] for name in ("text", "url") if name in part)
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _seen(inner)

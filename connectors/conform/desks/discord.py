"""The desk of Discord: a webhook asked to wait, within the limits of an embed."""

import re
from datetime import datetime
from typing import Any, ClassVar

import httpx

from connectors.conform.desks.reading import key_in, sent
from connectors.conform.world import Desk, Found

_PATH = "/api/webhooks/1/conform-hush-token"
_MARK = re.compile(r"\\([^0-9A-Za-z\s])")
_QUOTE = re.compile(r"^> ", re.MULTILINE)


class DiscordDesk(Desk):
    """It reads Markdown in titles, descriptions and fields, and none in authors and footers."""

    kind: ClassVar[str] = "discord"

    def __init__(self) -> None:
        self._taken: list[dict[str, Any]] = []

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": self.kind, "url": f"{address}{_PATH}"}

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        if request.method != "POST" or request.url.path != _PATH:
            return httpx.Response(404, json={"message": "Unknown Webhook", "code": 10015})
        said = sent(request)
        embeds = said.get("embeds") if isinstance(said, dict) else None
        if not isinstance(embeds, list) or not 0 < len(embeds) <= 10 or not all(map(_fits, embeds)):
            return httpx.Response(400, json={"message": "Invalid Form Body", "code": 50035})
        self._taken += embeds
        if request.url.params.get("wait") != "true":
            return httpx.Response(204)
        return httpx.Response(200, json={"id": str(len(self._taken)), "type": 0, "timestamp": now.isoformat()})

    def found(self) -> list[Found]:
        return [Found(key_in(embed["footer"]["text"]), "\n".join(_seen(embed))) for embed in self._taken]


def _fits(embed: dict[str, Any]) -> bool:
    fields = embed.get("fields", [])
    limits = [
        (embed.get("title", ""), 256),
        (embed.get("description", ""), 4_096),
        (embed.get("footer", {}).get("text", ""), 2_048),
        (embed.get("author", {}).get("name", ""), 256),
        *((field["name"], 256) for field in fields),
        *((field["value"], 1_024) for field in fields),
    ]
    filled = all(field["name"] and field["value"] for field in fields)
    return filled and len(fields) <= 25 and sum(map(_length, limits)) <= 6_000 and all(map(_within, limits))


def _length(limit: tuple[str, int]) -> int:
    return len(limit[0].encode("utf-16-le")) // 2


def _within(limit: tuple[str, int]) -> bool:
    return _length(limit) <= limit[1]


def _seen(embed: dict[str, Any]) -> list[str]:
    read = [embed.get("title", ""), _QUOTE.sub("", embed.get("description", ""))]
    read += [field[part] for field in embed.get("fields", []) for part in ("name", "value")]
    return [
        embed.get("author", {}).get("name", ""),
        *(_MARK.sub(r"\1", text) for text in read),
        embed["footer"]["text"],
        embed.get("url", ""),
    ]

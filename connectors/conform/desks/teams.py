"""The desk of Teams: a workflow that posts an adaptive card."""

from datetime import datetime
from typing import Any, ClassVar

import httpx

from connectors.conform.desks.reading import key_in, sent, texts
from connectors.conform.world import Desk, Found

_PATH = "/workflows/earful/triggers/manual/paths/invoke"
_CARD = "application/vnd.microsoft.card.adaptive"
_LARGEST = 28_000


class TeamsDesk(Desk):
    """It says 202 to whatever it takes."""

    kind: ClassVar[str] = "teams"

    def __init__(self) -> None:
        self._taken: list[Found] = []

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": self.kind, "url": f"{address}{_PATH}?sig=conform-hush-signed"}

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        del now
        if request.method != "POST" or request.url.path != _PATH:
            return httpx.Response(404, json={"error": {"code": "WorkflowNotFound"}})
        if request.url.params.get("sig") != "conform-hush-signed":
            return httpx.Response(401, json={"error": {"code": "DirectApiAuthorizationRequired"}})
        if len(request.content) > _LARGEST:
            return httpx.Response(413)
        said = sent(request)
        cards = said.get("attachments") if isinstance(said, dict) and said.get("type") == "message" else None
        if not isinstance(cards, list) or len(cards) != 1 or cards[0].get("contentType") != _CARD:
            return httpx.Response(400, json={"error": {"code": "TriggerInputSchemaMismatch"}})
        words = [*texts(cards[0]["content"]["body"], "text", "title", "value")]
        ways = texts(cards[0]["content"].get("actions"), "title", "url")
        self._taken.append(Found(key_in(words[-1]), "\n".join([*words, *ways])))
        return httpx.Response(202)

    def found(self) -> list[Found]:
        return list(self._taken)

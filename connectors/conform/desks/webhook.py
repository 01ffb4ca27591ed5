"""The desk of the signed webhook: a program that keeps Standard Webhooks 1.0."""

import hmac
import json
from datetime import datetime
from typing import Any, ClassVar

import httpx

from connectors.conform.desks.reading import sent, texts
from connectors.conform.world import Desk, Found
from connectors.signature import sign

_SECRET = "whsec_ZWFyZnVsLWNvbmZvcm0tZWFyZnVsLWNvbmZvcm0="  # noqa: S105 - known to everybody: it guards nothing
_LARGEST = 20_000


class WebhookDesk(Desk):
    """It checks every signature, and takes one id once."""

    kind: ClassVar[str] = "webhook"

    def __init__(self) -> None:
        self._taken: dict[str, Found] = {}

    def settings(self, address: str) -> dict[str, Any]:
        return {"kind": self.kind, "url": f"{address}/hook", "secret": _SECRET}

    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        del now
        if request.method != "POST" or request.url.path != "/hook":
            return httpx.Response(404)
        sent_as, at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "0")
        signed = sign(_SECRET, sent_as, int(at), request.content)
        if not any(hmac.compare_digest(one, signed) for one in request.headers.get("webhook-signature", "").split()):
            return httpx.Response(401)
        if len(request.content) > _LARGEST:
            return httpx.Response(413)
        said = sent(request)
        if not isinstance(said, dict) or not isinstance(said.get("data"), dict):
            return httpx.Response(400)
        words = [*texts(said["data"], *said["data"]), *(said["data"].get("why") or [])]
        self._taken.setdefault(sent_as, Found(json.loads(request.content)["data"]["key"], "\n".join(words)))
        return httpx.Response(204)

    def found(self) -> list[Found]:
        return list(self._taken.values())

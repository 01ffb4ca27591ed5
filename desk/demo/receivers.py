"""Who hears of the alerts in the demo: a channel like Slack's, and a help desk that checks signatures."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from typing import Any

from desk.demo.asked import Answer, Asked, as_json, as_text

KEY = hashlib.sha256(b"the demo's signing key, which guards nothing").digest()
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
TOLERANCE = 300
"""Seconds a signature's time may be off, as Standard Webhooks advises."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message that arrived: at which channel or desk, under which id (a webhook's only), and what it said."""

    at: str
    message: dict[str, Any]
    id: str | None = None


@dataclass(slots=True)
class Receivers:
    """All that arrived, in order. A webhook's id that comes again is taken and not counted twice."""

    received: list[Received] = field(default_factory=list)
    repeated: int = 0
    refused: int = 0
    _lock: Lock = field(default_factory=Lock)

    def slack(self, asked: Asked) -> Answer:
        """An incoming webhook: `ok`, or in plain text what is wrong. The last part of the path names the channel."""
        try:
            message = json.loads(asked.body)
        except ValueError:
            return as_text("invalid_payload", HTTPStatus.BAD_REQUEST)
        if not isinstance(message, dict) or not (message.get("text") or message.get("blocks")):
            return as_text("no_text", HTTPStatus.BAD_REQUEST)
        with self._lock:
            self.received.append(Received(asked.path.rsplit("/", 1)[-1], message))
        return as_text("ok")

    def desk(self, asked: Asked) -> Answer:
        """A Standard Webhooks 1.0 receiver: 401 for a signature or time that is not right."""
        native, at = asked.headers.get("webhook-id", ""), asked.headers.get("webhook-timestamp", "")
        signed = b".".join([native.encode(), at.encode(), asked.body])
        right = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        given = asked.headers.get("webhook-signature", "").split()
        fresh = at.isdecimal() and abs(time.time() - int(at)) <= TOLERANCE
        with self._lock:
            if not (fresh and any(hmac.compare_digest(right.encode(), each.encode()) for each in given)):
                self.refused += 1
                return as_json({"error": "signature or timestamp not right"}, status=HTTPStatus.UNAUTHORIZED)
            if any(each.id == native for each in self.received):
                self.repeated += 1
            else:
                self.received.append(Received(asked.path.rsplit("/", 1)[-1], json.loads(asked.body), native))
        return Answer(HTTPStatus.NO_CONTENT, b"")

"""Webhook: one signed request for each alert, as Standard Webhooks 1.0 has it, for anything you run yourself."""

import hashlib
import json
import re
import time
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.client import place, refused
from connectors.contract import Sink
from connectors.signature import SigningSecret, sign
from connectors.wording import line, link, reasons, title, visible
from pipeline.errors import EarfulError, RefusedError
from pipeline.route import Alert
from pipeline.text import shorten

BODY_LIMIT = 20_000
"""Bytes: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#payload-size"""

_SAFE_ID = re.compile(r"[A-Za-z0-9_:/@-]{1,200}")


class Webhook(Sink, frozen=True, hide_input_in_errors=True):
    """A program of your own: it gets JSON, signed so that it can tell us from anybody else."""

    label: ClassVar[str] = "Signed webhook"
    docs: ClassVar[str] = "https://www.standardwebhooks.com"
    text_limit: ClassVar[int] = 3_000
    honours_key: ClassVar[bool] = True

    kind: Literal["webhook"] = "webhook"
    url: SecretStr = Field(description="Where to post. Over http:// anybody on the way can read what customers say.")
    secret: SigningSecret = Field(description="Known to the receiver too: whsec_ and 24 to 64 random bytes in base64.")
    old_secrets: tuple[SigningSecret, ...] = Field(
        default=(), description="Secrets on their way out: while they stand here every message is signed with them too."
    )

    @field_validator("url", mode="after")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        if not re.match(r"https?://[^/\s]+", value.get_secret_value()):
            raise ValueError("write the receiver's whole address; it starts with https://")
        return value

    def send(self, http: httpx.Client, alert: Alert) -> str:
        """Post one alert; the receipt is the id it was sent under and the status it was taken with."""
        content, sent_as, at = body(alert), webhook_id(alert.key), int(time.time())
        secrets = (self.secret, *self.old_secrets)
        answer = http.post(
            self.url.get_secret_value(),
            content=content,
            headers={
                "content-type": "application/json",
                "webhook-id": sent_as,
                "webhook-timestamp": str(at),
                "webhook-signature": " ".join(sign(key.get_secret_value(), sent_as, at, content) for key in secrets),
            },
            follow_redirects=False,
            extensions={"secret_path": True, "explain": _explain},
        )
        where, status = place(answer.request), answer.status_code
        if not answer.is_success:
            raise RefusedError(f"{where}: {status} is no 2xx; the operator must act: write the final address")
        return f"{sent_as}: {status}"


def _explain(answer: httpx.Response) -> EarfulError | None:
    if answer.status_code == httpx.codes.GONE:
        return refused(answer, "the receiver wants to hear no more; take this sink out of the settings")
    return None


def webhook_id(key: str) -> str:
    """The key, or its hash where the key could not stand in a header or holds a dot.

    A key may carry a source's own ids, so a stranger's; the specification forbids such an id a dot, the mark between
    the signed parts.
    """
    return key if _SAFE_ID.fullmatch(key) else "msg_" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def body(alert: Alert) -> bytes:
    """The alert as JSON in UTF-8, at most 20,000 bytes; the same alert gives the same bytes."""
    text = shorten(visible(alert.text), Webhook.text_limit)
    while len(content := _json(alert, text)) > BODY_LIMIT:
        text = shorten(text, len(text) // 2)
    return content


def _json(alert: Alert, text: str) -> bytes:
    data: dict[str, Any] = {
        "key": line(alert.key, 600),
        "kind": alert.kind,
        "case": alert.case and line(alert.case, 600),
        "title": title(alert, 300),
        "who": alert.who and line(alert.who, 200),
        "text": text,
        "where": line(alert.where, 200),
        "why": reasons(alert),
        "team": line(alert.team, 100),
        "urgency": alert.urgency,
        "reply_by": alert.reply_by and alert.reply_by.isoformat(),
        "said_at": alert.said_at and alert.said_at.isoformat(),
        "url": link(alert),
    }
    event = {"type": f"earful.alert.{alert.kind}", "timestamp": alert.made_at.isoformat(), "data": data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()

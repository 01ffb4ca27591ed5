"""Slack: one message for each alert, through an incoming webhook."""

from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.client import place, refused
from connectors.contract import Sink
from connectors.wording import OPEN, QUOTES, WHY, byline, facts, footer, link, moment, reasons, title, visible
from pipeline.errors import ChangedError, EarfulError, RefusedError
from pipeline.route import Alert
from pipeline.text import shorten

HEADER_LIMIT = 150
FIELD_LIMIT = 2_000
PAUSE = 1.0
"""Seconds between two messages: https://docs.slack.dev/apis/web-api/rate-limits"""

_MENDS = {
    "action_prohibited": "an admin of the workspace restricts who may post to this channel; ask there",
    "channel_is_archived": "the channel is archived; choose another in Slack and copy the new address",
    "channel_not_found": "the channel is gone; choose another in Slack and copy the new address",
    "no_service": "the webhook was switched off or removed in Slack; make another and copy its address",
    "no_team": "the workspace is gone; copy an address of another",
    "posting_to_general_channel_denied": "only admins may post to this channel; choose another in Slack",
}
"""Slack's own words for a refusal, and the mend."""

Block = dict[str, Any]


class Slack(Sink, frozen=True, hide_input_in_errors=True):
    """A channel in Slack. The address of the webhook is the key to the channel, so it is a secret as a whole."""

    label: ClassVar[str] = "Slack"
    docs: ClassVar[str] = "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"
    text_limit: ClassVar[int] = 3_000

    kind: Literal["slack"] = "slack"
    url: SecretStr = Field(description="Address of the incoming webhook, https://hooks.slack.com/services/…")

    @field_validator("url", mode="after")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("copy the whole address of the webhook from Slack; it starts with https://")
        return value

    def send(self, http: httpx.Client, alert: Alert) -> str:
        """Post one alert; the receipt is Slack's "ok". Slack knows no keys: the key stands in the message."""
        url = self.url.get_secret_value()
        own = url.startswith("https://hooks.slack.com/")  # what else speaks Slack's words has not its limit
        answer = http.post(
            url,
            json=message(alert),
            follow_redirects=False,
            extensions={"secret_path": True, "pause": PAUSE if own else 0, "explain": _explain},
        )
        where = place(answer.request)
        if not answer.is_success:
            raise RefusedError(
                f"{where}: {answer.status_code}; the operator must act: copy the address anew from Slack"
            )
        if answer.text.strip() != "ok":
            raise ChangedError(f'{where}: answered without the word "ok"; check that the address is one of Slack')
        return "ok"


def _explain(answer: httpx.Response) -> EarfulError | None:
    said = answer.text.strip() if len(answer.content) < FIELD_LIMIT else ""
    return refused(answer, f"{_MENDS[said]} ({said})") if said in _MENDS else None


def message(alert: Alert) -> dict[str, Any]:
    """The alert in Block Kit, with `text` for notifications.

    A stranger's words stand only where Slack reads no markup: in plain_text and rich_text. So nobody can ping the
    channel, forge a link or a heading. Markup (mrkdwn) holds our own words and the team's name, escaped.
    """
    blocks: list[Block] = [{"type": "header", "text": _plain(title(alert, HEADER_LIMIT), HEADER_LIMIT)}]
    if told := byline(alert):
        blocks.append(_context(" · ".join(told)))
    if text := _fit(visible(alert.text), Slack.text_limit):
        kind = "rich_text_quote" if alert.kind in QUOTES else "rich_text_section"
        blocks.append(_rich({"type": kind, "elements": [_literal(text)]}))
    if fields := [_field(alert, name, value) for name, value in facts(alert)]:
        blocks.append({"type": "section", "fields": fields})
    if why := reasons(alert):
        items = [{"type": "rich_text_section", "elements": [_literal(reason)]} for reason in why]
        heading = {"type": "rich_text_section", "elements": [_literal(WHY[alert.kind], bold=True)]}
        blocks.append(_rich(heading, {"type": "rich_text_list", "style": "bullet", "elements": items}))
    if url := link(alert):
        # A link, not a button: a button warns "app is not configured" unless a server answers the click.
        there = {"type": "link", "url": url, "text": OPEN[alert.kind], "style": {"bold": True}}
        blocks.append(_rich({"type": "rich_text_section", "elements": [there]}))
    blocks.append(_context(footer(alert)))
    return {"text": _notice(alert), "mrkdwn": False, "unfurl_links": False, "unfurl_media": False, "blocks": blocks}


def _notice(alert: Alert) -> str:
    """What a phone shows on its lock screen: our title and the deadline."""
    until = f" · reply by {moment(alert.reply_by)}" if alert.reply_by else ""
    return _escaped(title(alert, 300) + until).replace("@", "@\u200b")


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": _fit(text, limit, escape=True), "emoji": False}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_plain(text, FIELD_LIMIT)]}


def _rich(*elements: Block) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def _literal(text: str, *, bold: bool = False) -> Block:
    return {"type": "text", "text": text} | ({"style": {"bold": True}} if bold else {})


def _field(alert: Alert, name: str, value: str) -> Block:
    if name == "Reply by" and alert.reply_by:
        # Slack shows it in each reader's own time zone; the fallback is UTC.
        value = f"<!date^{int(alert.reply_by.timestamp())}^{{date_short_pretty}} {{time}}|{value}>"
    else:
        value = _escaped(value)
    return {"type": "mrkdwn", "text": f"*{name}*\n{value}", "verbatim": True}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fit(text: str, limit: int, *, escape: bool = False) -> str:
    """Cut so that the text sent counts at most `limit`, even if Slack counts an emoji as two."""
    length = limit
    while True:
        sent = _escaped(shorten(text, length)) if escape else shorten(text, length)
        over = len(sent.encode("utf-16-le")) // 2 - limit
        if over <= 0:
            return sent
        length = min(length, len(text)) - max(1, over // 10)

"""Discord: one embed for each alert, through a webhook of a channel."""

import re
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.client import changed, json_of, refused
from connectors.contract import Sink
from connectors.wording import OPEN, QUOTES, WHY, byline, facts, footer, link, reasons, title, visible
from pipeline.errors import ChangedError, EarfulError
from pipeline.route import Alert
from pipeline.text import shorten
from pipeline.triage import Urgency

PAUSE = 0.5
"""Seconds between two messages, at most 5 in 2 seconds: https://docs.discord.com/developers/topics/rate-limits"""
TITLE_LIMIT, BYLINE_LIMIT, DESCRIPTION_LIMIT, VALUE_LIMIT = 256, 256, 4_096, 1_024
TOTAL_LIMIT = 6_000
"""Of one embed, all its texts together: https://docs.discord.com/developers/resources/message#embed-object"""

COLOURS = {Urgency.CRITICAL: 0xB42318, Urgency.HIGH: 0xD97706, Urgency.NORMAL: 0x1D4F8C, Urgency.LOW: 0x5A646F}
QUIET, SOLVED = 0x5A646F, 0x1F7A4D

_UNKNOWN_WEBHOOK, _INVALID_TOKEN = 10015, 50027
_MARKS = re.compile(r"[\\`*_~|<>\[\]@]|:(?=\w+:)|^\s*[-#]|(?<=\d)\.(?=\s)", re.MULTILINE)
_ADDRESS = re.compile(r"(https?://[\w./?=&%+,;~-]*[\w/])", re.IGNORECASE)


class Discord(Sink, frozen=True, hide_input_in_errors=True):
    """A channel in Discord. The address of the webhook is the key to the channel, so it is a secret as a whole.

    Built from the documentation: not yet tried against the live service.
    """

    label: ClassVar[str] = "Discord"
    docs: ClassVar[str] = "https://docs.discord.com/developers/resources/webhook#execute-webhook"
    text_limit: ClassVar[int] = 3_000

    kind: Literal["discord"] = "discord"
    url: SecretStr = Field(description="Address of the webhook, https://discord.com/api/webhooks/…")

    @field_validator("url", mode="after")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("copy the whole address of the webhook from Discord; it starts with https://")
        try:
            httpx.URL(value.get_secret_value())
        except httpx.InvalidURL:
            raise ValueError("this is no address: copy it anew from Discord, without a line break") from None
        return value

    def send(self, http: httpx.Client, alert: Alert) -> str:
        """Post one message; the receipt is its id. Discord knows no keys of webhooks: the key stands in the footer."""
        answer = http.post(
            httpx.URL(self.url.get_secret_value()).copy_merge_params({"wait": "true"}),
            json=message(alert),
            follow_redirects=False,
            extensions={"secret_path": True, "pause": PAUSE, "explain": _explain},
        )
        if not answer.is_success:
            raise refused(answer, "copy the address of the webhook anew from Discord")
        if answer.status_code == httpx.codes.NO_CONTENT:
            return "taken"
        made = json_of(answer, dict)
        if not isinstance(made.get("id"), str):
            raise changed(answer, "answered without the id of a message; check that the address is one of Discord")
        return f"message {made['id'][:40]}"


def _explain(answer: httpx.Response) -> EarfulError | None:
    """Discord says in JSON why; its own numbers are named, its words are not."""
    try:
        said = json_of(answer, dict)
    except ChangedError:
        return None
    if answer.status_code == httpx.codes.NOT_FOUND and said.get("code") == _UNKNOWN_WEBHOOK:
        return refused(answer, "this webhook was deleted in Discord (10015); make another and copy its address")
    if answer.status_code == httpx.codes.UNAUTHORIZED and said.get("code") == _INVALID_TOKEN:
        return refused(answer, "the address is not whole (50027); copy it anew from Discord")
    if answer.status_code == httpx.codes.BAD_REQUEST and isinstance(code := said.get("code"), int):
        return changed(answer, f"400, Discord's code {code}; a developer must act: our message is not understood")
    return None


def message(alert: Alert) -> dict[str, Any]:
    """The alert as one embed that pings nobody.

    Author and footer are shown as they are; elsewhere Discord reads Markdown, so every mark in a stranger's words has
    a backslash before it. Where that makes them too long, they are cut further.
    """
    text = shorten(visible(alert.text), Discord.text_limit)
    while _size(embed := _embed(alert, text)) > TOTAL_LIMIT or _length(embed["description"]) > DESCRIPTION_LIMIT:
        text = shorten(text, len(text) * 9 // 10)
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _embed(alert: Alert, text: str) -> dict[str, Any]:
    quoted = "> " if alert.kind in QUOTES else ""
    embed: dict[str, Any] = {
        "title": _fit(title(alert, TITLE_LIMIT), TITLE_LIMIT),
        "description": "\n".join(f"{quoted}{_escaped(line)}" for line in text.split("\n")) if text else "",
        "color": _colour(alert),
        "timestamp": alert.made_at.isoformat(),
        "footer": {"text": footer(alert)},
        "fields": [{"name": name, "value": _value(alert, name, value), "inline": True} for name, value in facts(alert)],
    }
    if told := byline(alert):
        embed["author"] = {"name": shorten(" · ".join(told), BYLINE_LIMIT // 2)}  # an emoji may count as two
    if why := reasons(alert):
        embed["fields"].append({"name": WHY[alert.kind], "value": _listed(why), "inline": False})
    if url := link(alert):
        embed["url"] = url  # of the title
        if len(url) < VALUE_LIMIT // 2 and not re.search(r"[\s()<>]", url):
            embed["fields"].append({"name": "\u200b", "value": f"[{OPEN[alert.kind]}]({url})", "inline": False})
    return embed


def _colour(alert: Alert) -> int:
    if alert.kind == "solved":
        return SOLVED
    return COLOURS[alert.urgency] if alert.urgency else QUIET


def _value(alert: Alert, name: str, value: str) -> str:
    if name == "Reply by" and alert.reply_by:
        return f"{value} (<t:{int(alert.reply_by.timestamp())}:R>)"  # "in 2 hours", in each reader's own words
    return _fit(value, VALUE_LIMIT)


def _listed(why: list[str]) -> str:
    """As many reasons as fit in one field."""
    room, listed = VALUE_LIMIT, list[str]()
    for reason in why:
        point = f"• {_fit(reason, 400)}"
        if _length(point) + 1 > room:
            break
        room -= _length(point) + 1
        listed.append(point)
    return "\n".join(listed) or "…"


def _escaped(text: str) -> str:
    """The words as words: every mark escaped but those inside an address, which Discord leaves alone itself."""
    parts = _ADDRESS.split(text)
    return "".join(part if number % 2 else _MARKS.sub(_marked, part) for number, part in enumerate(parts))


def _marked(mark: re.Match[str]) -> str:
    return f"{mark.group()[:-1]}\\{mark.group()[-1]}"


def _fit(text: str, limit: int) -> str:
    """The text escaped, at most `limit` long even then."""
    length = limit
    while _length(sent := _escaped(shorten(text, length))) > limit:
        length = min(length, len(text)) - max(1, (_length(sent) - limit) // 2)
    return sent or "-"


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _size(embed: dict[str, Any]) -> int:
    fields = [field[part] for field in embed["fields"] for part in ("name", "value")]
    texts = [embed["title"], embed["description"], embed["footer"]["text"], embed.get("author", {}).get("name", "")]
    return sum(_length(text) for text in texts + fields)

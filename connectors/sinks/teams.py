"""Teams: one adaptive card for each alert, through a workflow."""

import json
import re
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.client import changed, place, refused
from connectors.contract import Sink
from connectors.wording import OPEN, QUOTES, WHY, byline, facts, footer, link, reasons, title, visible
from pipeline.errors import EarfulError
from pipeline.route import Alert
from pipeline.text import shorten
from pipeline.triage import Urgency

BODY_LIMIT = 27_000
"""Bytes; Teams takes about 28 kB."""
PAUSE = 0.25
"""Seconds between two cards, at most four a second, as the size told at
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook"""
TITLE_LIMIT = 300

_STYLES = {Urgency.CRITICAL: "attention", Urgency.HIGH: "warning"}

_CONNECTOR = re.compile(r"https://(?:[\w.-]+\.)?(?:webhook\.office|outlook\.office(?:365)?)\.com/", re.IGNORECASE)
_OFF = "WorkflowTriggerIsNotEnabled"

Element = dict[str, Any]


class Teams(Sink, frozen=True, hide_input_in_errors=True):
    """A channel or chat in Microsoft Teams, through a workflow "When a Teams webhook request is received".

    A workflow belongs to the person who made it and ends with that person's account: add a second owner. The older
    connectors (addresses at webhook.office.com) are being switched off, and not taken. Built from the documentation:
    not yet tried against the live service.
    """

    label: ClassVar[str] = "Microsoft Teams"
    docs: ClassVar[str] = (
        "https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using"
    )
    text_limit: ClassVar[int] = 3_000

    kind: Literal["teams"] = "teams"
    url: SecretStr = Field(description="Address of the workflow, as Teams shows it once the workflow is made.")

    @field_validator("url", mode="after")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("copy the whole address of the workflow from Teams; it starts with https://")
        if _CONNECTOR.match(value.get_secret_value()):
            raise ValueError("this address is of an old connector, which says yes to what it drops; make a workflow")
        return value

    def send(self, http: httpx.Client, alert: Alert) -> str:
        """Post one card; the receipt is the status it was taken with. Teams knows no keys: the key stands in it."""
        answer = http.post(
            self.url.get_secret_value(),
            content=body(alert),
            headers={"content-type": "application/json"},
            follow_redirects=False,
            extensions={"secret_path": True, "pause": PAUSE, "explain": _explain},
        )
        if not answer.is_success:
            raise refused(answer, "copy the address of the workflow anew from Teams")
        if answer.status_code != httpx.codes.ACCEPTED and answer.content.strip():
            # So answers a hotel's log-in page.
            raise changed(
                answer, f"answered {answer.status_code} with a text, not 202; is it the address of a workflow?"
            )
        return f"{place(answer.request)}: {answer.status_code}"


def _explain(answer: httpx.Response) -> EarfulError | None:
    off = answer.status_code == httpx.codes.BAD_REQUEST and _OFF in answer.text[:2_000]
    if off or answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND, httpx.codes.GONE}:
        why = "the workflow is switched off, deleted or its owner has left; make it anew in Teams and copy its address"
        return refused(answer, why)
    return None


def body(alert: Alert) -> bytes:
    """The message as JSON in UTF-8, at most 27,000 bytes; the same alert gives the same bytes."""
    text, most = shorten(visible(alert.text), Teams.text_limit), 10
    while len(content := _json(message(alert, text, most))) > BODY_LIMIT:
        text, most = (text, most - 1) if most > 1 else (shorten(text, len(text) // 2), most)
    return content


def _json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def message(alert: Alert, text: str, most_reasons: int = 10) -> dict[str, Any]:
    """The alert as an adaptive card 1.4 with this much of its text.

    A stranger's words stand in text runs only, which know no markup. A text block or a fact would read Markdown, so
    these hold our own words and the team's name, without any mark that Markdown reads.
    """
    card: list[Element] = [
        {
            "type": "Container",
            "style": _style(alert),
            "bleed": True,
            "items": [
                _runs(_run(title(alert, TITLE_LIMIT), size="Large", weight="Bolder")),
                *([_runs(_run(" · ".join(told), isSubtle=True), spacing="Small")] if (told := byline(alert)) else []),
            ],
        }
    ]
    if text:
        style = "emphasis" if alert.kind in QUOTES else "default"
        card.append({"type": "Container", "style": style, "items": [_runs(_run(line)) for line in _lines(text)]})
    if told_facts := facts(alert):
        card.append(
            {"type": "FactSet", "facts": [{"title": name, "value": _bare(value)} for name, value in told_facts]}
        )
    if why := reasons(alert, most_reasons):
        items = [_runs(_run(f"• {reason}"), spacing="None") for reason in why]
        heading: Element = {"type": "TextBlock", "text": WHY[alert.kind], "weight": "Bolder", "wrap": True}
        card.append({"type": "Container", "items": [heading, *items]})
    card.append(_runs(_run(footer(alert), size="Small", isSubtle=True), separator=True))
    content: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": card,
    }
    if url := link(alert):
        content["actions"] = [{"type": "Action.OpenUrl", "title": OPEN[alert.kind], "url": url}]
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": content}]}


def _style(alert: Alert) -> str:
    """The colour of the card's head."""
    if alert.kind == "solved":
        return "good"
    return _STYLES.get(alert.urgency, "default") if alert.urgency else "default"


def _lines(text: str) -> list[str]:
    """One line each: a text run does not show line breaks on every device."""
    lines = [line for line in text.split("\n") if line.strip()]
    return lines if len(lines) <= 50 else [*lines[:49], " ".join(lines[49:])]  # noqa: PLR2004 - a card, no scroll


def _runs(*runs: Element, **more: Any) -> Element:  # noqa: ANN401 - as the schema has it
    return {"type": "RichTextBlock", "inlines": list(runs), **more}


def _run(text: str, **more: Any) -> Element:  # noqa: ANN401 - as the schema has it
    return {"type": "TextRun", "text": text, **more}


def _bare(value: str) -> str:
    """The value without what Markdown reads; a fact is a time, a word or a name, which need none of it."""
    return "".join(" " if sign in "\\`*_[]()<>~#|!" else sign for sign in value).strip() or "-"

"""Apprise: a hundred further services, through the library of that name, for those Earful has no sink of its own."""

import logging
import re
from html import escape
from types import ModuleType
from typing import ClassVar, Literal

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.contract import Sink
from connectors.wording import OPEN, WHY, byline, facts, footer, link, reasons, title, visible
from pipeline.errors import RefusedError, SettingsError, TemporaryError
from pipeline.route import Alert
from pipeline.text import shorten
from pipeline.triage import Urgency

TITLE_LIMIT = 200
CHATTY = ("apprise", "urllib3", "requests")
"""Loggers that name addresses, and so keys."""
MARKUP = 30
"""Characters Apprise may put around a title, where it puts it into the body."""
_PING = re.compile(r"@(?=\w)|<(?=[!@#&])")
_CALL = re.compile(r"@(?=(?:everyone|here|channel|all)\b)", re.IGNORECASE)
"""What pings everybody even inside an address; there a mark would break it, and %40 is the same."""


class Apprise(Sink, frozen=True, hide_input_in_errors=True):
    """Any service Apprise knows (https://github.com/caronc/apprise/wiki): Telegram, ntfy, Matrix, SMS and others.

    Needs `pip install "earful[apprise]"`. It tells only whether a message went out, not why it did not, and knows no
    keys: after a lost answer an alert comes twice. Prefer a sink of Earful's own where there is one.
    """

    label: ClassVar[str] = "Apprise"
    docs: ClassVar[str] = "https://github.com/caronc/apprise/wiki"
    text_limit: ClassVar[int] = 1_500

    kind: Literal["apprise"] = "apprise"
    url: SecretStr = Field(description="The address of one service as Apprise writes it, such as ntfy://my-topic.")

    @field_validator("url", mode="after")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        if not re.match(r"[a-z][a-z0-9]*://\S", value.get_secret_value(), re.IGNORECASE):
            raise ValueError("write the address as Apprise does: the service, ://, and what it needs")
        return value

    def send(self, http: httpx.Client, alert: Alert) -> str:
        """Hand one alert to Apprise; the receipt is the service's name. It blocks, with time limits of its own."""
        del http
        apprise = _library()
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        asset = apprise.AppriseAsset(app_id="Earful", app_desc="Earful", async_mode=False)
        service = apprise.Apprise.instantiate(self.url.get_secret_value(), asset=asset)
        if service is None:
            raise RefusedError(
                f"{self.name}: Apprise does not know such an address; the operator must act: check `url`"
            )
        urgent = alert.urgency is Urgency.CRITICAL and alert.kind == "case"
        kind = apprise.NotifyType.FAILURE if urgent else apprise.NotifyType.INFO
        kinds = {"watch": apprise.NotifyType.WARNING, "solved": apprise.NotifyType.SUCCESS}
        gateway = apprise.Apprise(asset=asset)
        gateway.add(service)
        headline = _calm(title(alert, TITLE_LIMIT))
        markup = service.notify_format is not apprise.NotifyFormat.TEXT
        apart = service.title_maxlen > 0  # else Apprise puts the title into the body
        room = service.body_maxlen - (0 if apart else _length(headline, markup=markup) + MARKUP)
        sent = gateway.notify(
            title=headline,
            body=body(alert, room, markup=markup),
            notify_type=kinds.get(alert.kind, kind),
            body_format=apprise.NotifyFormat.TEXT,  # Apprise escapes it for services that read HTML
            interpret_escapes=False,
        )
        if not sent:
            why = f"{self.name}: Apprise could not send it, and does not say why; {TemporaryError.who_acts}"
            raise TemporaryError(why, unsure=sent is not None)  # None: nobody was asked
        return str(service.service_name or "sent")


def _library() -> ModuleType:
    try:
        import apprise  # noqa: PLC0415 - optional, and it takes a second
    except ImportError:
        raise SettingsError('a sink of kind "apprise" needs its library: pip install "earful[apprise]"') from None
    return apprise


def body(alert: Alert, room: int, *, markup: bool = False) -> str:
    """The alert in plain text, in this many characters at most: reasons are left out first, then words are cut.

    With `markup` those that Apprise will escape count as what they become.
    """
    text, most = shorten(visible(alert.text), Apprise.text_limit), len(reasons(alert))
    while _length(told := _body(alert, text, most), markup=markup) > room and (text or most > 1):
        text, most = (
            (text, most - 1) if most > 1 else (shorten(text, len(text) * 4 // 5) if len(text) > 1 else "", most)
        )
    while _length(told, markup=markup) > room:  # an SMS holds not even what is left
        told = shorten(told, min(room, len(told) - 1))
    return told


def _body(alert: Alert, text: str, most: int) -> str:
    why = [f"{WHY[alert.kind]}:", *(f"- {reason}" for reason in reasons(alert, most))] if most else []
    words = [
        " · ".join(byline(alert)),
        text,
        "\n".join(f"{name}: {value}" for name, value in facts(alert)),
        "\n".join(why),
    ]
    ours = [f"{OPEN[alert.kind]}: {_CALL.sub('%40', url)}" if (url := link(alert)) else "", footer(alert)]
    return "\n\n".join(part for part in (*map(_calm, words), *ours) if part)


def _length(text: str, *, markup: bool) -> int:
    """As a service may count: an emoji as two, and what is escaped as what it becomes."""
    return len((escape(text) if markup else text).encode("utf-16-le", "surrogatepass")) // 2


def _calm(text: str) -> str:
    """No stranger pings anybody: a mark of no width stands after every sign that could start a ping."""
    return _PING.sub("\\g<0>\u200b", text)

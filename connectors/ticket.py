"""Ticket: what every help desk's sink does: one ticket for a case, found again, added to, closed and reopened."""

import re
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import httpx
from jinja2 import Environment, PackageLoader, StrictUndefined

from connectors.contract import Sink
from connectors.wording import OPEN, QUOTES, WHY, byline, facts, footer, link, reasons, reference, title, visible
from pipeline.route import Alert
from pipeline.text import shorten

SUBJECT_LIMIT = 150
TEXT_LIMIT = 5_000
_BRACE = re.compile(r"\{(?=[{%])")
_PAGES = Environment(
    loader=PackageLoader("connectors", "sinks"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A case's copy at a help desk: its native id, and whether somebody there still has to see to it.

    `final`: the desk has put it away for good, and takes no more words for it. `assigned`: it is somebody's.
    """

    id: str
    open: bool
    final: bool = False
    assigned: bool = True


class TicketSink(Sink, frozen=True):
    """A help desk. It remembers nothing: which ticket is the case's, and what was said in it, it asks the desk."""

    text_limit: ClassVar[int] = TEXT_LIMIT
    settles: ClassVar[bool] = True
    honours_key: ClassVar[bool] = True

    @abstractmethod
    def find(self, http: httpx.Client, known_by: str) -> Ticket | None:
        """The ticket that was made under this reference, the newest if there are several; None if there is none."""

    @abstractmethod
    def create(self, http: httpx.Client, alert: Alert, *, after: Ticket | None) -> str:
        """A new ticket with the alert in it, known by the alert's reference; its id. `after`: the one put away."""

    @abstractmethod
    def heard(self, http: httpx.Client, ticket: Ticket) -> Iterable[str]:
        """What was written into the ticket, in whatever markup, the newest words for certain."""

    @abstractmethod
    def add(self, http: httpx.Client, ticket: Ticket, alert: Alert) -> None:
        """Close or reopen the ticket if the alert asks for it, and then put its words in, for the team only."""

    def send(self, http: httpx.Client, alert: Alert) -> str:
        """Make the case's ticket, or add to it; the receipt is the ticket's id.

        The words come last, so an alert whose key stands in the ticket is done with, and is not told again.
        """
        ticket = self.find(http, reference(alert))
        if alert.kind == "solved" and (ticket is None or ticket.final):
            return "no ticket that is open"
        if ticket is None or ticket.final:
            return f"ticket {self.create(http, alert, after=ticket)}"
        if not any(alert.key in words for words in self.heard(http, ticket)):
            self.add(http, ticket, alert)
        return f"ticket {ticket.id}"


def subject(alert: Alert) -> str:
    """The ticket's headline, on one line."""
    return inert(title(alert, SUBJECT_LIMIT))


def as_html(alert: Alert) -> str:
    """The alert in the little HTML that help desks keep; Jinja escapes every value."""
    return _PAGES.get_template("ticket.html.j2").render(
        quoted=alert.kind in QUOTES,
        title=inert(title(alert, 300)),
        byline=[inert(part) for part in byline(alert)],
        lines=[inert(line) for line in shorten(visible(alert.text), TEXT_LIMIT).split("\n")] if alert.text else [],
        facts=[(name, inert(value)) for name, value in facts(alert)],
        heading=WHY[alert.kind],
        reasons=[inert(reason) for reason in reasons(alert)],
        link=link(alert),
        open=OPEN[alert.kind],
        footer=inert(footer(alert)),
    )


def inert(text: str) -> str:
    """The words as words: desks fill in placeholders ({{ticket.requester.email}}) wherever they find them.

    A mark of no width between the braces stops that, and nobody sees it.
    """
    return _BRACE.sub("{\u200b", text)

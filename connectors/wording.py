"""Wording: what every alert says, for each sink to set in its own markup. Escaping stays with the sink."""

import re
from datetime import UTC, datetime
from hashlib import sha256

from pipeline.route import Alert
from pipeline.text import shorten, storable

# Control characters but tab and newline; and the marks that reorder a line, with which a stranger can make "exe.gpj"
# read "jpg.exe". The two plain direction marks (U+200E, U+200F) stay: honest Arabic and Hebrew use them.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2060-\u2069\ufeff]")
_PLAIN_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_WEB = re.compile(r"https?://[^\s<>\"\\^`{|}]+", re.IGNORECASE)
_URL_LIMIT = 2_000

WHY = {"case": "Why it came to you", "watch": "Why you hear this", "digest": "In short", "solved": "Why it is over"}
"""The heading over `Alert.why`, by `Alert.kind`."""

QUOTES = frozenset({"case", "solved"})
"""The kinds of `Alert.kind` whose text is a stranger's words, not ours."""

OPEN = {"case": "Open the mention", "watch": "Have a look", "digest": "Open the report", "solved": "Open the mention"}
"""What the link says, by `Alert.kind`."""


def visible(text: str) -> str:
    """The text without what cannot be seen but changes the rest: controls, reordering marks, lone surrogates."""
    return bared(text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def bared(text: str) -> str:
    """A piece of a text as `visible` leaves it, with the spaces around it."""
    return _UNSEEN.sub("", storable(text))


def line(text: str, limit: int) -> str:
    """The text on one line of at most `limit` characters: fit for a header, a subject or a table."""
    return shorten(visible(" ".join(text.split())), limit)


def title(alert: Alert, limit: int) -> str:
    """The alert's title on one line of 1..`limit` characters."""
    return line(alert.title, limit) or "An alert without a title"


def byline(alert: Alert) -> list[str]:
    """Who said it, where and when: ["jane", "App Store", "said Sun 22 Nov 2026, 14:30 UTC"]; what is known of it."""
    who = line(alert.who or "", 100) or ("author unknown" if alert.kind == "case" else "")
    said = f"said {moment(alert.said_at)}" if alert.said_at else ""
    return [part for part in (who, line(alert.where, 100), said) if part]


def facts(alert: Alert) -> list[tuple[str, str]]:
    """What must be done, as name and value: the deadline first. The sink may show the deadline in its own way."""
    told = [
        ("Reply by", moment(alert.reply_by) if alert.reply_by else ""),
        ("Team", line(alert.team, 100)),
        ("Urgency", alert.urgency.value if alert.urgency else ""),
        ("Case", line(alert.case or "", 100)),
    ]
    return [(name, value) for name, value in told if value]


def reasons(alert: Alert, limit: int = 10) -> list[str]:
    """At most `limit` reasons of at most 300 characters; they may quote a stranger."""
    told = [reason for reason in (line(why, 300) for why in alert.why) if reason]
    rest = len(told) - limit
    return told if rest <= 0 else [*told[: limit - 1], f"and {rest + 1} more"]


def moment(at: datetime) -> str:
    """A time that means the same to everyone: "Sun 22 Nov 2026, 14:30 UTC"."""
    return at.astimezone(UTC).strftime("%a %d %b %Y, %H:%M UTC")


def link(alert: Alert) -> str | None:
    """The alert's address if a browser may be sent there (http or https only), else None."""
    url = visible(alert.url or "")
    return url if len(url) <= _URL_LIMIT and _WEB.fullmatch(url) else None


def reference(alert: Alert) -> str:
    """What a desk knows the ticket or page by: the case's key, or the alert's own where it is about no case.

    1..32 letters, digits, "-" and "_", so that it can stand in a tag, a query and a header; what is not so is hashed.
    """
    known = alert.case or alert.key
    return known if _PLAIN_REFERENCE.fullmatch(known) else "C-" + sha256(storable(known).encode()).hexdigest()[:24]


def footer(alert: Alert) -> str:
    """The key, so that a person who hears an alert twice can see that it is the same."""
    return f"Earful · {line(alert.key, 600)}"

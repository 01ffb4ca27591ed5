"""Two feeds: the forum "Trail & Tarmac" as RSS 2.0 and the press as Atom, both with conditional GET."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from html import escape
from http import HTTPStatus

from desk.demo.asked import Answer, Asked, as_text
from desk.demo.story import Line

FORUM, PRESS = "/forum.rss", "/press.atom"


def forum(lines: Sequence[Line], end: datetime, asked: Asked) -> Answer:
    """The newest posts of the forum, as RSS 2.0."""
    items = "".join(
        f"<item><title>{_xml(line.title or '')}</title>"
        f"<link>https://trail-and-tarmac.example/t/{line.number}</link>"
        f'<guid isPermaLink="false">trail-and-tarmac-{line.number}</guid>'
        f"<dc:creator>{_xml(line.author)}</dc:creator>"
        f"<pubDate>{format_datetime(line.said_at(end))}</pubDate>"
        f"<description>{_xml(f'<p>{_xml(line.text)}</p>')}</description></item>"
        for line in reversed(lines)
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Trail &amp; Tarmac</title>'
        "<link>https://trail-and-tarmac.example</link><description>Runners, talking.</description>"
        f"<language>en-gb</language>{items}</channel></rss>"
    )
    return _if_changed(text, "application/rss+xml; charset=utf-8", lines, end, asked)


def press(lines: Sequence[Line], end: datetime, asked: Asked) -> Answer:
    """The newest articles, as Atom."""
    entries = "".join(
        f"<entry><id>tag:press.example,2026:{line.number}</id><title>{_xml(line.title or '')}</title>"
        f'<link href="https://press.example/{line.number}"/><author><name>{_xml(line.author)}</name></author>'
        f"<published>{line.said_at(end).isoformat()}</published><updated>{line.said_at(end).isoformat()}</updated>"
        f'<summary type="text">{_xml(line.text)}</summary></entry>'
        for line in reversed(lines)
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">'
        "<title>Hike in the press</title><id>tag:press.example,2026:hike</id>"
        f"<updated>{lines[-1].said_at(end).isoformat()}</updated>{entries}</feed>"
    )
    return _if_changed(text, "application/atom+xml; charset=utf-8", lines, end, asked)


def _xml(text: str) -> str:
    return escape(text, quote=False)


def _if_changed(text: str, kind: str, lines: Sequence[Line], end: datetime, asked: Asked) -> Answer:
    """Nothing but 304 for a reader who has this state already; If-None-Match counts before If-Modified-Since."""
    body = text.encode()
    tag, changed_at = f'"{sha256(body).hexdigest()[:16]}"', lines[-1].said_at(end)
    known, since = asked.headers.get("if-none-match"), asked.headers.get("if-modified-since")
    headers = {"etag": tag, "last-modified": format_datetime(changed_at.astimezone(UTC), usegmt=True)}
    try:
        unmodified = known == tag if known else bool(since and parsedate_to_datetime(since) >= changed_at)
    except ValueError:
        return as_text("no date", HTTPStatus.BAD_REQUEST)
    if unmodified:
        return Answer(HTTPStatus.NOT_MODIFIED, b"", headers)
    return Answer(HTTPStatus.OK, body, {"content-type": kind, **headers})

"""Syndication: what an RSS or Atom document says, read without trust in who wrote it."""

import calendar
import io
import json
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import feedparser
import httpx

from connectors.client import place
from connectors.newest import credible
from pipeline.errors import ChangedError
from pipeline.text import plain, tidy

MAIL = re.compile(r"[^@\s(<]{1,64}@[^@\s)>]{1,255}\.\w+")

_PEOPLE = {"author", "publisher", "name"}


def joined(url: str, location: str) -> str:
    """The address that another names, or nothing where it is none."""
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def document_of(answer: httpx.Response) -> dict[str, Any]:
    """What a feed says, as JSON would hold it. Anything that is not a feed raises ChangedError."""
    headers = {"content-type": answer.headers.get("content-type", "application/xml")}
    try:
        # BytesIO, since bare bytes are opened as a file's path. No address, since ids would be joined to it and change
        # when the feed moves. Not sanitised, since `plain` drops markup anyway and would find entities encoded again.
        read = feedparser.parse(
            io.BytesIO(answer.content), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
        document: dict[str, Any] = json.loads(
            json.dumps({"feed": read["feed"], "entries": read["entries"], "whole": not read["bozo"]})
        )
    except Exception as error:  # noqa: BLE001 - a stranger's bytes may break the library anywhere; one name for it all
        message = f"{place(answer.request)}: the feed cannot be read ({type(error).__name__})"
        raise ChangedError(message) from None
    if not document["entries"] and not (read.get("version") or document["feed"].get("title")):
        page = "an empty answer" if not answer.content.strip() else "something else, perhaps a web page,"
        message = f"{place(answer.request)}: {page} came instead of a feed"
        raise ChangedError(message)
    base = str(answer.request.url.copy_with(query=None, userinfo=b""))  # the query may be a secret
    for entry in document["entries"]:
        entry["link"] = joined(base, entry["link"]) if entry.get("link") else None
    return document


def answered_at(answer: httpx.Response) -> datetime:
    """When the answer was given, by its own clock, but never later than by ours."""
    now = datetime.now(UTC)
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return now
    return min(now, credible(told if told.tzinfo else told.replace(tzinfo=UTC)) or now)


def moment_of(parsed: list[int] | None, heard_at: datetime) -> datetime | None:
    """A time of feedparser's (UTC), or None where there is none or it cannot be true."""
    if not parsed:
        return None
    try:
        told = datetime.fromtimestamp(calendar.timegm(time.struct_time(parsed)), UTC)
    except (ValueError, OverflowError):
        return None
    return credible(told, heard_at)


def contents_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """All that may hold the text, the fullest first."""
    contents = [
        content
        for content in entry.get("content", [])
        if "text" in content.get("type", "text") or "html" in content["type"]
    ]
    return [*contents, entry.get("summary_detail") or {"type": "text/html", "value": entry.get("summary", "")}]


def text_of(detail: dict[str, Any] | None) -> str:
    """Decoded exactly once: feedparser took off the XML, and says whether what is left is HTML."""
    if not detail:
        return ""
    value = detail.get("value") or ""
    return tidy(value) if detail.get("type") == "text/plain" else plain(value)


def without_mail(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry without the mail addresses of people, wherever they stand: nobody needs them, so nobody stores them."""
    told: dict[str, Any] = _nameless(entry)
    return told


def _nameless(value: Any, field: str = "") -> Any:  # noqa: ANN401 - JSON is anything
    if isinstance(value, dict):
        return {name: _nameless(held, name) for name, held in value.items() if name != "email"}
    if isinstance(value, list):
        return [_nameless(held, field) for held in value]
    if isinstance(value, str) and field in _PEOPLE and "@" in value:
        return MAIL.sub("", value).strip(" ()<>")  # "ann@mail.example (Ann)" is Ann
    return value

"""RSS and Atom feeds: Google Alerts, blogs, forums, status pages, reviews. No key needed."""

import calendar
import io
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import feedparser
import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.client import place
from connectors.contract import Item, Page, Source
from pipeline.errors import ChangedError, RecordError, RefusedError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain, tidy

REDIRECTS = 5
"""The most addresses we are sent on to before we stop, as feedparser's guide advises."""
FOR_GOOD, FOR_NOW = (301, 308), (302, 303, 307)
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""No feed is older; an earlier date is a mistake, such as the year 1 or 1970."""
MAIL = re.compile(r"[^@\s(<]+@[^@\s)>]+\.\w+")
TRACKING = ("utm_", "fbclid", "gclid", "mc_cid", "mc_eid")
STARS = 5
ID_LENGTH = 400  # a longer id is hashed: a key has 512 characters at most


class Feed(Source, frozen=True):
    """One RSS or Atom feed, in any version that feedparser reads."""

    label: ClassVar[str] = "RSS or Atom feed"
    docs: ClassVar[str] = "https://feedparser.readthedocs.io/en/latest/"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)

    kind: Literal["feed"] = "feed"
    url: SecretStr = Field(
        description="The feed's address; write $NAME if it is a secret, as those of Google Alerts are."
    )
    kind_of_mention: Literal["article", "post", "review"] = Field(
        default="article", description="What its entries are, where they do not say so themselves by a rating."
    )

    @field_validator("url", mode="after")
    @classmethod
    def _web_address(cls, value: SecretStr) -> SecretStr:
        if not _is_web(value.get_secret_value()):
            message = "a feed's address begins with http:// or https:// and names a host"
            raise ValueError(message)
        return value

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """One page: a feed shows its newest entries and has no second one. If all were heard before, none comes again.

        Raises RefusedError where the feed sends us in a circle, ChangedError where something else answers.
        """
        home = self.url.get_secret_value()
        before = _remembered(since, home)
        answer, moved = _ask(http, before.get("url", home), before)
        after: dict[str, Any] = {"of": _hash(home), **({"url": moved} if moved != home else {})}
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            yield Page([], cursor=_cursor(before | after))
            return
        document = _document(answer)
        heard_at = _heard_at(answer).isoformat()
        known = before.get("known", {})
        items: dict[str, Item] = {}
        for entry in map(_without_mail, document["entries"]):
            # Some feeds give the same words a new id now and then: the id and the time they were first heard with stay.
            first_id, first_at = known.get(saying := _saying(entry), (_native_id(entry), heard_at))
            told = {"id": first_id, "entry": entry, "language": document["feed"].get("language"), "heard_at": first_at}
            items.setdefault(saying, told)
        after["known"] = {saying: [item["id"], item["heard_at"]] for saying, item in items.items()}
        for field, header in (("etag", "etag"), ("modified", "last-modified")):
            if header in answer.headers:
                after[field] = answer.headers[header]  # verbatim: it is theirs, not ours to understand
        yield Page([] if items.keys() <= known.keys() else list(items.values()), cursor=_cursor(after))

    def parse(self, item: Item) -> Mention:
        """One entry as a mention; an undated one, or one from the future, was said when it was heard."""
        entry = item["entry"]
        heard_at = datetime.fromisoformat(item["heard_at"])
        title = _text(entry.get("title_detail"))
        publisher = (entry.get("source") or {}).get("title")
        if title and publisher:
            title = title.removesuffix(f" - {publisher}")  # Google News writes it behind every title
        text = next(filter(None, map(_text, _contents(entry))), title)
        if not text:
            message = "the entry has neither text nor title"
            raise RecordError(message)
        published, updated = (_time(entry.get(field), heard_at) for field in ("published_parsed", "updated_parsed"))
        said_at = published or updated or heard_at
        rating = float(entry["im_rating"]) if entry.get("im_rating") else None
        if rating is not None and not 1 <= rating <= STARS:
            message = f"the rating is off the scale 1 to {STARS}"
            raise RecordError(message)
        parent = (entry.get("thr_in-reply-to") or {}).get("ref")
        replies = str(entry.get("slash_comments", ""))
        kind = MentionKind.COMMENT if parent else MentionKind(self.kind_of_mention)
        return Mention.model_validate(
            {
                "key": self._key(item["id"]),
                "source": self.name,
                "kind": kind if rating is None else MentionKind.REVIEW,
                "title": title or None,
                "text": text,
                "said_at": said_at,
                "edited_at": updated if updated and updated > said_at else None,
                "url": target(entry.get("link")),
                "author": tidy(entry.get("author") or publisher or "") or None,
                "language": _language(entry, item.get("language")),
                "rating": rating,
                "rating_min": None if rating is None else 1,
                "rating_max": None if rating is None else STARS,
                "parent": self._key(parent) if parent else None,
                "replies": int(replies) if replies.isdecimal() else None,
                "product_version": entry.get("im_version"),
                "brand": self.brand,
            }
        )

    def _key(self, native_id: str) -> str:
        # Two feeds may both have an entry "1". The query is left out: secrets live there, and one site's ids agree.
        place = urlsplit(self.url.get_secret_value())
        native_id = native_id if len(native_id) <= ID_LENGTH else _hash(native_id)
        return f"feed:{_hash(f'{place.hostname}{place.path}')[:10]}:{native_id}"


def target(link: str | None) -> str | None:
    """Where a link of an entry leads: Google's detour is taken off, and what is no web address is none."""
    if not link or not _is_web(link):
        return None
    parts = urlsplit(link)
    if (parts.hostname or "").startswith("www.google.") and parts.path == "/url":
        query = parse_qs(parts.query)
        return target((query.get("url") or query.get("q") or [""])[0]) or link
    return link


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:  # such as a half-open IPv6 address
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _canonical(link: str) -> str:
    # The fragment stays: for a comment it is the only difference.
    parts = urlsplit(link)
    query = [(name, value) for name, value in parse_qsl(parts.query) if not name.startswith(TRACKING)]
    return urlunsplit(
        ("https", parts.netloc.lower(), parts.path.rstrip("/"), urlencode(query, errors="replace"), parts.fragment)
    )


def _ask(http: httpx.Client, url: str, before: dict[str, Any]) -> tuple[httpx.Response, str]:
    """The answer at the end of all redirects, and the address to ask next time."""
    asked = {"If-None-Match": before.get("etag"), "If-Modified-Since": before.get("modified")}
    headers = {name: value for name, value in asked.items() if value}
    settled, for_good, seen = url, True, {url}
    for _ in range(REDIRECTS + 1):
        answer = http.get(url, headers=headers, extensions={"secret_path": True})
        if answer.status_code not in FOR_GOOD + FOR_NOW:
            return answer, settled
        url = _joined(url, answer.headers.get("location", ""))
        if url in seen:
            message = f"{place(answer.request)}: the feed's redirects go in a circle; set its present address"
            raise RefusedError(message)
        if not _is_web(url):
            message = f"{place(answer.request)}: the feed redirects to something that is no web address"
            raise ChangedError(message)
        seen.add(url)
        for_good = for_good and answer.status_code in FOR_GOOD
        settled = url if for_good else settled
    message = f"{place(answer.request)}: more than {REDIRECTS} redirects; set the feed's present address"
    raise RefusedError(message)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def _document(answer: httpx.Response) -> dict[str, Any]:
    """What a feed says, as JSON would hold it. Anything that is not a feed raises ChangedError."""
    headers = {"content-type": answer.headers.get("content-type", "application/xml")}
    try:
        # BytesIO, since bare bytes are opened as a file's path. No address, since ids would be joined to it and change
        # when the feed moves. Not sanitised, since `plain` drops markup anyway and would find entities encoded again.
        read = feedparser.parse(
            io.BytesIO(answer.content), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
        document: dict[str, Any] = json.loads(json.dumps({"feed": read["feed"], "entries": read["entries"]}))
    except Exception as error:  # noqa: BLE001 - a stranger's bytes may break the library anywhere; one name for it all
        message = f"{place(answer.request)}: the feed cannot be read ({type(error).__name__})"
        raise ChangedError(message) from None
    if not document["entries"] and not (read.get("version") or document["feed"].get("title")):
        page = "an empty answer" if not answer.content.strip() else "something else, perhaps a web page,"
        message = f"{place(answer.request)}: {page} came instead of a feed"
        raise ChangedError(message)
    base = str(answer.request.url.copy_with(query=None, userinfo=b""))  # the query may be a secret
    for entry in document["entries"]:
        entry["link"] = _joined(base, entry["link"]) if entry.get("link") else None
    return document


def _heard_at(answer: httpx.Response) -> datetime:
    now = datetime.now(UTC)
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return now
    return min(now, told if told.tzinfo else told.replace(tzinfo=UTC))


def _time(parsed: list[int] | None, heard_at: datetime) -> datetime | None:
    """A time of feedparser's (UTC), or None where there is none or it cannot be true."""
    if not parsed:
        return None
    try:
        told = datetime.fromtimestamp(calendar.timegm(time.struct_time(parsed)), UTC)
    except (ValueError, OverflowError):
        return None
    return told if EARLIEST <= told <= heard_at + timedelta(days=1) else None


def _contents(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """All that may hold the text, the fullest first."""
    contents = [
        content
        for content in entry.get("content", [])
        if "text" in content.get("type", "text") or "html" in content["type"]
    ]
    return [*contents, entry.get("summary_detail") or {"type": "text/html", "value": entry.get("summary", "")}]


def _text(detail: dict[str, Any] | None) -> str:
    """Decoded exactly once: feedparser took off the XML, and says whether what is left is HTML."""
    if not detail:
        return ""
    value = detail.get("value") or ""
    return tidy(value) if detail.get("type") == "text/plain" else plain(value)


def _without_mail(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry without its people's mail addresses: nobody needs them, so nobody stores them."""
    for person in [entry.get("author_detail") or {}, *entry.get("authors", []), *entry.get("contributors", [])]:
        person.pop("email", None)
    if entry.get("author"):
        entry["author"] = MAIL.sub("", entry["author"]).strip(" ()<>")  # "ann@mail.example (Ann)" is Ann
    return entry


def _language(entry: dict[str, Any], of_feed: str | None) -> str | None:
    details = [*entry.get("content", []), entry.get("summary_detail") or {}, entry.get("title_detail") or {}]
    declared = next(filter(None, (detail.get("language") for detail in details)), of_feed) or ""
    code = declared.replace("_", "-").partition("-")[0].strip().lower()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None  # noqa: PLR2004 - ISO 639-1


def _native_id(entry: dict[str, Any]) -> str:
    if given := entry.get("id") or entry.get("link"):
        return str(given)
    return _hash(entry.get("title"), entry.get("published") or entry.get("updated"), *map(_text, _contents(entry)))


def _saying(entry: dict[str, Any]) -> str:
    """The same words by the same author at the same link and time: some feeds give them a new id now and then.

    An address alone is not enough: all reviews of an app, or all reports of a status page, may share one.
    """
    link = target(entry.get("link"))
    where = _canonical(link) if link else _native_id(entry)
    fields = (entry.get(field) for field in ("title", "author", "published", "im_rating", "im_version"))
    return _hash(where, *fields, *map(_text, _contents(entry)))[:16]


def _hash(*parts: str | None) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()


def _remembered(since: str | None, home: str) -> dict[str, Any]:
    """What the cursor says, unless the settings name another address by now."""
    remembered: dict[str, Any] = json.loads(since) if since else {}
    return remembered if remembered.get("of") == _hash(home) else {}


def _cursor(remembered: dict[str, Any]) -> str:
    return json.dumps(remembered, sort_keys=True, separators=(",", ":"))

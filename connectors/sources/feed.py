"""RSS and Atom feeds: Google Alerts, blogs, forums, status pages, reviews. No key needed."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors import values
from connectors.client import place
from connectors.contract import Item, Page, Source
from connectors.syndication import answered_at, contents_of, document_of, joined, moment_of, text_of, without_mail
from pipeline.coverage import Gap
from pipeline.errors import ChangedError, RecordError, RefusedError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

REDIRECTS = 5
"""The most addresses we are sent on to before we stop, as feedparser's guide advises."""
FOR_GOOD, FOR_NOW = (301, 308), (302, 303, 307)
TRACKING = ("utm_", "fbclid", "gclid", "mc_cid", "mc_eid")
NEWEST = 3
"""Entries of which one must be shown at the next call: more than one, since one may be deleted."""
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
            yield Page([], cursor=_cursor(before | after), reach=_moment(before.get("reach")))
            return
        document = document_of(answer)
        heard_at = answered_at(answer).isoformat()
        known = before.get("known", {})
        items: dict[str, Item] = {}
        entries = list(map(without_mail, document["entries"]))
        shared = _shared_ids(entries)
        for entry in entries:
            # Some feeds give the same words a new id now and then: the id and the time they were first heard with stay.
            native = _native_id(entry)
            native = f"{native}#{_saying(entry)}" if native in shared else native
            first_id, first_at = known.get(saying := _saying(entry), (native, heard_at))
            told = {"id": first_id, "entry": entry, "language": document["feed"].get("language"), "heard_at": first_at}
            items.setdefault(saying, told)
        after["known"] = {saying: [item["id"], item["heard_at"]] for saying, item in items.items()}
        for field, header in (("etag", "etag"), ("modified", "last-modified")):
            if header in answer.headers and document["whole"]:  # of one cut short the rest must come again
                after[field] = answer.headers[header]  # verbatim: it is theirs, not ours to understand
        after["newest"] = _newest(items)
        gaps = _gaps(before, items)
        oldest = gaps[0].end if gaps else _oldest(items, datetime.fromisoformat(heard_at))
        after["reach"] = oldest.isoformat()
        fresh = [] if items.keys() <= known.keys() else list(items.values())
        yield Page(fresh, cursor=_cursor(after), reach=oldest, gaps=gaps)

    def parse(self, item: Item) -> Mention:
        """One entry as a mention; an undated one, or one from the future, was said when it was heard."""
        entry = item["entry"]
        heard_at = datetime.fromisoformat(item["heard_at"])
        title = text_of(entry.get("title_detail"))
        publisher = (entry.get("source") or {}).get("title")
        if title and publisher:
            title = title.removesuffix(f" - {publisher}")  # Google News writes it behind every title
        text = next(filter(None, map(text_of, contents_of(entry))), title)
        if not text:
            message = "the entry has neither text nor title"
            raise RecordError(message)
        updated = moment_of(entry.get("updated_parsed"), heard_at)
        said_at = _said_at(item)
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
        url = joined(url, answer.headers.get("location", ""))
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


def _said_at(item: Item) -> datetime:
    heard_at = datetime.fromisoformat(item["heard_at"])
    told = (moment_of(item["entry"].get(field), heard_at) for field in ("published_parsed", "updated_parsed"))
    return next(filter(None, told), heard_at)


def _moment(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def _oldest(items: dict[str, Item], heard_at: datetime) -> datetime:
    """Since when a feed shows all it has: the time of its oldest entry.

    Of one that gives its newest first but for a pinned one, however old, the time of its last entry.
    """
    times = [_said_at(item) for item in items.values()]
    return times[-1] if times and times[0] < max(times) > times[-1] else min(times, default=heard_at)


def _newest(items: dict[str, Item]) -> list[str]:
    """The ids of a few of the newest entries, of a few entries the half: a pinned one is not among them."""
    said = sorted(items.values(), key=_said_at, reverse=True)
    return [item["id"] for item in said[: max(1, min(NEWEST, len(said) // 2))]]


def _gaps(before: dict[str, Any], items: dict[str, Item]) -> list[Gap]:
    """A feed shows its newest entries only: if none of them was there before, some came and went in between.

    What was there before and is pinned tells nothing: one of the newest of then must be there still.
    """
    known = before.get("known", {})
    heard = max((datetime.fromisoformat(heard_at) for _, heard_at in known.values()), default=None)
    there = set(before.get("newest", ())) or {native for native, _ in known.values()}
    oldest = min((_said_at(item) for saying, item in items.items() if saying not in known), default=None)
    if heard is None or oldest is None or heard >= oldest or there & {item["id"] for item in items.values()}:
        return []
    return [Gap(heard, oldest, f"the feed shows its newest {len(items)} entries, and none that was new before")]


def _language(entry: dict[str, Any], of_feed: str | None) -> str | None:
    details = [*entry.get("content", []), entry.get("summary_detail") or {}, entry.get("title_detail") or {}]
    return values.language(next(filter(None, (detail.get("language") for detail in details)), of_feed))


def _native_id(entry: dict[str, Any]) -> str:
    if given := entry.get("id") or entry.get("link"):
        return str(given)
    return _hash(entry.get("title"), entry.get("published") or entry.get("updated"), *map(text_of, contents_of(entry)))


def _shared_ids(entries: list[dict[str, Any]]) -> set[str]:
    """Ids that a feed gives to entries of other links or times: they tell nothing apart. Two versions share both."""
    places: dict[str, set[tuple[str, str]]] = {}
    for entry in entries:
        places.setdefault(_native_id(entry), set()).add((str(entry.get("link")), str(entry.get("published"))))
    return {native for native, there in places.items() if len(there) > 1}


def _saying(entry: dict[str, Any]) -> str:
    """The same words by the same author at the same link and time: some feeds give them a new id now and then.

    An address alone is not enough: all reviews of an app, or all reports of a status page, may share one.
    """
    link = target(entry.get("link"))
    where = _canonical(link) if link else _native_id(entry)
    fields = (entry.get(field) for field in ("title", "author", "published", "im_rating", "im_version"))
    return _hash(where, *fields, *map(text_of, contents_of(entry)))[:16]


def _hash(*parts: str | None) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()


def _remembered(since: str | None, home: str) -> dict[str, Any]:
    """What the cursor says, unless the settings name another address by now."""
    remembered: dict[str, Any] = json.loads(since) if since else {}
    return remembered if remembered.get("of") == _hash(home) else {}


def _cursor(remembered: dict[str, Any]) -> str:
    return json.dumps(remembered, sort_keys=True, separators=(",", ":"))

"""App Store: the newest reviews of an app in each country's store, from Apple's public feed. No key needed."""

import hashlib
import json
import logging
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, ClassVar, Literal

import httpx
from pydantic import Field, StringConstraints

from connectors.client import Address, items_of, json_of, place
from connectors.contract import Item, Page, Source
from connectors.values import identity
from pipeline.coverage import Gap
from pipeline.errors import ChangedError, EarfulError, TemporaryError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain

API = "https://itunes.apple.com"
PAGE, DEEPEST = 50, 10
"""Apple gives 10 pages of 50 reviews for each country and refuses the eleventh."""
REMEMBERED = 150
"""Reviews of each country kept in the cursor: three pages, to find a whole one again behind new and late reviews."""
OPENED = datetime(2008, 7, 10, tzinfo=UTC)
"""The store's first day: no review is older."""
PAUSE = 1.0
"""Seconds between two requests: the feed's limit is not documented, and the terms forbid to burden Apple's services.
https://www.apple.com/legal/internet-services/terms/site.html"""

_FORMS = ("page={page}/id={app}/sortBy=mostRecent/json", "id={app}/sortBy=mostRecent/page={page}/json")

log = logging.getLogger(__name__)


@dataclass
class _Read:
    """What was read of one country: marks of its reviews, newest first, and how far back that goes."""

    marks: list[str] = field(default_factory=list)
    oldest: datetime | None = None
    reach: datetime = OPENED
    gaps: list[Gap] = field(default_factory=list)


class AppStore(Source, frozen=True):
    """Reviews of one app in Apple's App Store, country by country. Each country gives its newest 500."""

    label: ClassVar[str] = "App Store"
    docs: ClassVar[str] = "https://itunes.apple.com/us/rss/customerreviews/page=1/id=APP_ID/sortBy=mostRecent/json"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)

    kind: Literal["appstore"] = "appstore"
    app_id: str = Field(pattern=r"^\d{1,20}$", description="The number after id in the app's address in the store.")
    countries: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$", to_lower=True)], ...] = Field(
        min_length=1, description='The stores to listen to, as two-letter country codes such as ["us", "gb"].'
    )
    api: Address = Field(default=API, description="Where the feed answers.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """Country by country, each from its newest review back to a page of reviews that are all known.

        The cursor holds, for each country, marks of its newest reviews, and moves when a country is read. One country's
        failure is raised after the others are served; only a plea to wait (`retry_after`) ends the walk at once.
        """
        known: dict[str, list[str]] = json.loads(since) if since else {}
        troubles: dict[str, EarfulError] = {}
        reach, gaps = OPENED, list[Gap]()
        for country in dict.fromkeys(self.countries):
            try:
                read = yield from self._country(http, country, known.get(country, []))
            except EarfulError as error:
                troubles[country] = error
                if isinstance(error, TemporaryError) and error.retry_after is not None:
                    break
            else:
                known = {**known, country: read.marks}
                reach, gaps = max(reach, read.reach), gaps + read.gaps
                yield Page([], cursor=json.dumps(known, sort_keys=True))  # newest first: safe only now
        if troubles:
            raise _together(self.name, troubles)
        yield Page([], cursor=json.dumps(known, sort_keys=True), reach=reach, gaps=gaps)

    def parse(self, item: Item) -> Mention:
        """An entry of the feed, to which `pages` adds its `country` and, if Apple gives no time, `heard_at`."""
        author = _object(item.get("author"))
        votes = _label(item, "im:voteSum")
        return Mention.model_validate(
            {
                "key": f"appstore:{identity(item['id']['label'])}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.REVIEW,
                "title": _label(item, "title"),
                "text": _text(item["content"]),
                "said_at": _label(item, "updated") or item["heard_at"],
                "url": _object(_object(item.get("link")).get("attributes")).get("href"),
                "author": _label(author, "name"),
                "author_id": _profile(_label(author, "uri")),
                "rating": float(item["im:rating"]["label"]),
                "rating_min": 1.0,
                "rating_max": 5.0,
                "product": self.app_id,
                "product_version": _label(item, "im:version"),
                "country": item["country"].upper(),
                "likes": int(votes) if votes else None,
            }
        )

    def place(self, item: Item) -> str:
        """The store's country and the native id."""
        return f"{item.get('country')}/{_mark(item).partition(':')[0]}"[:100]

    def _country(self, http: httpx.Client, country: str, known: list[str]) -> Generator[Page, None, _Read]:
        """The new reviews of one country, and at the end the marks to know them by."""
        read = _Read()
        full = False
        first = None if known or self.first_day is None else datetime.combine(self.first_day, time(), UTC)
        for number in range(1, DEEPEST + 1):
            reviews = self._reviews(http, country, number)
            if not reviews and number == 1 and known:
                raise ChangedError(
                    f"{self.name}: the store of {country} had reviews and now shows none; its place is kept. "
                    "If this stays, the app has left that store: take the country out of the settings"
                )
            if not reviews:
                self._no_more(read, country, known, full=full)
                break
            yield Page(reviews)
            full = len(reviews) >= PAGE
            found = [_mark(review) for review in reviews]
            if len(found) >= PAGE and set(found) <= set(read.marks):
                raise ChangedError(f"{self.name}: the store of {country} gives the same page of reviews twice")
            read.marks += found
            times = [said for review in reviews if (said := _time(review))]
            read.oldest = min([*times, read.oldest] if read.oldest else times, default=None)
            if set(found) <= set(known) or (first and times and max(times) < first):
                read.reach = first or read.oldest or OPENED
                break
        else:
            self._ended(read, country, first)
        read.marks = (read.marks + [mark for mark in known if mark not in read.marks])[:REMEMBERED]
        return read

    def _no_more(self, read: _Read, country: str, known: list[str], *, full: bool) -> None:
        """An empty page: the end; behind a full page it may be empty for a moment."""
        if not full:
            return
        if known and not set(read.marks) & set(known):
            raise TemporaryError(
                f"{self.name}: the store of {country} shows nothing behind {len(read.marks)} new reviews, "
                f"and those heard before are not among them; {TemporaryError.who_acts}"
            )
        if not known:
            read.reach = read.oldest or OPENED
            why = f"Apple gave {len(read.marks)} reviews of the store of {country}, and then an empty page"
            read.gaps = [Gap(None, read.reach, why)]

    def _ended(self, read: _Read, country: str, first: datetime | None) -> None:
        """Apple gave its last page, and what came before it may be unheard: after another call that is a gap."""
        log.warning("%s: read %d reviews of %s; Apple gives no older ones", self.name, len(read.marks), country)
        read.reach = read.oldest or OPENED
        why = f"Apple gives the newest {len(read.marks)} reviews of the store of {country} and no older ones"
        read.gaps = [Gap(first, read.reach, why)]

    def _reviews(self, http: httpx.Client, country: str, number: int) -> list[Item]:
        """One page. Some apps answer on one form of the address only, and some pages are empty for a moment."""
        for form in _FORMS:
            path = form.format(page=number, app=self.app_id)
            asked: dict[str, object] = {"cache": True, **({"pause": PAUSE} if self.api == API else {})}
            response = http.get(f"{self.api}/{country}/rss/customerreviews/{path}", extensions=asked)
            reviews = [{**entry, **_told(response, country, entry)} for entry in _entries(response)]
            if reviews:
                return reviews
        return []


def _entries(response: httpx.Response) -> list[Item]:
    """The reviews of a page: a list, an object where there is one, nothing where there is none; never the app."""
    feed = json_of(response, dict).get("feed")
    entries = (feed.get("entry") or []) if isinstance(feed, dict) else None
    if isinstance(entries, dict):
        entries = [entries]
    if not isinstance(entries, list):
        raise ChangedError(f"{place(response.request)}: answered no feed of reviews")
    return [entry for entry in items_of(entries) if "im:rating" in entry or "strange" in entry]


def _told(response: httpx.Response, country: str, entry: Item) -> Item:
    """What an entry does not say itself: the country asked, and when it was heard if Apple gives no time."""
    if _label(entry, "updated"):
        return {"country": country}
    try:
        heard = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        heard = datetime.now(UTC)
    return {"country": country, "heard_at": heard.isoformat()}


def _object(held: object) -> Item:
    """What is held; the first where Apple gives a list, nothing where it gives no object."""
    held = held[0] if isinstance(held, list) and held else held
    return held if isinstance(held, dict) else {}


def _label(item: Item, field: str) -> str | None:
    """Every plain value sits in {"label": value}."""
    held = item.get(field)
    said = held.get("label") if isinstance(held, dict) else None
    return said if isinstance(said, str) and said else None


def _time(item: Item) -> datetime | None:
    """When a review was written or edited last."""
    try:
        told = datetime.fromisoformat(_label(item, "updated") or "")
    except ValueError:
        return None
    return told.astimezone(UTC) if told.tzinfo else None


def _text(content: Item) -> str:
    said: str = content["label"]
    kind = _object(content.get("attributes")).get("type")
    return plain(said) if kind == "html" else said


def _profile(uri: str | None) -> str | None:
    """The number in https://itunes.apple.com/us/reviews/id41."""
    found = re.search(r"/id(\d+)", uri or "")
    return found.group(1) if found else None


def _mark(entry: Item) -> str:
    """What an entry is known by: its id and a hash of what an edit would change."""
    said = [_label(entry, field) for field in ("updated", "im:rating", "title", "content")]
    return f"{_label(entry, 'id')}:{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:8]}"


def _together(name: str, troubles: dict[str, EarfulError]) -> EarfulError:
    """One error for all countries: somebody must act if anybody must for one of them."""
    told = f"{name}: " + "; ".join(f"{country}: {error}" for country, error in troubles.items())
    lasting = [error for error in troubles.values() if not isinstance(error, TemporaryError)]
    if lasting:
        return type(lasting[0])(told)
    waits = [
        error.retry_after for error in troubles.values() if isinstance(error, TemporaryError) and error.retry_after
    ]
    return TemporaryError(told, max(waits, default=None))

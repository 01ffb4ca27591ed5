"""App Store: the newest reviews of an app in each country's store, from Apple's public feed. No key needed."""

import hashlib
import json
import logging
import re
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, ClassVar, Literal

import httpx
from pydantic import Field, StringConstraints

from connectors.client import Address, items_of, json_of, place
from connectors.contract import Item, Page, Source
from pipeline.errors import ChangedError, EarfulError, TemporaryError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain

API = "https://itunes.apple.com"
DEEPEST = 10
"""Apple gives 10 pages of 50 reviews for each country and refuses the eleventh."""
REMEMBERED = 150
"""Reviews of each country kept in the cursor: three pages, to find a whole one again behind new and late reviews."""
PAUSE = 1.0
"""Seconds between two requests: the feed's limit is not documented, and the terms forbid to burden Apple's services.
https://www.apple.com/legal/internet-services/terms/site.html"""

_FORMS = ("page={page}/id={app}/sortBy=mostRecent/json", "id={app}/sortBy=mostRecent/page={page}/json")

log = logging.getLogger(__name__)


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
        for country in dict.fromkeys(self.countries):
            try:
                marks = yield from self._country(http, country, known.get(country, []))
            except EarfulError as error:
                troubles[country] = error
                if isinstance(error, TemporaryError) and error.retry_after is not None:
                    break
            else:
                known = {**known, country: marks}
                yield Page([], cursor=json.dumps(known, sort_keys=True))  # newest first: safe only now
        if troubles:
            raise _together(self.name, troubles)

    def parse(self, item: Item) -> Mention:
        """An entry of the feed, to which `pages` adds its `country` and, if Apple gives no time, `heard_at`."""
        author = item.get("author") or {}
        votes = _label(item, "im:voteSum")
        return Mention.model_validate(
            {
                "key": f"appstore:{item['id']['label']}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.REVIEW,
                "title": _label(item, "title"),
                "text": _text(item["content"]),
                "said_at": _label(item, "updated") or item["heard_at"],
                "url": (item.get("link") or {}).get("attributes", {}).get("href"),
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

    def _country(self, http: httpx.Client, country: str, known: list[str]) -> Generator[Page, None, list[str]]:
        """The new reviews of one country, and at the end the marks to know them by."""
        marks: list[str] = []
        for number in range(1, DEEPEST + 1):
            reviews = self._reviews(http, country, number)
            if not reviews and number == 1 and known:
                raise ChangedError(
                    f"{self.name}: the store of {country} had reviews and now shows none; its place is kept. "
                    "If this stays, the app has left that store: take the country out of the settings"
                )
            if not reviews:
                break
            yield Page(reviews)
            found = [_mark(review) for review in reviews]
            marks += found
            if set(found) <= set(known):
                break
        else:
            log.warning("%s: read %d reviews of %s; Apple gives no older ones", self.name, len(marks), country)
        return (marks + [mark for mark in known if mark not in marks])[:REMEMBERED]

    def _reviews(self, http: httpx.Client, country: str, number: int) -> list[Item]:
        """One page. Some apps answer on one form of the address only, and some pages are empty for a moment."""
        for form in _FORMS:
            path = form.format(page=number, app=self.app_id)
            polite = {"pause": PAUSE} if self.api == API else {}
            response = http.get(f"{self.api}/{country}/rss/customerreviews/{path}", extensions=polite)
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


def _label(item: Item, field: str) -> str | None:
    """Every plain value sits in {"label": value}."""
    held = item.get(field)
    said = held.get("label") if isinstance(held, dict) else None
    return said if isinstance(said, str) and said else None


def _text(content: Item) -> str:
    said: str = content["label"]
    kind = content.get("attributes", {}).get("type")
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

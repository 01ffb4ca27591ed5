"""Google Play: the reviews of an own app, with the answers. Needs a service account of the owner."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import httpx
from pydantic import Field, SecretStr

from connectors.client import Address, changed, items_of, json_of
from connectors.contract import Item, Page, Source
from connectors.google import by_service_account, explain
from connectors.newest import Back, moment
from connectors.paging import by_token
from connectors.values import language, native
from pipeline.coverage import Gap
from pipeline.errors import RecordError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAGE = 100
MOST = 45
"""Pages of one walk. Four walks an hour stay below the 200 requests an hour that Google allows for an app:
https://developers.google.com/android-publisher/reply-to-reviews#quotas"""
PAUSE = 0.5
"""Seconds between two requests; the limits are by the hour and the day, as `MOST` says."""
SHOWN = timedelta(days=7)
"""Google gives only what was written or edited in this time; what is older, its console exports as monthly files."""
OVERLAP = timedelta(days=1)
SCOPE = "https://www.googleapis.com/auth/androidpublisher"


class GooglePlay(Source, frozen=True, hide_input_in_errors=True):
    """Reviews with text of one app of your own on Google Play, and what you answered. Google shows the last 7 days."""

    label: ClassVar[str] = "Google Play"
    docs: ClassVar[str] = "https://developers.google.com/android-publisher/reply-to-reviews"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)
    reply_limit: ClassVar[int | None] = 350
    aside: ClassVar[frozenset[str]] = frozenset({"service_account", "tokens"})

    kind: Literal["google_play"] = "google_play"
    package: str = Field(pattern=r"^[A-Za-z][\w.]{2,149}$", description="The app's name, such as com.example.app.")
    service_account: SecretStr = Field(
        description="The key file of a service account that the Play console invited with the right to reply to "
        "reviews: its text, or where it lies."
    )
    tokens: Address | None = Field(default=None, description="Where tokens are made, if not where the key file says.")
    api: Address = Field(default="https://androidpublisher.googleapis.com", description="Where Google answers.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """All that Google shows, for it promises no order. `since` holds the newest time and the hour of the last walk.

        Where a walk ends at `MOST` pages, or began later than Google remembers, it says so.
        """
        before = json.loads(since) if since else {}
        back = Back.to(before.get("newest"), self.first_day, OVERLAP)
        auth = by_service_account(http, self.service_account, SCOPE, self.tokens)
        walk = by_token(
            http,
            self._reviews,
            {"maxResults": PAGE},
            named="token",
            found=_following,
            auth=auth,
            extensions=_ASKED,
        )
        now, more = None, False
        for number, (answer, said) in enumerate(walk, start=1):
            now = now or _now(answer)
            reviews = said.get("reviews", [])
            if not isinstance(reviews, list):
                raise changed(answer, "answered no list of reviews")
            yield Page(items_of(reviews))
            back.note(items_of(reviews), _modified)
            more = bool(_following(said))
            if number == MOST:
                break
        yield self._end(back, before, now or datetime.now(UTC), cut=more)

    def parse(self, item: Item) -> Mention:
        """A review. Where Google translated it, what was said stands in `originalText`."""
        said = _comment(item, "userComment")
        if said is None:
            raise RecordError("a review without what the user said")
        title, text = _parted(said.get("originalText") or said["text"])
        stars = said.get("starRating")
        return Mention.model_validate(
            {
                "key": f"google_play:{_id(item)}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.REVIEW,
                "title": title,
                "text": text,
                "said_at": _at(said),
                "url": f"https://play.google.com/store/apps/details?id={self.package}&reviewId={quote(_id(item))}",
                "author": tidy(unescape(item.get("authorName") or "")) or None,
                "language": language(said.get("reviewerLanguage")),
                "rating": None if stars is None else float(stars),
                "rating_min": None if stars is None else 1.0,
                "rating_max": None if stars is None else 5.0,
                "product": self.package,
                "product_version": said.get("appVersionName"),
                "likes": said.get("thumbsUpCount"),
            }
        )

    def answer(self, item: Item) -> Mention | None:
        """The developer's comment beside the review."""
        said = _comment(item, "developerComment")
        if said is None:
            return None
        key = f"google_play:{_id(item)}"
        return Mention.model_validate(
            {
                "key": f"{key}/reply",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT,
                "text": tidy(unescape(said.get("text") or "")),
                "said_at": _at(said),
                "thread": key,
                "parent": key,
                "product": self.package,
                "by_brand": True,
            }
        )

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """Answer a review, or replace the answer it has. Google has one for each review, and takes out tags."""
        if len(text) > (self.reply_limit or 0):
            raise SettingsError(f"{self.label} takes at most {self.reply_limit} characters")
        review = native(mention.key)
        answer = http.post(
            f"{self._reviews}/{quote(review, safe=':')}:reply",
            json={"replyText": text},
            auth=by_service_account(http, self.service_account, SCOPE, self.tokens),
            extensions=_ASKED,
        )
        json_of(answer, dict)
        return mention.url or review

    def place(self, item: Item) -> str:
        """The native id."""
        return str(item.get("reviewId"))[:100]

    @property
    def _reviews(self) -> str:
        return f"{self.api}/androidpublisher/v3/applications/{self.package}/reviews"

    def _end(self, back: Back, before: dict[str, str], now: datetime, *, cut: bool) -> Page:
        """The last page: with the gaps between the walk before, or the first day, and what Google still shows."""
        shown = now - SHOWN
        heard = moment(before.get("heard"))
        wanted = heard or back.bound
        gaps = []
        if wanted is not None and wanted < shown:
            why = "Google Play shows reviews for 7 days only; import the monthly files of the Play console"
            gaps.append(Gap(wanted, shown, why))
        if cut:  # in no order, so that nobody knows what is missing
            gaps.append(Gap(shown, now, f"more than {MOST} pages of reviews, and Google Play gives no way on"))
        hour = max(now, heard or now).replace(minute=0, second=0, microsecond=0)
        place = {"heard": hour.isoformat()} | ({"newest": back.newest.isoformat()} if back.newest else {})
        return Page([], cursor=json.dumps(place, sort_keys=True), reach=shown, gaps=gaps)


_ASKED: dict[str, Any] = {"pause": PAUSE, "explain": explain}


def _id(item: Item) -> str:
    native = item["reviewId"]
    if not isinstance(native, str) or not native:
        raise KeyError("reviewId")
    return native


def _comment(item: Item, whose: str) -> Item | None:
    """What the user or the developer said: a review has one of each."""
    return next((each[whose] for each in item["comments"] if each.get(whose)), None)


def _following(said: dict[str, Any]) -> object:
    pagination = said.get("tokenPagination")
    return pagination.get("nextPageToken") if isinstance(pagination, dict) else None


def _modified(item: Item) -> datetime | None:
    try:
        said = _comment(item, "userComment")
        return None if said is None else _at(said)
    except (LookupError, TypeError, ValueError, OverflowError, OSError, AttributeError):
        return None


def _at(said: Item) -> datetime:
    """When it was last changed: seconds as a text, and a rest in nanoseconds."""
    told = said["lastModified"]
    return datetime.fromtimestamp(int(told["seconds"]), UTC) + timedelta(
        microseconds=int(told.get("nanos") or 0) // 1000
    )


def _parted(text: str) -> tuple[str | None, str]:
    """Of "title<tab>body" both; many have a tab and no title."""
    title, tab, body = unescape(text).partition("\t")
    return (tidy(title) or None, tidy(body)) if tab else (None, tidy(title))


def _now(answer: httpx.Response) -> datetime:
    """When Google answered: the week it shows ends then."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)

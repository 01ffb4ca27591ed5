"""Google Business Profile: the reviews of one own location on Google Maps, with the answers."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import httpx
from pydantic import Field, SecretStr

from connectors.auth import Fetched
from connectors.client import Address, changed, items_of, json_of
from connectors.contract import Item, Page, Source
from connectors.google import TOKENS, by_refresh_token, explain
from connectors.newest import Back, moment
from connectors.paging import by_token
from connectors.privacy import discreet
from pipeline.errors import SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAGE = 50
FIRST_PAGES = 20
REREAD = timedelta(days=14)
"""Read again at each call: not every answer moves its review up."""
PAUSE = 0.2
"""Seconds between two requests: 300 a minute are allowed, https://developers.google.com/my-business/content/limits"""
REPLY_BYTES = 4096

_STARS = {"ONE": 1.0, "TWO": 2.0, "THREE": 3.0, "FOUR": 4.0, "FIVE": 5.0}
_TRANSLATED, _ORIGINAL = "(Translated by Google)", "\n(Original)"
_UNSEEN = ("PENDING", "REJECTED")
_NOBODY = "A Google User"


class GoogleBusiness(Source, frozen=True, hide_input_in_errors=True):
    """Reviews of one location of your own on Google Maps and Search, and what you answered. Google grants access."""

    label: ClassVar[str] = "Google Business Profile"
    docs: ClassVar[str] = "https://developers.google.com/my-business/content/review-data"
    quiet_after: ClassVar[timedelta] = timedelta(days=30)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=7)
    reply_limit: ClassVar[int | None] = 4096
    aside: ClassVar[frozenset[str]] = frozenset({"client_id", "client_secret", "refresh_token", "tokens"})

    kind: Literal["google_business"] = "google_business"
    account: str = Field(pattern=r"^\d{1,30}$", description="The account's number: of accounts/123 the 123.")
    location: str = Field(pattern=r"^\d{1,30}$", description="The location's number: of locations/456 the 456.")
    client_id: str = Field(min_length=1, max_length=200, description="The OAuth client of your Google Cloud project.")
    client_secret: SecretStr = Field(description="Its secret.")
    refresh_token: SecretStr = Field(
        description="A refresh token for the scope business.manage, by somebody who manages the location."
    )
    tokens: Address = Field(default=TOKENS, description="Where tokens are made.")
    api: Address = Field(default="https://mybusiness.googleapis.com", description="Where Google answers.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From what was changed last back to two weeks before `since`, the newest change read before."""
        back = Back.to(since, self.first_day, REREAD)
        yield from back.read(self._lists(http), _updated, most=FIRST_PAGES)
        yield back.end()

    def parse(self, item: Item) -> Mention:
        """A review. Many are stars alone; of a translated one the original is what was said."""
        reviewer = item.get("reviewer") or {}
        name = reviewer.get("displayName")
        stars = _STARS.get(item.get("starRating") or "")
        said_at, edited_at = moment(item["createTime"]), moment(item.get("updateTime"))
        reply = item.get("reviewReply")
        if edited_at in {said_at, moment(reply.get("updateTime")) if isinstance(reply, dict) else None}:
            edited_at = None  # an answer moves its review
        return Mention.model_validate(
            {
                "key": self._key(item),
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.REVIEW,
                "text": _original(item.get("comment") or ""),
                "said_at": said_at,
                "edited_at": edited_at,
                "author": None if reviewer.get("isAnonymous") or name == _NOBODY else name,  # many are called so
                "rating": stars,
                "rating_min": None if stars is None else 1.0,
                "rating_max": None if stars is None else 5.0,
                "product": f"locations/{self.location}",
            }
        )

    def answer(self, item: Item) -> Mention | None:
        """The owner's reply beside the review, once Google shows it."""
        said = item.get("reviewReply")
        if said is None or said.get("reviewReplyState") in _UNSEEN:
            return None
        key = self._key(item)
        return Mention.model_validate(
            {
                "key": f"{key}/reply",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT,
                "text": _original(said.get("comment") or ""),
                "said_at": moment(said["updateTime"]),
                "thread": key,
                "parent": key,
                "product": f"locations/{self.location}",
                "by_brand": True,
            }
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Reviews that are no longer found, while the location itself is; a reply goes with its review."""
        auth, lost = self._auth(http), set()
        for native in dict.fromkeys(_native(key) for key in keys):
            asked = _ASKED | {"expected": {httpx.codes.NOT_FOUND}}
            answer = http.get(f"{self._reviews}/{quote(native)}", auth=auth, extensions=asked)
            if answer.status_code == httpx.codes.NOT_FOUND:
                lost.add(native)
        if lost:  # who may no longer see the location finds no review of it either
            json_of(http.get(self._reviews, params={"pageSize": 1}, auth=auth, extensions=_ASKED), dict)
        return {key for key in keys if _native(key) in lost}

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """Answer a review, or replace the answer it has; the reply's name at Google."""
        if len(text.encode()) > REPLY_BYTES:
            raise SettingsError(f"{self.label} takes at most {REPLY_BYTES} bytes, and this reply has more")
        url = f"{self._reviews}/{quote(_native(mention.key))}/reply"
        json_of(http.put(url, json={"comment": text}, auth=self._auth(http), extensions=_ASKED), dict)
        return httpx.URL(url).path.removeprefix("/v4/")

    def place(self, item: Item) -> str:
        """The native id."""
        return str(item.get("reviewId"))[:100]

    @property
    def _reviews(self) -> str:
        return f"{self.api}/v4/accounts/{self.account}/locations/{self.location}/reviews"

    def _auth(self, http: httpx.Client) -> Fetched:
        return by_refresh_token(http, self.tokens, self.client_id, self.client_secret, self.refresh_token)

    def _lists(self, http: httpx.Client) -> Iterator[list[Item]]:
        walk = by_token(
            http,
            self._reviews,
            {"pageSize": PAGE, "orderBy": "updateTime desc"},
            named="pageToken",
            found=lambda said: said.get("nextPageToken"),
            auth=self._auth(http),
            extensions=_ASKED,
        )
        for answer, said in walk:
            reviews = said.get("reviews", [])
            if not isinstance(reviews, list):
                raise changed(answer, "answered no list of reviews")
            yield items_of(discreet(reviews))

    def _key(self, item: Item) -> str:
        native = item["reviewId"]
        if not isinstance(native, str) or not native:
            raise KeyError("reviewId")
        return f"google_business:{self.location}/{native}"


_ASKED: dict[str, Any] = {"pause": PAUSE, "explain": explain}


def _native(key: str) -> str:
    return key.partition("/")[2].removesuffix("/reply")


def _updated(item: Item) -> datetime | None:
    return moment(item.get("updateTime")) or moment(item.get("createTime"))


def _original(said: str) -> str:
    """What was written, without the translation that Google puts before or behind it."""
    before, _, behind = said.partition(_TRANSLATED)
    if not before.strip():
        _, marked, original = behind.partition(_ORIGINAL)
        return tidy(original if marked else said)
    return tidy(before if before.rstrip(" ").endswith("\n\n") else said)

"""App Store Connect: every review of an own app, in all stores, with the answers. Needs a key of the owner."""

import re
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from html import unescape
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import httpx
from pydantic import Field, SecretStr

from connectors.auth import signed, text_of
from connectors.client import Address, changed, items_of, json_of, refused, throttled
from connectors.contract import Item, Page, Source
from connectors.country import two_letters
from connectors.newest import Back, moment
from connectors.paging import joined
from connectors.values import identity, native
from pipeline.errors import ChangedError, EarfulError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAGE = 200
FIRST_PAGES = 10
REREAD = timedelta(days=14)
"""Read again at each call, for answers: they do not move a review. An edit does: it gives the review a new date."""
PAUSE = 0.2
"""Seconds between two requests, of which an hour has 3,600 for all who use the key:
https://developer.apple.com/documentation/appstoreconnectapi/identifying-rate-limits"""
AN_HOUR = timedelta(hours=1)
LIFE = 600
"""Seconds a key we sign is good for; Apple takes at most 20 minutes."""


class AppStoreConnect(Source, frozen=True, hide_input_in_errors=True):
    """Reviews of one app of your own, in all countries' App Stores, and what you answered. Needs a key of your team."""

    label: ClassVar[str] = "App Store Connect"
    docs: ClassVar[str] = "https://developer.apple.com/documentation/appstoreconnectapi/customer-reviews"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=7)
    reply_limit: ClassVar[int | None] = 5970
    aside: ClassVar[frozenset[str]] = frozenset({"issuer_id", "key_id", "private_key"})

    kind: Literal["appstore_connect"] = "appstore_connect"
    app_id: str = Field(pattern=r"^\d{1,20}$", description="The number after id in the app's address in the store.")
    issuer_id: str = Field(
        min_length=1, max_length=100, description="The issuer id above the keys in App Store Connect."
    )
    key_id: str = Field(
        pattern=r"^\w{1,40}$", description="The id of the key, with the role Customer Support or higher."
    )
    private_key: SecretStr = Field(description="The key: the text of the .p8 file, or where that file lies.")
    api: Address = Field(default="https://api.appstoreconnect.apple.com", description="Where Apple answers.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From the newest review back to two weeks before `since`, the newest date read before."""
        back = Back.to(since, self.first_day, REREAD)
        yield from back.read(self._lists(http), _created, most=FIRST_PAGES)
        yield back.end()

    def parse(self, item: Item) -> Mention:
        """A review. Its text has entities, which Apple leaves as they are, decoded."""
        said = item["attributes"]
        stars = said.get("rating")
        return Mention.model_validate(
            {
                "key": f"appstore_connect:{identity(item['id'])}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.REVIEW,
                "title": _text(said.get("title")) or None,
                "text": _text(said.get("body")),
                "said_at": moment(said["createdDate"]),
                "author": _text(said.get("reviewerNickname")) or None,
                "rating": None if stars is None else float(stars),
                "rating_min": None if stars is None else 1.0,
                "rating_max": None if stars is None else 5.0,
                "product": self.app_id,
                "country": two_letters(said.get("territory")),
            }
        )

    def answer(self, item: Item) -> Mention | None:
        """The response that `pages` put beside its review, once it is published."""
        response = item.get("response")
        if response is None or response["attributes"].get("state") != "PUBLISHED":
            return None
        key = f"appstore_connect:{identity(item['id'])}"
        return Mention.model_validate(
            {
                "key": f"{key}/reply",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT,
                "text": _text(response["attributes"].get("responseBody")),
                "said_at": moment(response["attributes"]["lastModifiedDate"]),
                "thread": key,
                "parent": key,
                "product": self.app_id,
                "by_brand": True,
            }
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Reviews that are no longer found, while the app itself is; a response goes with its review."""
        lost = set()
        for review in dict.fromkeys(map(native, keys)):
            asked = self._asked | {"expected": {httpx.codes.NOT_FOUND}}
            answer = http.get(f"{self.api}/v1/customerReviews/{quote(review)}", auth=self._sign, extensions=asked)
            if answer.status_code == httpx.codes.NOT_FOUND:
                lost.add(review)
        if lost:  # a key that may no longer see the app finds no review of it either
            self._page(http, self._own.copy_merge_params({"limit": 1}))
        return {key for key in keys if native(key) in lost}

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """Answer a review, or replace the answer it has; its id. Apple shows it after a while."""
        if len(text) > (self.reply_limit or 0):
            raise SettingsError(f"{self.label} takes at most {self.reply_limit} characters")
        review = {"data": {"type": "customerReviews", "id": native(mention.key)}}
        told = {
            "type": "customerReviewResponses",
            "attributes": {"responseBody": text},
            "relationships": {"review": review},
        }
        url = f"{self.api}/v1/customerReviewResponses"
        answer = http.post(url, json={"data": told}, auth=self._sign, extensions=self._asked)
        written = json_of(answer, dict).get("data")
        return str(written.get("id") if isinstance(written, dict) else mention.key)

    @property
    def _own(self) -> httpx.URL:
        return httpx.URL(f"{self.api}/v1/apps/{self.app_id}/customerReviews")

    @property
    def _asked(self) -> dict[str, Any]:
        return {"pause": PAUSE, "explain": _explain}

    def _lists(self, http: httpx.Client) -> Iterator[list[Item]]:
        """Pages, by the address that each names of the next; only on the same host, for which the key is."""
        url = self._own.copy_merge_params({"sort": "-createdDate", "include": "response", "limit": PAGE})
        asked = set[httpx.URL]()
        while True:
            asked.add(url)
            answer, said = self._page(http, url)
            beside = items_of(_list(said.get("included")))
            responses = {str(each.get("id")): each for each in beside if isinstance(each.get("attributes"), dict)}
            yield [_with_response(review, responses) for review in items_of(said["data"])]
            links = said.get("links")
            following = links.get("next") if isinstance(links, dict) else None
            if not following:
                return
            url = joined(answer, following)
            if (url.scheme, url.netloc) != (self._own.scheme, self._own.netloc):
                raise changed(answer, f"names a page at another host, {url.host}")
            if url in asked:
                raise changed(answer, "names the same page twice")

    def _page(self, http: httpx.Client, url: httpx.URL) -> tuple[httpx.Response, Item]:
        answer = http.get(url, auth=self._sign, extensions=self._asked)
        said: Item = json_of(answer, dict)
        if not isinstance(said.get("data"), list):
            raise changed(answer, "answered no list of reviews")
        return answer, said

    def _sign(self, request: httpx.Request) -> httpx.Request:
        """With a fresh token: a walk may outlast any."""
        now = int(time.time())
        claims = {"iss": self.issuer_id, "iat": now, "exp": now + LIFE, "aud": "appstoreconnect-v1"}
        try:
            token = signed(claims, text_of(self.private_key), "ES256", {"kid": self.key_id})
        except ValueError as error:
            raise SettingsError(f"{self.name}: {error}") from None
        request.headers["Authorization"] = f"Bearer {token}"
        return request


def _explain(answer: httpx.Response) -> EarfulError | None:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return refused(answer, "check issuer id, key id and private key, and that the key was not revoked")
    if answer.status_code == httpx.codes.FORBIDDEN:
        if any("AGREEMENTS" in code for code in _codes(answer)):
            why = "the account holder must accept Apple's newest agreement in App Store Connect"
            return refused(answer, why)
        return refused(answer, "the key needs the role Customer Support or higher, and access to this app")
    left = re.search(r"user-hour-rem:\s*(\d+)", answer.headers.get("x-rate-limit", ""))
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS and left and int(left[1]) == 0:
        return throttled(answer, "this hour's requests are used up", AN_HOUR)
    return None


def _codes(answer: httpx.Response) -> list[str]:
    """What Apple calls the errors, such as FORBIDDEN.REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED."""
    try:
        told = json_of(answer, dict).get("errors")
    except ChangedError:
        return []
    return [str(each.get("code")) for each in items_of(_list(told))]


def _with_response(review: Item, responses: dict[str, Item]) -> Item:
    """A review with its response, which stands elsewhere in the answer."""
    named: Any = review
    for step in ("relationships", "response", "data", "id"):
        named = named.get(step) if isinstance(named, dict) else None
    return {**review, "response": responses[str(named)]} if str(named) in responses else review


def _created(review: Item) -> Any:  # noqa: ANN401 - a time or nothing
    said = review.get("attributes")
    return moment(said.get("createdDate")) if isinstance(said, dict) else None


def _text(said: str | None) -> str:
    return tidy(unescape(said or ""))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

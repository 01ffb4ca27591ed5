"""Trustpilot: the reviews of one business, with its answers. Needs an API key, to reply its secret as well."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import httpx
from pydantic import Field, SecretStr

from connectors.auth import Fetched
from connectors.client import Address, changed, items_of, json_of, refused
from connectors.contract import Item, Page, Source
from connectors.newest import Back, moment
from connectors.paging import STALE, by_number
from connectors.privacy import discreet
from connectors.values import language, native
from pipeline.errors import ChangedError, EarfulError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAGE = 100
FIRST_PAGES = 20
REREAD = timedelta(days=14)
"""Read again at each call: an edit or an answer does not move a review."""
PAUSE = 0.4
"""Seconds between two requests: at most 833 in 5 minutes and 10,000 an hour, as
https://developers.trustpilot.com/rate-limiting recommends."""


class Trustpilot(Source, frozen=True, hide_input_in_errors=True):
    """Reviews of one business on Trustpilot, and what it answered. The interface is part of Trustpilot's paid plans."""

    label: ClassVar[str] = "Trustpilot"
    docs: ClassVar[str] = "https://developers.trustpilot.com/business-units-api"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=7)
    reply_limit: ClassVar[int | None] = 2000  # ours: Trustpilot documents none
    aside: ClassVar[frozenset[str]] = frozenset({"key", "user"})

    kind: Literal["trustpilot"] = "trustpilot"
    business_unit: str = Field(pattern=r"^[0-9a-fA-F]{24}$", description="The id of your business unit, 24 digits.")
    key: SecretStr = Field(description="The API key of your application.")
    secret: SecretStr | None = Field(
        default=None, description="Its secret: only then the private list is read, and replies can be sent."
    )
    user: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="The id of the business user in whose name replies are sent, from that user's profile page.",
    )
    api: Address = Field(default="https://api.trustpilot.com/v1", description="Where Trustpilot answers.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From the newest review back to two weeks before `since`, the newest time read before."""
        back = Back.to(since, self.first_day, REREAD)
        yield from back.read(self._lists(http, twice=since is None), _created, most=FIRST_PAGES)
        yield back.end()

    def parse(self, item: Item) -> Mention:
        """A review."""
        consumer = item.get("consumer") or {}
        stars = item.get("stars")
        said_at, edited_at = moment(item["createdAt"]), moment(item.get("updatedAt"))
        return Mention.model_validate(
            {
                "key": f"trustpilot:{_id(item)}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.REVIEW,
                "title": tidy(item.get("title") or "") or None,
                "text": tidy(item.get("text") or ""),
                "said_at": said_at,
                "edited_at": None if edited_at == said_at else edited_at,
                "url": f"https://www.trustpilot.com/reviews/{_id(item)}",
                "author": consumer.get("displayName"),
                "author_id": consumer.get("id"),
                "language": language(item.get("language")),
                "rating": None if stars is None else float(stars),
                "rating_min": None if stars is None else 1.0,
                "rating_max": None if stars is None else 5.0,
                "likes": item.get("numberOfLikes"),
            }
        )

    def answer(self, item: Item) -> Mention | None:
        """The company's reply beside the review."""
        said = item.get("companyReply")
        if said is None:
            return None
        key = f"trustpilot:{_id(item)}"
        return Mention.model_validate(
            {
                "key": f"{key}/reply",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT,
                "text": tidy(said.get("text") or ""),
                "said_at": moment(said["createdAt"]),
                "edited_at": moment(said.get("updatedAt")),
                "url": f"https://www.trustpilot.com/reviews/{_id(item)}",
                "thread": key,
                "parent": key,
                "by_brand": True,
            }
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Reviews that Trustpilot no longer has, while it has the business; a reply goes with its review."""
        lost, proof = set(), self._proof(http)
        for review in dict.fromkeys(map(native, keys)):
            asked = _ASKED | {"expected": {httpx.codes.NOT_FOUND}}
            answer = http.get(f"{self._where}/reviews/{quote(review)}", extensions=asked, **proof)
            if answer.status_code == httpx.codes.NOT_FOUND:
                lost.add(review)
        if lost:
            http.get(self._reviews, params={"perPage": 1}, extensions=_ASKED, **proof)
        return {key for key in keys if native(key) in lost}

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """Answer a review in the name of the user; its address."""
        if self.secret is None or self.user is None:
            raise SettingsError(f"{self.name}: to reply, `secret` and `user` must be in the settings")
        if len(text) > (self.reply_limit or 0):
            raise SettingsError(f"Earful sends {self.label} at most {self.reply_limit} characters")
        review = native(mention.key)
        told = {"authorBusinessUserId": self.user, "message": text}
        url = f"{self.api}/private/reviews/{quote(review)}/reply"
        http.post(url, json=told, auth=self._auth(http, self.secret), extensions=_ASKED)
        return f"https://www.trustpilot.com/reviews/{review}"

    def _lists(self, http: httpx.Client, *, twice: bool) -> Iterator[list[Item]]:
        """Pages, to one without reviews or without a link to the next.

        `twice`: after each page the one before is asked once more, for what a deletion meanwhile moved onto it.
        """
        params: dict[str, Any] = {"orderBy": "createdat.desc", "perPage": PAGE}
        more: dict[str, Any] = {"extensions": _ASKED, **self._proof(http)}
        known, stale = set[str](), 0
        walk = by_number(http, self._reviews, params, more_after=_more_after, **more)
        for number, (answer, said) in enumerate(walk, start=1):
            reviews = _listed(answer, said)
            found = {str(review.get("id")) for review in reviews}
            stale = 0 if found - known else stale + 1  # some come again where new ones push them down
            if stale == STALE:
                raise changed(answer, "gives the same page again and again")
            known |= found
            if twice and number > 1:
                before = http.get(self._reviews, params={**params, "page": number - 1}, **more)
                moved = [each for each in _listed(before, json_of(before, dict)) if str(each.get("id")) not in known]
                known |= {str(each.get("id")) for each in moved}
                reviews += moved
            yield reviews

    @property
    def _where(self) -> str:
        """What is asked: with a secret the private interface, which shows more."""
        return self.api if self.secret is None else f"{self.api}/private"

    @property
    def _reviews(self) -> str:
        return f"{self._where}/business-units/{self.business_unit}/reviews"

    def _proof(self, http: httpx.Client) -> dict[str, Any]:
        """Who asks, as httpx takes it: the application with a token, or its key alone."""
        if self.secret is None:
            return {"headers": {"apikey": self.key.get_secret_value()}}
        return {"auth": self._auth(http, self.secret)}

    def _auth(self, http: httpx.Client, secret: SecretStr) -> Fetched:
        """Tokens for the application itself: https://developers.trustpilot.com/grant-type-client-credentials."""
        basic = b64encode(f"{self.key.get_secret_value()}:{secret.get_secret_value()}".encode()).decode()
        return Fetched(
            lambda: http.build_request(
                "POST",
                f"{self.api}/oauth/oauth-business-users-for-applications/accesstoken",
                data={"grant_type": "client_credentials"},
                headers={"Authorization": f"Basic {basic}"},
                extensions=_ASKED,
            ),
            lambda said: (said["access_token"], float(said["expires_in"])),
        )


def _explain(answer: httpx.Response) -> EarfulError | None:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return refused(answer, "check the API key and its secret")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return refused(answer, "there is no such business unit or review; check the id in the settings")
    if answer.status_code == httpx.codes.BAD_REQUEST and _is_told(answer):
        return refused(answer, "Trustpilot does not take this request; check the ids in the settings")
    return None


_ASKED: dict[str, Any] = {"pause": PAUSE, "explain": _explain}


def _is_told(answer: httpx.Response) -> bool:
    """Whether a refusal is Trustpilot's own, and not of something that stands before it."""
    try:
        return isinstance(json_of(answer, dict).get("message"), str)
    except ChangedError:
        return False


def _listed(answer: httpx.Response, said: Item) -> list[Item]:
    """A page's reviews, without what tells more of a person."""
    reviews = said.get("reviews")
    if not isinstance(reviews, list):
        raise changed(answer, "answered no list of reviews")
    return items_of(discreet(reviews))


def _more_after(said: Item) -> bool:
    """Not where all links are known and none leads to the next page; nor after a page without reviews."""
    links = said.get("links")
    rels = (
        [each.get("rel") if isinstance(each, dict) else None for each in links] if isinstance(links, list) else [None]
    )
    return bool(said.get("reviews")) and any(rel in {None, "next-page"} for rel in rels)


def _created(item: Item) -> datetime | None:
    return moment(item.get("createdAt"))


def _id(item: Item) -> str:
    native = item["id"]
    if not isinstance(native, str) or not native:
        raise KeyError("id")
    return native

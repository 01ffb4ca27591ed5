"""Mastodon: every post with a hashtag that one instance sees. A token only where the instance asks for one."""

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar, Literal
from urllib.parse import quote, urlsplit

import httpx
from pydantic import Field, SecretStr

from connectors.client import Address, items_of, json_of, place
from connectors.contract import Item, Page, Source
from pipeline.errors import ChangedError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain

PAGE = 40
MOST_FIRST_PAGES = 200
"""Below the 300 requests in 5 minutes that an instance allows: https://docs.joinmastodon.org/api/rate-limits/"""
OVERLAP = timedelta(hours=6)
"""Read again at each call, for authors edit. An id is the time a post arrived at the instance, so that seldom anything
slips in behind the place; what does (some servers date a late post's id back) is heard within this time as well."""

_MILLISECOND = 1 << 16  # what one adds to an id, see Snowflake: https://docs.joinmastodon.org/api/guidelines/#id
_NOT_FOR_ALL = ("private", "direct")


class Mastodon(Source, frozen=True):
    """Posts with a hashtag, as one Mastodon instance sees them. Every instance sees others: name several sources."""

    label: ClassVar[str] = "Mastodon"
    docs: ClassVar[str] = "https://docs.joinmastodon.org/methods/timelines/#tag"
    quiet_after: ClassVar[timedelta] = timedelta(days=7)

    kind: Literal["mastodon"] = "mastodon"
    instance: Address = Field(default="https://mastodon.social", description="The address of the instance to ask.")
    tag: str = Field(min_length=1, max_length=100, pattern=r"^\w+$", description="The hashtag, without the #.")
    token: SecretStr | None = Field(
        default=None, description="An access token with read:statuses, only where the instance refuses without one."
    )
    first_pages: int = Field(
        default=10,
        ge=1,
        le=MOST_FIRST_PAGES,
        description="How many pages of 40 posts to go back at the very first call.",
    )

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """First back from the newest, `first_pages` deep; from then on forward from `since`, the highest id read."""
        return self._back(http) if since is None else self._forward(http, int(since))

    def parse(self, item: Item) -> Mention:
        """A status. Its content warning is its title."""
        account = item["account"]
        before = item.get("in_reply_to_id")
        return Mention.model_validate(
            {
                "key": self._key(int(item["id"])),
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT if before else MentionKind.POST,
                "title": item.get("spoiler_text") or None,
                "text": plain(item["content"]),
                "said_at": item["created_at"],
                "edited_at": item.get("edited_at"),
                "url": item.get("url") or item.get("uri"),
                "author": self._handle(account["acct"]),
                "author_id": account.get("id"),
                "author_reach": _count(account.get("followers_count")),
                "language": _language(item.get("language")),
                "thread": self._key(int(before or item["id"])),
                "parent": self._key(int(before)) if before else None,
                "likes": _count(item.get("favourites_count")),
                "replies": _count(item.get("replies_count")),
                "reposts": _count(item.get("reblogs_count")),
            }
        )

    def _back(self, http: httpx.Client) -> Iterator[Page]:
        highest = 0
        walk = self._walk(http, "next", {})
        for _, statuses in zip(range(self.first_pages), walk, strict=False):
            highest = max([highest, *_ids(statuses)])
            yield Page(_said_to_all(statuses))
        yield Page([], cursor=str(highest) if highest else None)  # newest first: safe only now

    def _forward(self, http: httpx.Client, highest: int) -> Iterator[Page]:
        start = highest - int(OVERLAP.total_seconds() * 1000) * _MILLISECOND
        walk = self._walk(http, "prev", {"min_id": str(max(0, start))})
        for statuses in walk:
            highest = max([highest, *_ids(statuses)])
            yield Page(_said_to_all(statuses), cursor=str(highest))  # oldest first: safe at every page

    def _walk(
        self, http: httpx.Client, direction: Literal["next", "prev"], first: dict[str, str]
    ) -> Iterator[list[Item]]:
        """Pages until an empty one, by the addresses that the `Link` header names."""
        own = httpx.URL(f"{self.instance}/api/v1/timelines/tag/{quote(self.tag)}")
        url = own.copy_merge_params({"limit": str(PAGE), **first})
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}"} if self.token else {}
        asked = set[httpx.URL]()
        while True:
            asked.add(url)
            response = http.get(url, headers=headers)
            statuses = items_of(json_of(response, list))
            if not statuses:
                return
            yield statuses
            link = response.links.get(direction)
            if link is None:
                return
            url = _joined(response, link["url"])
            if (url.scheme, url.netloc) != (own.scheme, own.netloc):  # the token is for this host alone
                raise ChangedError(f"{place(response.request)}: names a page at another host, {url.host}")
            if url in asked:
                raise ChangedError(f"{place(response.request)}: names the same page twice")

    def _key(self, native: int) -> str:
        return f"mastodon:{self._host}/{native}"

    def _handle(self, acct: str) -> str:
        return acct if "@" in acct else f"{acct}@{self._host}"

    @property
    def _host(self) -> str:
        return urlsplit(self.instance).netloc.rpartition("@")[2]


def _joined(response: httpx.Response, link: str) -> httpx.URL:
    try:
        return response.url.join(link)
    except httpx.InvalidURL:
        raise ChangedError(f"{place(response.request)}: names a page that is no address") from None


def _said_to_all(statuses: list[Item]) -> list[Item]:
    """Without boosts, which say nothing new, what was not said to all, and whom robots shall not read (`noindex`)."""
    return [
        status
        for status in statuses
        if not status.get("reblog") and status.get("visibility") not in _NOT_FOR_ALL and not _wants_no_robots(status)
    ]


def _wants_no_robots(status: Item) -> bool:
    account = status.get("account")
    return isinstance(account, dict) and account.get("noindex") is True


def _ids(statuses: list[Item]) -> Iterator[int]:
    """As numbers: as texts, "99" would be newer than "100"."""
    natives = (str(status.get("id")) for status in statuses)
    return (int(native) for native in natives if native.isdecimal())


def _count(value: object) -> int | None:
    """Some instances hide a count behind -1."""
    return value if isinstance(value, int) and value >= 0 else None


def _language(declared: object) -> str | None:
    """As ISO 639-1: of "pt-BR" the "pt", of three letters nothing."""
    code = declared.split("-")[0].split("_")[0].lower() if isinstance(declared, str) else ""
    return code if len(code) == 2 and code.isalpha() else None  # noqa: PLR2004 - two letters

"""Mastodon: posts with a hashtag or a phrase that one instance sees, or that name your account there."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, ClassVar, Literal, Self
from urllib.parse import quote, urlsplit

import httpx
from pydantic import Field, SecretStr, model_validator

from connectors import values
from connectors.client import Address, changed, items_of, json_of, refused
from connectors.contract import Item, Page, Source
from connectors.newest import AHEAD, credible, epoch, moment
from connectors.paging import by_link
from connectors.privacy import discreet
from pipeline.errors import SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain

PAGE = 40
MOST_FIRST_PAGES = 200
"""Below the 300 requests in 5 minutes that an instance allows: https://docs.joinmastodon.org/api/rate-limits/"""
OVERLAP = timedelta(hours=6)
"""Read again at each call, for authors edit. An id is the time a post arrived at the instance, so that seldom anything
slips in behind the place; what does (some servers date a late post's id back) is heard within this time as well."""
PAUSE = 1.0
"""Seconds between two requests where there may be many: 300 in 5 minutes, as above."""
SHIFT = 5
"""Of a search so many posts are asked for twice, at the end of a page and the start of the next: one that is deleted
meanwhile moves all after it."""

_MILLISECOND = 1 << 16  # what one adds to an id, see Snowflake: https://docs.joinmastodon.org/api/guidelines/#id
_NOT_FOR_ALL = ("private", "direct")
_HANDLE = re.compile(r"\w[\w.-]*(@[\w.:-]+)?")


class Mastodon(Source, frozen=True, hide_input_in_errors=True):
    """Posts as one Mastodon instance sees them. Every instance sees others: name several sources."""

    label: ClassVar[str] = "Mastodon"
    docs: ClassVar[str] = "https://docs.joinmastodon.org/methods/timelines/#tag"
    quiet_after: ClassVar[timedelta] = timedelta(days=7)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=1)
    reply_limit: ClassVar[int | None] = 500
    aside: ClassVar[frozenset[str]] = frozenset({"token", "first_pages"})

    kind: Literal["mastodon"] = "mastodon"
    instance: Address = Field(default="https://mastodon.social", description="The address of the instance to ask.")
    listen_to: Literal["tag", "search", "mentions"] = Field(
        default="tag",
        description="A hashtag; posts that say a phrase, where the instance searches texts; or posts to your account.",
    )
    tag: str | None = Field(
        default=None, min_length=1, max_length=100, pattern=r"^\w+$", description="The hashtag, without the #."
    )
    phrase: str | None = Field(default=None, min_length=2, max_length=200, description="The phrase to search for.")
    token: SecretStr | None = Field(
        default=None,
        description="An access token. Its scopes: read:statuses, to see what was deleted; read:search for a phrase; "
        "read:notifications for posts to your account; write:statuses to reply. A hashtag needs none, "
        "unless the instance refuses.",
    )
    first_pages: int = Field(
        default=10,
        ge=1,
        le=MOST_FIRST_PAGES,
        description="How many pages of 40 posts to go back at the very first call, if no `first_day` is set.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.listen_to == "tag" and self.tag is None:
            raise ValueError("to listen to a hashtag, set `tag`")
        if self.listen_to == "search" and self.phrase is None:
            raise ValueError("to search, set `phrase`")
        if self.listen_to != "tag" and self.token is None:
            raise ValueError("only a hashtag may be heard without a `token`")
        return self

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """A hashtag: first back from the newest, then forward from `since`, the highest id read. Else always back."""
        highest = next(_ids([{"id": since}]), None)
        if self.listen_to == "tag" and highest is not None:
            return self._forward(http, highest)
        return self._back(http, highest)

    def parse(self, item: Item) -> Mention:
        """A status. Its content warning is its title."""
        account = item["account"]
        before = item.get("in_reply_to_id")
        return Mention.model_validate(
            {
                "key": self._key(int(item["id"])),
                "source": self.name,
                "brand": self.brand,
                "kind": _kind(item),
                "title": item.get("spoiler_text") or None,
                "text": plain(item["content"]),
                "said_at": item["created_at"],
                "edited_at": item.get("edited_at"),
                "url": item.get("url") or item.get("uri"),
                "author": self._handle(account["acct"]),
                "author_id": account.get("id"),
                "author_reach": _count(account.get("followers_count")),
                "language": values.language(item.get("language")),
                "thread": self._key(int(before or item["id"])),
                "parent": self._key(int(before)) if before else None,
                "likes": _count(item.get("favourites_count")),
                "replies": _count(item.get("replies_count")),
                "reposts": _count(item.get("reblogs_count")),
            }
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Those of which the instance says itself that there is no such record: a proxy's 404 is no such word."""
        found = set[str]()
        for key in keys:
            if not key.startswith(self._key("")):
                continue  # another instance's
            url = f"{self.instance}/api/v1/statuses/{key.rpartition('/')[2]}"
            more = {"expected": {httpx.codes.NOT_FOUND}, "pause": PAUSE}
            response = http.get(url, headers=self._headers, extensions=more)
            said = json_of(response, dict)
            if response.status_code == httpx.codes.NOT_FOUND:
                if not isinstance(said.get("error"), str):
                    raise refused(response, "nothing is there, check the instance in the settings")
                found.add(key)
            elif str(said.get("id")) != key.rpartition("/")[2]:
                raise changed(response, "answered another status")
        return found

    def worded(self, mention: Mention, text: str) -> str:
        """Only whom a post names is told of it, and may read a private one: it begins with the author's handle."""
        handle = mention.author or ""
        if not _HANDLE.fullmatch(handle):
            if mention.kind is MentionKind.MESSAGE:
                raise SettingsError(f"{self.name}: nobody knows whose message this is; answer it by hand")
            return text
        names = "|".join(map(re.escape, (handle, handle.removesuffix(f"@{self._host}"))))
        return text if re.search(rf"@({names})(?![\w@])", text, re.IGNORECASE) else f"@{handle} {text}"

    def length(self, text: str) -> int:
        """Of a handle only the name counts, not its host."""
        return len(re.sub(r"(?<![\w@])(@\w+)@[\w.:-]+\w", r"\1", text))

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """Post an answer below a status; who said something privately is answered privately. Its address."""
        if self.token is None:
            raise SettingsError(f"{self.name}: to reply, set a `token` with write:statuses")
        status = self.worded(mention, text)
        if self.length(status) > (self.reply_limit or 0):
            most = f"at most {self.reply_limit} characters, this has {self.length(status)} with the author's handle"
            raise SettingsError(f"{self.name}: a reply has {most}")
        if not mention.key.startswith(self._key("")):  # the same number is another status there
            raise SettingsError(f"{self.name}: this was heard from another instance; answer it by hand")
        told = {"status": status, "in_reply_to_id": mention.key.rpartition("/")[2]}
        if mention.kind is MentionKind.MESSAGE:
            told["visibility"] = "direct"
        act = hashlib.sha256(f"{mention.key}\n{status}".encode()).hexdigest()
        headers = {**self._headers, "Idempotency-Key": act}
        response = http.post(f"{self.instance}/api/v1/statuses", data=told, headers=headers)
        if not (receipt := (said := json_of(response, dict)).get("url") or said.get("id")):
            raise changed(response, "took the reply and gave neither address nor id")
        return str(receipt)

    def _back(self, http: httpx.Client, since: int | None) -> Iterator[Page]:
        """From the newest to the overlap before `since`; at the first call to `first_day`, or `first_pages` deep."""
        highest, oldest = since or 0, None
        bound = None if self.first_day is None else datetime.combine(self.first_day, time(), UTC)
        ended = False
        for number, items in enumerate(self._newest_first(http, since), start=1):
            statuses = items_of([_status_of(item) for item in items])
            yield Page(statuses if self.listen_to == "mentions" else _said_to_all(statuses))
            ids, times = (
                list(_ids(items)),
                [at for each in statuses if (at := credible(moment(each.get("created_at"))))],
            )
            highest, oldest = max([highest, *ids]), min([*times, oldest] if oldest else times, default=None)
            if since is not None:
                ended = bool(ids) and max(ids) <= self._overlap(since)
            else:
                ended = (bool(times) and max(times) < bound) if bound else number == self.first_pages
            if ended:
                break
        reach = bound if since is None and bound else oldest
        yield Page([], cursor=str(highest) if highest else None, reach=reach)  # newest first: safe only now

    def _forward(self, http: httpx.Client, highest: int) -> Iterator[Page]:
        start = self._overlap(highest)
        url = httpx.URL(self._timeline).copy_merge_params({"limit": str(PAGE), "min_id": str(start)})
        for response in by_link(http, url, rel="prev", headers=self._headers):
            statuses = items_of(discreet(json_of(response, list)))
            if not statuses:
                break
            highest = max([highest, *_ids(statuses)])
            yield Page(_said_to_all(statuses), cursor=str(highest))  # oldest first: safe at every page
        yield Page([], cursor=str(highest), reach=epoch(start // _MILLISECOND // 1000))

    def _newest_first(self, http: httpx.Client, since: int | None) -> Iterator[list[Any]]:
        """Pages until an empty one: by the addresses that the `Link` header names, in a search by offset."""
        if self.listen_to == "search":
            yield from self._found(http, since)
            return
        first: dict[str, Any] = {"limit": str(PAGE)}
        url = self._timeline
        if self.listen_to == "mentions":
            url, first = f"{self.instance}/api/v1/notifications", {**first, "types[]": "mention"}
        for response in by_link(http, httpx.URL(url).copy_merge_params(first), headers=self._headers):
            items = discreet(json_of(response, list))
            if not items:
                return
            yield items

    def _found(self, http: httpx.Client, since: int | None) -> Iterator[list[Any]]:
        """Pages of a search. It has no `Link` header."""
        asked = {"q": f'"{self.phrase}"', "type": "statuses", "limit": str(PAGE)}
        if since is not None:
            asked["min_id"] = str(self._overlap(since))
        known, offset = set[str](), 0
        while True:
            params = {**asked, "offset": str(offset)} if offset else asked
            response = http.get(f"{self.instance}/api/v2/search", params=params, headers=self._headers)
            statuses = json_of(response, dict).get("statuses")
            if not isinstance(statuses, list):
                raise changed(response, "answered no list of statuses")
            fresh = [each for each in discreet(statuses) if str(each) not in known]
            if not fresh:
                return
            yield fresh
            known |= {str(each) for each in fresh}
            offset += max(1, len(statuses) - SHIFT)

    def _overlap(self, highest: int) -> int:
        """From which id on all is read again. Those of notifications tell no time: there a page of known ones ends."""
        if self.listen_to == "mentions":
            return highest
        return max(0, highest - int(OVERLAP.total_seconds() * 1000) * _MILLISECOND)

    @property
    def _timeline(self) -> str:
        return f"{self.instance}/api/v1/timelines/tag/{quote(self.tag or '')}"

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token.get_secret_value()}"} if self.token else {}

    def _key(self, native: object) -> str:
        return f"mastodon:{self._host}/{native}"

    def _handle(self, acct: str) -> str:
        return acct if "@" in acct else f"{acct}@{self._host}"

    @property
    def _host(self) -> str:
        return urlsplit(self.instance).netloc.rpartition("@")[2]


def _kind(status: Item) -> MentionKind:
    if status.get("visibility") in _NOT_FOR_ALL:
        return MentionKind.MESSAGE
    return MentionKind.COMMENT if status.get("in_reply_to_id") else MentionKind.POST


def _status_of(item: Any) -> Any:  # noqa: ANN401 - whatever stands in the list
    """A notification's status; of a list of statuses each itself."""
    return item["status"] if isinstance(item, dict) and "status" in item and "account" in item else item


def _said_to_all(statuses: list[Item]) -> list[Item]:
    """Without boosts, which say nothing new, what was not said to all, and whom robots shall not read (`noindex`)."""
    return [
        status
        for status in statuses
        if not (
            isinstance(status.get("reblog"), dict)
            or status.get("visibility") in _NOT_FOR_ALL
            or _wants_no_robots(status)
        )
    ]


def _wants_no_robots(status: Item) -> bool:
    account = status.get("account")
    return isinstance(account, dict) and account.get("noindex") is True


def _ids(items: list[Any]) -> Iterator[int]:
    """As numbers: as texts, "99" would be newer than "100". One given in the future would hide all before it."""
    latest = int((datetime.now(UTC) + AHEAD).timestamp() * 1000) * _MILLISECOND
    natives = (str(item.get("id")) for item in items if isinstance(item, dict))
    return (int(each) for each in natives if each.isdecimal() and len(each) < 20 and int(each) <= latest)  # noqa: PLR2004 - 64 bits


def _count(value: object) -> int | None:
    """Some instances hide a count behind -1."""
    return value if isinstance(value, int) and value >= 0 else None

"""Discourse: a forum, all of it or what says a phrase. No key needed where everybody may read."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

import httpx
from pydantic import Field, SecretStr, model_validator

from connectors.client import Address, json_of, refused
from connectors.contract import Item, Page, Source
from connectors.newest import Back, credible
from connectors.sources.discourse.forum import FIRST_PAGES, GONE, Forum, created, explain, number, told_of
from connectors.sources.discourse.words import own
from pipeline.coverage import Gap
from pipeline.errors import SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain

OVERLAP = timedelta(days=1)
"""Read again at each call: authors edit, and what a moderator lets in has the time it was written."""
WHOLE = 100
"""Posts found that are read whole in one call: a search shows but a piece of each. The rest is read at the next."""
_REGULAR = 1
_PERMALINK = re.compile(r"/t/(?:[^/]*/)?(\d+)/(\d+)(?:$|[?#])")


class Discourse(Source, frozen=True, hide_input_in_errors=True):
    """Posts of a forum that runs on Discourse: all of them, or those that say a phrase, found by the forum's search."""

    label: ClassVar[str] = "Discourse"
    docs: ClassVar[str] = "https://docs.discourse.org/"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=7)
    reply_limit: ClassVar[int | None] = 32_000
    aside: ClassVar[frozenset[str]] = frozenset({"username"})

    kind: Literal["discourse"] = "discourse"
    forum: Address = Field(description="The forum's address, such as https://forum.example.org.")
    phrase: str | None = Field(
        default=None,
        min_length=2,
        max_length=200,
        description="Your product's name, as people write it. All posts of the forum if left out.",
    )
    key: SecretStr | None = Field(
        default=None, description="An API key, where the forum is not open to all, and to reply."
    )
    username: str | None = Field(default=None, description="Whose key it is; replies are written in this name.")

    @model_validator(mode="after")
    def _key_with_its_name(self) -> Self:
        if (self.key is None) != (self.username is None):
            raise ValueError("name both, `key` and `username`, or neither")
        return self

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """All posts from the newest back; or, with a phrase, what the search finds, from the oldest on."""
        return self._all(http, since) if self.phrase is None else self._found(http, since, self.phrase)

    def parse(self, item: Item) -> Mention:
        """A post; of one that could not be read whole, what the search shows of it."""
        topic = item.get("topic") or {}
        place, parent = int(item["post_number"]), item.get("parent_id")
        title = item.get("topic_title") or topic.get("title")
        slug = item.get("topic_slug") or topic.get("slug") or "-"
        cooked = item.get("cooked")
        return Mention.model_validate(
            {
                "key": self._key(int(item["id"])),
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.POST if place == 1 else MentionKind.COMMENT,
                "title": title or None,
                "text": plain(own(cooked)) if cooked else plain(item["blurb"]),
                "said_at": item["created_at"],
                "edited_at": item.get("updated_at") if (item.get("version") or 1) > 1 else None,
                "url": f"{self.forum}/t/{slug}/{int(item['topic_id'])}/{place}",
                "author": item["username"],
                "author_id": str(item["user_id"]) if item.get("user_id") else None,
                "thread": self._key(f"t/{int(item['topic_id'])}"),
                "parent": self._key(parent) if parent else None,
                "likes": item.get("like_count", _likes(item)),
                "replies": item.get("reply_count"),
            }
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Posts of which the forum itself says that it has none, or shows them as deleted."""
        forum, found = self._forum(http), set[str]()
        for key in keys:
            native = key.removeprefix(self._key(""))
            if native.isdecimal():
                answer = forum.ask_for(native)
                if answer.status_code in GONE and not told_of(answer):
                    raise refused(answer, "nothing is there, and not in the forum's words; check its address")
                gone = answer.status_code in GONE or (answer.is_success and _deleted(json_of(answer, dict)))
                found |= {key} if gone else set()
        return found

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """A post in the same topic, as an answer to the mention's; its address."""
        told = _PERMALINK.search(mention.url or "")
        if self.key is None or told is None or not text or len(text) > (self.reply_limit or 0):
            raise SettingsError(
                f"{self.name}: a reply needs `key` and `username`, a mention with its address, and 1 to "
                f"{self.reply_limit} characters"
            )
        told_as = {"topic_id": int(told[1]), "raw": text, "reply_to_post_number": int(told[2])}
        answer = http.post(
            f"{self.forum}/posts.json", json=told_as, headers=self._forum(http).headers, extensions={"explain": explain}
        )
        said = json_of(answer, dict)
        if said.get("post_number"):
            return f"{self.forum}/t/{said.get('topic_slug') or '-'}/{told[1]}/{said['post_number']}"
        return str(said.get("id") or said.get("action") or "")

    def _all(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        back = Back.to(since, self.first_day, OVERLAP)
        cut = list[str]()
        for page in back.read(self._forum(http).latest(cut), created, most=FIRST_PAGES):
            deleted = [post for post in page.items if _deleted(post)]
            numbers = _numbers(page.items)
            said = [post for post in page.items if post not in deleted and post.get("post_type", 1) == _REGULAR]
            gone = [self._key(native) for post in deleted if (native := number(post))]
            yield replace(page, items=[_answering(post, numbers) for post in said if not post.get("hidden")], gone=gone)
        yield back.end([Gap(back.bound, back.oldest, why) for why in cut if back.oldest])

    def _found(self, http: httpx.Client, since: str | None, phrase: str) -> Iterator[Page]:
        """The cursor holds the time of the newest post read, and the ids of those read since the overlap began.

        And the topics that are still to be searched by themselves.
        Within a walk only the ids grow: stopped, the next one finds the same and goes on behind them.
        """
        began = datetime.now(UTC)
        place: dict[str, Any] = json.loads(since) if since else {"newest": None, "read": []}
        back = Back.to(place["newest"], self.first_day, OVERLAP)
        forum = self._forum(http)
        found = forum.hits(phrase, back, set(place["read"]), place.get("topics", {}))
        hits, gaps = found.posts, found.gaps
        topics = {**found.searched, **found.left}
        sure = [(at, native, hit) for hit in hits if (at := created(hit)) and (native := number(hit))]
        sure.sort(key=lambda each: each[:2])
        yield Page([hit for hit in hits if not created(hit) or not number(hit)])
        numbers = _numbers(hits)
        read = {native for _, native, _ in sure} & set(place["read"])
        fresh = [each for each in sure if each[1] not in read]
        known = [each for each in reversed(sure) if each[1] in read]
        for _, native, hit in [*fresh[:WHOLE], *known[: max(0, WHOLE - len(fresh))]]:
            post = forum.whole(hit)
            read.add(native)
            told = {"newest": place["newest"], "read": sorted({*read, *place["read"]}), "topics": topics}
            gone = [self._key(native)] if _deleted(post) else []
            yield Page([] if gone else [_answering(post, numbers)], cursor=json.dumps(told), gone=gone)
        reach = back.bound or (sure[0][0] if sure else None)
        if rest := fresh[WHOLE:]:
            last = max(began, rest[-1][0]) + timedelta(seconds=1)
            gaps.append(Gap(rest[0][0], last, f"{len(rest)} posts are read at the next calls, to be polite"))
            unread = {str(number(hit, "topic_id")) for _, _, hit in rest}
            topics = {topic: day for topic, day in topics.items() if topic in found.left or topic in unread}
            told = {"newest": place["newest"], "read": sorted({*read, *place["read"]}), "topics": topics}
            yield Page([], cursor=json.dumps(told), reach=reach, gaps=gaps)
            return
        newest = max((at for at, _, _ in sure if credible(at)), default=back.newest)
        newest = max(filter(None, (newest, back.newest)), default=None)
        if newest is None:
            yield Page([], reach=reach, gaps=gaps)
            return
        kept = [native for at, native, _ in sure if at.date() >= (newest - OVERLAP).date()]
        told = {"newest": newest.isoformat(), "read": sorted(kept), "topics": dict(found.left)}
        yield Page([], cursor=json.dumps(told), reach=reach, gaps=gaps)

    def _forum(self, http: httpx.Client) -> Forum:
        if self.key is None or self.username is None:
            return Forum(http, self.forum, {})
        return Forum(http, self.forum, {"Api-Key": self.key.get_secret_value(), "Api-Username": self.username})

    def _key(self, native: object) -> str:
        address = urlsplit(self.forum)
        return f"discourse:{address.netloc.rpartition('@')[2]}{address.path}/{native}"


def _numbers(posts: list[Item]) -> dict[tuple[int | None, int | None], int | None]:
    """The ids of posts by what others name them: their topic, and their number in it."""
    return {(number(post, "topic_id"), number(post, "post_number")): number(post) for post in posts}


def _answering(post: Item, numbers: dict[tuple[int | None, int | None], int | None]) -> Item:
    """The post with the id of the one it answers, where that was read as well."""
    before = number(post, "reply_to_post_number")
    parent = numbers.get((number(post, "topic_id"), before)) if before else None
    return {**post, "parent_id": parent} if parent else post


def _deleted(post: Item) -> bool:
    return bool(post.get("deleted_at") or post.get("user_deleted"))


def _likes(item: Item) -> int | None:
    """Of the actions on a post the second is the like; nothing is counted where there is none."""
    for action in item.get("actions_summary") or []:
        if action.get("id") == 2:  # noqa: PLR2004 - Discourse's number of the like
            return int(action.get("count") or 0)
    return None

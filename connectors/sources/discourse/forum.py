"""Asking a Discourse forum: its newest posts, its search, one post."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import httpx

from connectors.client import changed, items_of, json_of, refused, throttled
from connectors.contract import Item
from connectors.newest import Back, credible, moment
from connectors.paging import Found, Hidden, by_time
from connectors.patience import LONGEST_WAIT
from connectors.privacy import discreet
from pipeline.coverage import Gap
from pipeline.errors import ChangedError, EarfulError

DEEPEST = 10
"""Pages of one search; Discourse refuses the eleventh. https://docs.discourse.org/#tag/Search"""
FIRST_PAGES = 10
"""How far the very first walk goes back, if no `first_day` says it: 500 posts."""
WINDOW = 50
"""Posts on a page of the newest. An older Discourse gives 50 ids instead, of which some may be no posts."""
EMPTY = 100
"""Such windows in a row without a post that we may read, after which no older ones are looked for."""
TOPICS = 20
"""Topics that are searched by themselves in one call: a search of all shows but one post of each."""
PAUSE, SEARCH_PAUSE = 1.0, 4.0
"""Seconds between two requests, and two searches: a forum allows 60 a minute, and 15 searches or less.
https://meta.discourse.org/t/available-settings-for-global-rate-limits-and-throttling/78612"""

GONE = (404, 410)
_HIDDEN = 403


Topics = Mapping[str, str | None]
"""Topics that are searched by themselves, by their number, each with the day since when (None: all of it)."""


@dataclass(frozen=True)
class Hits:
    """What a search found, and the topics that were searched by themselves and those that are still to be."""

    posts: list[Item]
    searched: Topics
    left: Topics
    gaps: list[Gap]


@dataclass(frozen=True)
class Forum:
    """One forum at its address; the headers hold the key, where there is one."""

    http: httpx.Client
    address: str
    headers: dict[str, str]

    def latest(self, cut: list[str]) -> Iterator[list[Item]]:
        """The newest posts, page by page to the oldest; `cut` says why that was not reached."""
        before, empty = 0, 0
        while before >= 0 and empty <= EMPTY:
            answer = self.get("/posts.json", {"before": before} if before else {})
            posts = json_of(answer, dict).get("latest_posts")
            if not isinstance(posts, list):
                raise changed(answer, "answered no list of posts")
            yield items_of(discreet(posts))
            natives = [native for post in items_of(posts) if (native := number(post)) is not None]
            lowest = min(natives, default=before or 1)
            if before and lowest >= before:
                before, empty = before - WINDOW, empty + 1
            else:
                before, empty = lowest, 0
            if before <= 1:
                return
        if before > 1:
            cut.append(f"before it, {EMPTY * WINDOW:,} posts in a row are not for us to read; older ones may be")

    def hits(self, phrase: str, back: Back, read: set[int], waiting: Topics) -> Hits:
        """What the search finds; then once more in each topic where others may stand before the one it shows.

        Topics that are `waiting` come first, each with the day since when it is searched; those left over wait on.
        """
        hidden, bound, seen = list[Hidden](), back.bound, set[int]()
        walk = by_time(
            lambda day, page: self._search(phrase, bound, day, page, seen=seen),
            second=lambda post: None if (at := credible(created(post))) is None else at.toordinal(),
            native=lambda post: post.get("id"),
            deepest=DEEPEST,
            hidden=hidden,
        )
        hits = [hit for found in islice(walk, None if bound else FIRST_PAGES) for hit in found]
        alone = {number(hit, "topic_id") for hit in hits if hit.get("post_number") == 1}
        shown = {native: hit for hit in hits if (native := number(hit, "topic_id")) and native not in alone}
        unread = {number(hit, "topic_id") for hit in hits if number(hit) not in read}
        fresh = {native for native in shown if native in unread}
        fresh |= seen - shown.keys() - alone  # of hits that do not tell their topic
        ages = {native: age for age, native in enumerate(reversed(shown))}
        listed = [*sorted(fresh, key=lambda native: ages.get(native, -1)), *shown]  # the oldest first, as they are read
        gaps = back.gaps(hidden, "more posts in one day than the forum's search gives", _midnight)
        day = bound.date().isoformat() if bound else None
        topics = {**waiting, **dict.fromkeys(map(str, listed), day), **waiting}
        searched = dict(list(topics.items())[:TOPICS])
        for topic, day in searched.items():
            since = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) if day else None
            for page in range(1, DEEPEST + 1):
                natives = {number(hit) for hit in hits}
                found = self._search(phrase, since, page=page, topic=int(topic))
                hits += [hit for hit in found.items if number(hit) not in natives]
                if not found.more:
                    break
            else:
                why = "more posts in one topic than the forum's search gives"
                gaps.append(Gap(since, datetime.now(UTC), why))
        left = {
            topic: topics[topic]
            for topic in topics
            if topic not in searched and (topic in waiting or int(topic) in fresh)
        }
        if left:
            days = [day for day in left.values() if day]
            start = min(map(datetime.fromisoformat, days)).replace(tzinfo=UTC) if len(days) == len(left) else None
            why = f"in {len(left)} topics only the newest post was found; they are searched at the next calls"
            gaps.append(Gap(start, datetime.now(UTC), why))
        return Hits(hits, searched, left, gaps)

    def _search(
        self,
        phrase: str,
        bound: datetime | None,
        day: int | None = None,
        page: int = 1,
        *,
        topic: int = 0,
        seen: set[int] | None = None,
    ) -> Found:
        words = " ".join(phrase.replace('"', " ").split())
        asked = [f'"{words}"' if " " in words else words, "order:latest"]
        asked += [f"after:{bound.date()}"] if bound else []
        asked += [f"before:{date.fromordinal(day + 1)}"] if day else []
        asked += [f"topic:{topic}"] if topic else []
        answer = self.get("/search.json", {"q": " ".join(asked), "page": page}, pause=SEARCH_PAUSE)
        said = json_of(answer, dict)
        result = said.get("grouped_search_result") or {}
        if not isinstance(said.get("posts"), list) or not isinstance(result, dict):
            raise changed(answer, "answered no list of posts")
        if result.get("error"):
            if "load" in str(result["error"]).casefold():
                raise throttled(answer, "the forum searches nothing for now")
            raise refused(answer, "the forum does not search for that; a longer `phrase` may help")
        titles = {number(each): each for each in items_of(said.get("topics") or [])}
        if seen is not None:  # also of a hit that does not tell its topic
            seen |= {native for native in titles if native}
        posts = items_of(discreet(said["posts"]))
        found = [
            {**post, "topic": {field: title.get(field) for field in ("title", "slug")}}
            if (title := titles.get(number(post, "topic_id")))
            else post
            for post in posts
        ]
        return Found(found, result.get("more_full_page_results") is True)

    def whole(self, hit: Item) -> Item:
        """The post that the search shows a piece of; that piece where the post is not given, deleted if it is gone."""
        answer = self.ask_for(hit["id"])
        if answer.status_code in GONE and told_of(answer):
            return {**hit, "user_deleted": True}
        if not answer.is_success:
            return hit
        post = discreet(json_of(answer, dict))
        if post.get("id") != hit["id"]:
            raise changed(answer, "answered another post")
        return {**hit, **{field: value for field, value in post.items() if value is not None}}

    def ask_for(self, native: object) -> httpx.Response:
        """One post, or a status that says that it is not given."""
        return self.get(f"/posts/{native}.json", {}, expected={*GONE, _HIDDEN})

    def get(
        self, path: str, params: dict[str, Any], *, pause: float = PAUSE, expected: set[int] | None = None
    ) -> httpx.Response:
        """One request, at the pace that the forum bears."""
        asking = {"pause": pause, "explain": explain, "expected": expected or set()}
        return self.http.get(self.address + path, params=params, headers=self.headers, extensions=asking)


def explain(answer: httpx.Response) -> EarfulError | None:
    """A 429 says in its body how long to wait, and a 409 that the forum is overloaded."""
    if answer.status_code == httpx.codes.CONFLICT:
        return throttled(answer, "the forum is overloaded")
    if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
        return None
    try:
        wait = (json_of(answer, dict).get("extras") or {}).get("wait_seconds")
    except (ChangedError, AttributeError):
        return None
    if not isinstance(wait, int | float):
        return None
    longest = LONGEST_WAIT.total_seconds()
    return throttled(answer, "too many requests", timedelta(seconds=min(longest, wait)))


def told_of(answer: httpx.Response) -> bool:
    """Whether the forum itself refuses, in its own words: the page of a proxy before it is no such word."""
    try:
        said = json_of(answer, dict)
    except ChangedError:
        return False
    return isinstance(said.get("errors"), list) or isinstance(said.get("error_type"), str)


def number(item: Item, field: str = "id") -> int | None:
    """An id or number of an item; None where it has none that can be one."""
    value = item.get(field)
    return value if type(value) is int else None


def created(post: Item) -> datetime | None:
    """When it was written."""
    return moment(post.get("created_at"))


def _midnight(day: int) -> datetime | None:
    return datetime.combine(date.fromordinal(day), datetime.min.time(), UTC) if day > 0 else None

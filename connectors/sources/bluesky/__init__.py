"""Bluesky: every post that a search finds. Needs an account and an app password of it."""

import datetime as dt
import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr

from connectors import values
from connectors.client import Address, changed, items_of, json_of
from connectors.contract import Item, Page, Source
from connectors.newest import moment
from connectors.paging import name_of
from connectors.privacy import discreet
from connectors.sources.bluesky.server import Session, error_of, explain
from pipeline.coverage import Gap
from pipeline.errors import ChangedError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAGE = 100
FIRST_PAGES = 20
"""How many pages the very first call goes back where no first day is set."""
BARREN = 5
"""Pages in a row without anything new, each of which names a further one: no such search ends."""
OVERLAP = timedelta(hours=6)
"""Read again at each call: a post may reach the search late, and its author dates it as he likes."""
AHEAD = timedelta(minutes=5)
"""How much an author's clock may be wrong; what is dated later than that was said when the search first saw it."""
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Nothing that was brought along from elsewhere is older; an earlier date is a mistake."""
PAUSE = 0.1
"""Seconds between two requests, for 3,000 are allowed in 5 minutes: https://docs.bsky.app/docs/advanced-guides/rate-limits"""
LOOKED_UP = 25
"""The most posts of one `getPosts`: https://docs.bsky.app/docs/api/app-bsky-feed-get-posts"""
_POST = "app.bsky.feed.post"
_SECOND = timedelta(seconds=1)
_SORTABLE = "234567abcdefghijklmnopqrstuvwxyz"  # the letters of a TID: https://atproto.com/specs/tid


class Bluesky(Source, frozen=True, hide_input_in_errors=True):
    """Posts and replies on Bluesky, found by its search as a signed-in account sees it."""

    label: ClassVar[str] = "Bluesky"
    docs: ClassVar[str] = "https://docs.bsky.app/docs/api/app-bsky-feed-search-posts"
    quiet_after: ClassVar[timedelta] = timedelta(days=7)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=1)
    reply_limit: ClassVar[int | None] = 300
    aside: ClassVar[frozenset[str]] = frozenset({"identifier", "password"})

    kind: Literal["bluesky"] = "bluesky"
    query: str = Field(
        min_length=1, max_length=500, description='What to search for; put words that belong together in "quotes".'
    )
    identifier: str = Field(
        min_length=3,
        description="Handle of the account that asks, such as hike.bsky.social. It may sign in 300 times a day, and "
        "one source called every 15 minutes does so up to 192 times: give each source an account of its own.",
    )
    password: SecretStr = Field(description="An app password of that account: Settings, Privacy and security.")
    api: Address = Field(default="https://bsky.social", description="The server of that account.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From the newest back to the last hours before `since`.

        The cursor holds when the newest post read before was first seen (`newest`); of a walk that was cut also how far
        down it came (`until`) and where it was to end (`since`): that stretch is read first.
        """
        auth = self._session(http)
        state: dict[str, str | None] = json.loads(since) if since else {}
        gaps, reach = list[Gap](), None
        if state.get("until"):
            reach = yield from self._down(http, auth, state, gaps)
            state = {"newest": state["newest"]}
            yield Page([], cursor=json.dumps(state), gaps=gaps)
        first = datetime.combine(self.first_day, dt.time(), UTC) if self.first_day else None
        newest = moment(state.get("newest"))
        start = newest - OVERLAP if newest else first
        fresh = {"newest": state.get("newest"), "since": _told(start) if start else None, "until": None}
        other = yield from self._down(http, auth, fresh)
        cursor = json.dumps({"newest": fresh["newest"]}) if fresh["newest"] else None
        yield Page([], cursor=cursor, reach=reach or other)

    def parse(self, item: Item) -> Mention:
        """A post as the search shows it. Handles change, so its author is known by the DID."""
        record, author, reply = item["record"], item["author"], item["record"].get("reply") or {}
        root, parent = (f"bluesky:{reply[end]['uri']}" if reply else None for end in ("root", "parent"))
        did, _, rkey = item["uri"].removeprefix("at://").split("/")
        return Mention.model_validate(
            {
                "key": f"bluesky:{item['uri']}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT if reply else MentionKind.POST,
                "text": tidy(record["text"]),
                "said_at": _said_at(record.get("createdAt"), datetime.fromisoformat(item["indexedAt"])),
                "url": f"https://bsky.app/profile/{did}/post/{rkey}",
                "author": author.get("handle"),
                "author_id": author["did"],
                "language": _language(record.get("langs")),
                "thread": root or f"bluesky:{item['uri']}",
                "parent": parent,
                "likes": item.get("likeCount"),
                "replies": item.get("replyCount"),
                "reposts": item.get("repostCount"),
            }
        )

    def place(self, item: Item) -> str:
        """The address of the record."""
        return str(item.get("uri"))[:100]

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Those that `getPosts` leaves out and whose record is not found.

        It leaves out what is deleted, but also who blocks our account.
        """
        auth, lost = self._session(http), set[str]()
        for start in range(0, len(keys), LOOKED_UP):
            asked = {key.removeprefix("bluesky:"): key for key in keys[start : start + LOOKED_UP]}
            there = {str(post.get("uri")) for post in self._posts(http, auth, list(asked))}
            lost |= {key for uri, key in asked.items() if uri not in there and self._lost(http, auth, uri)}
        return lost

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """A post of ours under the mention. Its record key is made of mention and text: the same is posted once."""
        if len(text) > 300:  # noqa: PLR2004 - as reply_limit says; graphemes are never more than characters
            raise SettingsError("a reply on Bluesky has at most 300 characters; shorten it")
        auth, uri = self._session(http), mention.key.removeprefix("bluesky:")
        found = [post for post in self._posts(http, auth, [uri]) if post.get("uri") == uri]
        if not found:
            raise SettingsError("this post is no longer on Bluesky: nobody can answer it")
        try:
            parent = {"uri": uri, "cid": found[0]["cid"]}
            root = (found[0]["record"].get("reply") or {}).get("root") or parent
            both = {"root": {"uri": root["uri"], "cid": root["cid"]}, "parent": parent}
        except (LookupError, TypeError, AttributeError):
            raise ChangedError(f"{self.name}: Bluesky shows the post in another form") from None
        record = {
            "$type": _POST,
            "text": text,
            "createdAt": _told(datetime.now(UTC)),
            "reply": both,
        }
        own = {"repo": auth.did, "collection": _POST, "rkey": _record_key(mention, text)}
        before = self._ask(http, auth, "com.atproto.repo.getRecord", own, expected={400, 404})
        if before.is_success:  # sent by a call that never heard the answer
            return str(json_of(before, dict)["uri"])
        url = f"{self.api}/xrpc/com.atproto.repo.createRecord"
        answer = http.post(url, json={**own, "record": record}, auth=auth, extensions={"explain": explain})
        return str(json_of(answer, dict).get("uri") or f"at://{auth.did}/{_POST}/{own['rkey']}")

    def _lost(self, http: httpx.Client, auth: httpx.Auth, uri: str) -> bool:
        """Whether the record is surely no longer there, whoever asks; Bluesky's own server says that only in words."""
        repo, collection, rkey = uri.removeprefix("at://").split("/")
        asked = {"repo": repo, "collection": collection, "rkey": rkey}
        answer = self._ask(http, auth, "com.atproto.repo.getRecord", asked, expected={400, 404})
        return answer.is_error and (
            error_of(answer) == "RecordNotFound"
            or (error_of(answer) == "InvalidRequest" and b"Could not locate record" in answer.content)
        )

    def _session(self, http: httpx.Client) -> Session:
        return Session(http, self.api, self.identifier, self.password)

    def _down(
        self, http: httpx.Client, auth: httpx.Auth, state: dict[str, str | None], gaps: list[Gap] | None = None
    ) -> Generator[Page, None, datetime | None]:
        """All posts of a stretch of time, newest first, and how far back they reach; `state` is kept up to date.

        By time: a page starts in the last second of the one before. By the search's own cursor, an offset, a post would
        be left out for each one that is deleted meanwhile, and "it may not allow scrolling through the entire result
        set". Only within one second, and where time leads to nothing new, we go on by offset, under the same end.

        Where the search names pages without end and nothing is new, the walk fails and the next one tries that stretch
        again; with `gaps`, it is given up and told there.
        """
        end, cursor, barren, known = moment(state["until"]), None, 0, set[str]()
        oldest, pages = end, 0
        while True:
            answer, posts, following = self._found(http, auth, state["since"], end, cursor)
            fresh = [post for post in posts if name_of(post, _uri) not in known]
            known |= {name_of(post, _uri) for post in posts}
            seen = [at for post in posts if (at := moment(post.get("indexedAt")))]
            oldest = min([*seen, *([oldest] if oldest else [])], default=None)
            newest = max([*seen, *([at] if (at := moment(state["newest"])) else [])], default=None)
            state["newest"] = _told(newest) if newest else None
            barren = 0 if fresh else barren + 1
            pages += 1
            stuck = following is not None and (barren >= BARREN or following == cursor)
            if stuck and gaps is None:
                raise changed(answer, "names page after page without anything new")
            if stuck and gaps is not None:
                gaps.append(Gap(moment(state["since"]), end or datetime.now(UTC), "the search found no end there"))
            if following is None or stuck or (state["since"] is None and pages >= FIRST_PAGES):
                yield Page(fresh)
                return moment(state["since"]) or oldest
            lower = min((at for post in posts if (at := _sorted_at(post))), default=None)
            if fresh and lower and (end is None or lower + _SECOND < end):
                end, cursor = lower + _SECOND, None
                state["until"] = _told(end)
            else:
                cursor = following
            yield Page(fresh, cursor=json.dumps(state) if state["newest"] and state["until"] else None)

    def _found(
        self, http: httpx.Client, auth: httpx.Auth, since: str | None, end: datetime | None, cursor: str | None
    ) -> tuple[httpx.Response, list[Item], str | None]:
        """One page of the search, and the cursor of the next."""
        asked = {"since": since, "until": end and _told(end), "cursor": cursor}
        given = {name: value for name, value in asked.items() if value is not None}
        asked = {"q": self.query, "sort": "latest", "limit": str(PAGE), **given}
        answer = self._ask(http, auth, "app.bsky.feed.searchPosts", asked)
        said = json_of(answer, dict)
        posts, following = said.get("posts"), said.get("cursor")
        if not isinstance(posts, list) or not isinstance(following, str | None):
            raise changed(answer, "answered no list of posts")
        return answer, items_of(discreet(posts)), following or None

    def _posts(self, http: httpx.Client, auth: httpx.Auth, uris: list[str]) -> list[Item]:
        answer = self._ask(http, auth, "app.bsky.feed.getPosts", {"uris": uris})
        posts = json_of(answer, dict).get("posts")
        if not isinstance(posts, list):
            raise changed(answer, "answered no list of posts")
        return items_of(posts)

    def _ask(
        self, http: httpx.Client, auth: httpx.Auth, method: str, asked: dict[str, Any], expected: set[int] | None = None
    ) -> httpx.Response:
        more = {"pause": PAUSE, "explain": explain, "expected": expected or set()}
        return http.get(f"{self.api}/xrpc/{method}", params=asked, auth=auth, extensions=more)


def _uri(post: Item) -> str | None:
    uri = post.get("uri")
    return uri if isinstance(uri, str) else None


def _sorted_at(post: Item) -> datetime | None:
    """The latest time that the search may sort a post by: its author's, the server's, or the earlier of the two."""
    record = post.get("record")
    created = moment(record.get("createdAt")) if isinstance(record, dict) else None
    seen = moment(post.get("indexedAt"))
    return max(created, seen) if created and seen else None


def _said_at(created: object, seen: datetime) -> datetime:
    """When its author says it was said, if that can be true; else when it was first seen."""
    said = moment(created)
    return said if said and EARLIEST <= said <= seen + AHEAD else seen


def _told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _language(declared: object) -> str | None:
    """The first of them."""
    return values.language(declared[0]) if isinstance(declared, list) and declared else None


def _record_key(mention: Mention, text: str) -> str:
    """A TID, as posts must have: 53 bits of microseconds, here of the mention's second, and 10 bits of chance."""
    chance = int.from_bytes(hashlib.sha256(f"{mention.key}\n{text}".encode()).digest()[:8])
    moment = int(max(0.0, mention.said_at.timestamp())) * 1_000_000 + (chance >> 10) % 1_000_000
    number = (moment & (1 << 53) - 1) << 10 | chance % 1024
    return "".join(_SORTABLE[number >> 5 * place & 31] for place in reversed(range(13)))

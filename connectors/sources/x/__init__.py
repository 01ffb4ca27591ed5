"""X: every post of the last seven days that a search finds. Needs a paid key; each post read costs money."""

import datetime as dt
import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import ClassVar, Literal

import httpx
from pydantic import Field, SecretStr

from connectors import values
from connectors.client import Address, changed, items_of, json_of
from connectors.contract import Item, Page, Source
from connectors.sources.x.api import answered_at, explain, named, posts_of, problem, weight
from pipeline.coverage import Gap
from pipeline.errors import SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAGE, LEAST = 100, 10
"""The most and the fewest posts of one page: https://docs.x.com/x-api/posts/search-recent-posts"""
WITH_OTHERS = 3
"""The most posts that one found may cost: it comes with the one it answers and the one it quotes."""
SHOWN = timedelta(days=7)
"""How far back the recent search goes."""
OVERLAP = timedelta(minutes=5)
"""Read again at each call, for the search sees some posts late; what was read the same day is not billed again."""
BARREN = 10
"""Pages in a row without a post, each of which names a further one: no such search ends."""
PAUSE = 2.0
"""Seconds between two requests, for 450 are allowed in 15 minutes: https://docs.x.com/x-api/fundamentals/rate-limits"""

_WANTED = {
    "sort_order": "recency",
    "tweet.fields": "author_id,conversation_id,created_at,edit_history_tweet_ids,lang,note_tweet,public_metrics,"
    "referenced_tweets",
    "expansions": "author_id,referenced_tweets.id",
    "user.fields": "public_metrics,username",
}
_SPENT = "the budget of one call was used up; the next call goes on there"
_BORN = 1288834974657  # milliseconds; an id is the time since then and 22 further bits
_DIGITS = re.compile(r"[0-9]{1,19}")  # an id has 64 bits
_OLD_CODES = {"in": "id", "iw": "he", "ji": "yi"}

State = dict[str, str | None]


@dataclass
class _Walk:
    """What one call has left to spend, and what it could not read."""

    left: int
    gaps: list[Gap] = field(default_factory=list)
    began: datetime | None = None
    """When it was first answered, by the clock of X."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    resumes: bool = False
    """Whether it goes on where another was cut: what it cannot read then is given up, lest it come back for ever."""


class X(Source, frozen=True, hide_input_in_errors=True):
    """Posts on X that its recent search finds: the last seven days, and no more of them than you pay for."""

    label: ClassVar[str] = "X"
    docs: ClassVar[str] = "https://docs.x.com/x-api/posts/search-recent-posts"
    quiet_after: ClassVar[timedelta] = timedelta(days=7)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=7)
    reply_limit: ClassVar[int | None] = 280
    aside: ClassVar[frozenset[str]] = frozenset({"token", "budget", "user_token", "recheck"})

    kind: Literal["x"] = "x"
    query: str = Field(
        min_length=1, max_length=4096, description="What to search for, as X writes it: hike -is:retweet."
    )
    token: SecretStr = Field(description="The bearer token of your app.")
    budget: int = Field(
        default=100,
        ge=LEAST * WITH_OTHERS,
        description="The most posts read at one call, with those that they answer or quote. X asks about 0.005 USD for "
        "each and 0.010 for who wrote it: with a call every 15 minutes, 100 can cost 144 USD a day. What is left over "
        "is read at the next call.",
    )
    user_token: SecretStr | None = Field(default=None, description="Your account's token with tweet.write, to reply.")
    recheck: bool = Field(
        default=False,
        description="Look up posts again every 7 days for a month, to know which were deleted; each look costs.",
    )
    api: Address = Field(default="https://api.x.com", description="Where the API answers.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """From the newest back to shortly before `since`, as far as the budget goes; what is left is read first next.

        The cursor holds the newest id read before (`newest`), and the day on which nothing newer was found (`quiet`),
        for X knows no id that is older than what it shows; of an unfinished walk also where it goes on (`token`, and
        the oldest id read, `until`) and where it was to end (`since`).
        """
        state: State = json.loads(since) if since else {}
        walk, reach = _Walk(self.budget), None
        if state.get("until"):
            walk.resumes = True
            reach = yield from self._down(http, state, walk)
            walk.resumes = False
            if state["until"] is not None:
                walk.gaps.append(Gap(_when(state["newest"]), walk.now, _SPENT))
                yield Page([], cursor=json.dumps(state), reach=reach, gaps=walk.gaps)
                return
        newest, first, quiet = state.get("newest"), self.first_day, state.get("quiet")
        after = _when(newest) - OVERLAP if newest else datetime.combine(first, dt.time(), UTC) if first else None
        after = max(after, _day(quiet) - OVERLAP) if after and quiet else after
        start = _id_at(after) if after else None
        fresh: State = {"newest": newest, "since": start, "until": None, "token": None}
        other = yield from self._down(http, fresh, walk)
        left = fresh if fresh["until"] else {"newest": fresh["newest"], **_quiet(fresh["newest"], walk.began, quiet)}
        yield Page([], cursor=json.dumps(left) if fresh["newest"] else None, reach=reach or other, gaps=walk.gaps)

    def parse(self, item: Item) -> Mention:
        """A post, by the id of its first version: each edit makes a new one. Without a time, its id tells it."""
        versions = [str(int(each)) for each in item.get("edit_history_tweet_ids") or [item["id"]]]
        native, first = str(int(item["id"])), versions[0]
        user, counts = item.get("user") or {}, item.get("public_metrics") or {}
        firsts = {**dict.fromkeys(versions, first), **(item.get("firsts") or {})}
        about = {each["type"]: _key(each["id"], firsts) for each in item.get("referenced_tweets") or []}
        text = _text(item)
        if "retweeted" in about and item.get("original"):
            text = "".join(re.findall(r"^RT @\w+: ", text)) + _text(item["original"])
            counts = {}  # those of the post that was passed on
        at = datetime.fromisoformat(item["created_at"]) if item.get("created_at") else _when(native)
        return Mention.model_validate(
            {
                "key": f"x:{first}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT if "replied_to" in about else MentionKind.POST,
                "text": tidy(text),
                "said_at": at if first == native else _when(first),
                "edited_at": None if first == native else at,
                "url": f"https://x.com/{user.get('username') or 'i'}/status/{native}",
                "author": user.get("username"),
                "author_id": item.get("author_id"),
                "author_reach": (user.get("public_metrics") or {}).get("followers_count"),
                "language": _language(item.get("lang")),
                "thread": _key(item.get("conversation_id") or first, firsts),
                "parent": about.get("replied_to") or about.get("retweeted"),
                "likes": counts.get("like_count"),
                "replies": counts.get("reply_count"),
                "reposts": counts.get("retweet_count"),
            }
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Those that X says it does not find; nothing is asked unless `recheck` is set, for each look costs."""
        lost = set[str]()
        for start in range(0, len(keys) if self.recheck else 0, PAGE):
            asked = ",".join(key.removeprefix("x:") for key in keys[start : start + PAGE])
            said = json_of(self._ask(http, "2/tweets", {"ids": asked}), dict)
            missing = [
                each for each in items_of(said.get("errors") or []) if "/resource-not-found" in str(each.get("type"))
            ]
            lost |= {f"x:{each.get('resource_id') or each.get('value')}" for each in missing}
        return lost & set(keys)

    def length(self, text: str) -> int:
        """As X weighs it: a link counts 23, most scripts but the Latin double."""
        return weight(text)

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """A post of ours under the mention. X itself refuses the same text a second time."""
        if self.user_token is None:
            raise SettingsError(f"{self.name}: to reply on X, set user_token")
        if self.length(text) > (self.reply_limit or 0):
            raise SettingsError(
                "a reply on X has at most 280 characters, a link counting 23 and an emoji 2; shorten it"
            )
        newest = (mention.url or "").rpartition("/")[2]
        native = newest if newest.isdecimal() else mention.key.removeprefix("x:")
        told = {"Authorization": f"Bearer {self.user_token.get_secret_value()}"}
        said = {"text": text, "reply": {"in_reply_to_tweet_id": native}}
        answer = http.post(f"{self.api}/2/tweets", json=said, headers=told, extensions={"explain": explain})
        made = json_of(answer, dict).get("data")
        if not isinstance(made, dict) or not made.get("id"):
            raise changed(answer, "took the reply and named no id")
        return f"https://x.com/i/status/{made['id']}"

    def _down(self, http: httpx.Client, state: State, walk: _Walk) -> Generator[Page, None, datetime | None]:
        """A stretch of posts, newest first, and how far back they reach; in `state`, what is left to read of it."""
        since, barren = state["since"], 0
        while walk.left >= LEAST * WITH_OTHERS:
            at = {"next_token": state["token"]} if state["token"] else {"until_id": state["until"]}
            asked = {name: value for name, value in {"since_id": since, **at}.items() if value}
            wanted = {"query": self.query, "max_results": str(min(PAGE, walk.left // WITH_OTHERS)), **asked, **_WANTED}
            answer = self._ask(http, "2/tweets/search/recent", wanted, {httpx.codes.BAD_REQUEST})
            if answer.status_code == httpx.codes.BAD_REQUEST:
                too_old = next((name for name in asked if name in named(problem(answer))), None)
                if too_old is None:
                    raise explain(answer) or changed(answer, "400, our request is not understood")
                if too_old != "next_token":
                    walk.gaps.append(_forgotten(state, too_old, answered_at(answer) or walk.now))
                if too_old == "until_id":
                    break
                since = None if too_old == "since_id" else since  # without it, as far back as X shows
                state["token"] = None  # without it, from the id it stood at
                continue
            said = json_of(answer, dict)
            posts, meta = posts_of(answer, said), said["meta"]
            walk.left -= len(posts) + len((said.get("includes") or {}).get("tweets") or [])
            walk.now = answered_at(answer) or datetime.now(UTC)
            walk.began = walk.began or answered_at(answer)
            ids = [int(str(post["id"])) for post in posts if _DIGITS.fullmatch(str(post.get("id")))]
            token, barren = meta.get("next_token"), 0 if ids else barren + 1
            if ids:
                state["newest"] = str(max(*ids, int(state["newest"] or 0)))
                state["until"] = str(min(*ids, int(state["until"] or ids[0])))
            if not token:
                yield Page(posts)
                break
            if token == state["token"] or barren >= BARREN:
                if not walk.resumes:
                    raise changed(answer, "names page after page without anything new")
                end = _when(state["until"]) if state["until"] else walk.now
                walk.gaps.append(Gap(_when(since) if since else None, end, "X names page after page and nothing new"))
                yield Page(posts)
                break
            state["token"] = str(token)
            yield Page(posts, cursor=json.dumps(state) if state["until"] else None)
        else:
            end = _when(state["until"]) if state["until"] else walk.now
            walk.gaps.append(Gap(_when(since) if since else None, end, _SPENT))
            return _when(state["since"]) if state["since"] else end
        oldest, state["until"] = state["until"], None
        return _when(state["since"] or oldest) if state["since"] or oldest else None

    def _ask(self, http: httpx.Client, path: str, asked: dict[str, str], expect: Iterable[int] = ()) -> httpx.Response:
        told = {"Authorization": f"Bearer {self.token.get_secret_value()}"}
        more = {"pause": PAUSE, "explain": explain, "expected": set(expect)}
        return http.get(f"{self.api}/{path}", params=asked, headers=told, extensions=more)


def _day(told: str) -> datetime:
    return datetime.combine(dt.date.fromisoformat(told), dt.time(), UTC)


def _quiet(newest: str | None, began: datetime | None, before: str | None) -> State:
    """The day of a walk that read all there is, where its newest post is older than that."""
    day = max(before or "", f"{began:%Y-%m-%d}" if began else "")
    return {"quiet": day} if day and _day(day) > _when(newest) else {}


def _forgotten(state: State, too_old: str, now: datetime) -> Gap:
    start = _when(state["since"]) if state["since"] else None
    end = _when(state["until"]) if too_old == "until_id" else now - SHOWN
    return Gap(start, max(start or end, end), "X shows the last seven days only")


def _text(post: Item) -> str:
    """The whole text; a long post has it in a note. X escapes `&`, `<` and `>` and nothing else."""
    note = post.get("note_tweet")
    return unescape((note.get("text") if isinstance(note, dict) else None) or post["text"])


def _key(native: object, firsts: dict[str, str]) -> str:
    """A mention's key: the id of its first version, where it is known."""
    return f"x:{int(firsts.get(str(native), str(native)))}"


def _when(native: str | int | None) -> datetime:
    return datetime.fromtimestamp(((int(native or 0) >> 22) + _BORN) / 1000, UTC)


def _id_at(at: datetime) -> str:
    return str(max(0, int(at.timestamp() * 1000) - _BORN) << 22)


def _language(declared: object) -> str | None:
    """As ISO 639-1: X still writes three of them as they were long ago; "und" and such are none."""
    code = values.language(declared)
    return _OLD_CODES.get(code, code) if code else None

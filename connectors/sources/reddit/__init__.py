"""Reddit: posts that a search finds and comments that say a phrase. Without a key, only what a small feed shows."""

import datetime as dt
import json
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, Self

import httpx
from pydantic import Field, SecretStr, model_validator

from connectors.auth import Fetched, Token
from connectors.client import Address, changed, items_of, json_of
from connectors.contract import Item, Page, Source
from connectors.sources.reddit.feed import FED, search_feed
from connectors.sources.reddit.refusals import explain, not_taken
from pipeline.coverage import Gap
from pipeline.errors import RecordError, RefusedError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain, tidy

PAGE, DEEPEST = 100, 10
"""Reddit gives 100 to a page, and about 1,000 in all: https://www.reddit.com/dev/api#listings"""
NEARLY_ALL = 900
"""A listing that ends after so many was cut."""
OVERLAP = timedelta(days=1)
"""Read again at each call, for people edit and delete."""
PAUSE = 1.0
"""Seconds between two requests, for 100 are allowed in a minute:
https://support.reddithelp.com/hc/en-us/articles/16160319875092-Reddit-Data-API-Wiki"""
ANCHORS = 3
"""How many posts of a page are tried as the place to go on from, if the page behind the last one is empty."""

_SHELLS = ("[deleted]", "[removed]", "[ Removed by Reddit ]")
_REMOVERS = (
    "anti_evil_ops", "author", "automod_filtered", "community_ops", "content_takedown", "copyright_takedown",
    "deleted", "moderator", "reddit",
)  # fmt: skip
Ask = Callable[[str | None], tuple[httpx.Response, list[Item], str | None]]
"""Asks for the page after a full name, and gives its items and the full name to go on from."""


class Reddit(Source, frozen=True, hide_input_in_errors=True):
    """Posts on Reddit found by its search, and comments of one community; new keys need Reddit's approval."""

    label: ClassVar[str] = "Reddit"
    docs: ClassVar[str] = "https://www.reddit.com/dev/api#GET_search"
    quiet_after: ClassVar[timedelta] = timedelta(days=7)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=1)
    reply_limit: ClassVar[int | None] = 10_000
    aside: ClassVar[frozenset[str]] = frozenset({"agent", "client_secret", "username", "password"})

    kind: Literal["reddit"] = "reddit"
    query: str = Field(
        min_length=1, max_length=512, description='What to search for; put words that belong together in "quotes".'
    )
    subreddit: str | None = Field(
        default=None, pattern=r"^\w{2,50}$", description="Only in this community, without the r/."
    )
    comments: str | None = Field(
        default=None, min_length=2, description="Hear comments of that community as well, if they say this."
    )
    agent: str = Field(
        pattern=r"^[\x20-\x7e]{8,256}$", description="Who asks, as Reddit demands: platform:app:version (by /u/name)."
    )
    client_id: str | None = Field(default=None, description="The id of your app; without it the public feed is read.")
    client_secret: SecretStr | None = Field(default=None, description="The secret of your app.")
    username: str | None = Field(default=None, description="The account that replies, only to reply.")
    password: SecretStr | None = Field(default=None, description="Its password, only to reply.")
    api: Address = Field(default="https://oauth.reddit.com", description="Where the API answers.")
    site: Address = Field(default="https://www.reddit.com", description="Where keys are given and the feed lies.")

    @model_validator(mode="after")
    def _in_pairs(self) -> Self:
        for one, other in (("client_id", "client_secret"), ("username", "password")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"{one} and {other} belong together: set both or neither")
        if self.comments and not (self.subreddit and self.client_id):
            raise ValueError("comments are heard in a subreddit, with a client_id")
        return self

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """Each listing from its newest back to the last day before the newest heard, which the cursor holds for each.

        Never from an anchor (`before`): if that post is deleted, Reddit answers that there is nothing new, for ever.
        With it are the comments of that day that said the phrase (`said`), for an edit may take it out of them.
        """
        newest: dict[str, Any] = json.loads(since) if since else {}
        asks, said = self._asks(http), dict[str, float](newest.get("said", {}))
        gaps, reaches = list[Gap](), list[datetime]()
        for name, ask in asks.items():
            last, reach = yield from self._listing(ask, newest.get(name), gaps, said)
            newest |= {} if last is None else {name: last}
            reaches += [reach] if reach else []
            if name != list(asks)[-1]:
                yield Page([], cursor=json.dumps(newest) if newest else None)  # newest first: safe only now
        if self.comments:
            newest["said"] = {
                name: at
                for name, at in sorted(said.items())
                if at >= newest.get("comments", 0.0) - OVERLAP.total_seconds()
            }
        reach = max(reaches) if len(reaches) == len(asks) else None
        yield Page([], cursor=json.dumps(newest) if newest else None, reach=reach, gaps=gaps)

    def parse(self, item: Item) -> Mention:
        """A post or a comment. A comment carries the title of its post, which is somebody else's."""
        said = item["data"]
        name, link = said["name"], said.get("permalink")
        post = name.startswith("t3_")
        if not post and not name.startswith("t1_"):
            raise RecordError("neither a post nor a comment")
        root = name if post else said["link_id"]
        own = plain(said["html"]) if "html" in said else tidy(said["selftext"] if post else said["body"])
        author, edited = said.get("author"), said.get("edited")
        return Mention.model_validate(
            {
                "key": f"reddit:{name}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.POST if post else MentionKind.COMMENT,
                "title": tidy(said["title"]) if post else said.get("link_title"),
                "text": own or (tidy(said["title"]) if post else own),
                "said_at": datetime.fromtimestamp(said["created_utc"], UTC),
                "edited_at": datetime.fromtimestamp(edited, UTC) if type(edited) in {int, float} else None,
                "url": f"https://www.reddit.com{link.partition('?')[0]}"
                if str(link).startswith("/")
                else _address(root, name),
                "author": None if author in _SHELLS else author,
                "author_id": said.get("author_fullname"),
                "thread": f"reddit:{root}",
                "parent": None if post else f"reddit:{said.get('parent_id') or root}",
                "likes": None if said.get("score_hidden") else said.get("score"),
                "replies": said.get("num_comments") if post else None,
                "reposts": said.get("num_crossposts"),
            }
        )

    def place(self, item: Item) -> str:
        """The full name."""
        return _name(item)[:100]

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Those of which only a shell is left. Without a key, nothing can be looked up."""
        if self.client_id is None:
            return set()
        auth, lost = self._auth(http), set[str]()
        for start in range(0, len(keys), PAGE):
            names = ",".join(key.removeprefix("reddit:") for key in keys[start : start + PAGE])
            _, children, _ = self._page(http, auth, "/api/info", {"id": names})
            lost |= {key for child in children if (key := _shell(child))}
        return lost & set(keys)

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """A comment of ours under the mention. Reddit knows no keys: sent twice, it stands there twice."""
        if not self.username or not self.password:
            raise SettingsError(f"{self.name}: to reply on Reddit, set username and password, with client_id")
        if len(text) > 10_000:  # noqa: PLR2004 - as reply_limit says
            raise SettingsError("a reply on Reddit has at most 10,000 characters; shorten it")
        who = {"grant_type": "password", "username": self.username, "password": self.password.get_secret_value()}
        answer = http.post(
            f"{self.api}/api/comment",
            data={"api_type": "json", "thing_id": mention.key.removeprefix("reddit:"), "text": text},
            headers={"User-Agent": self.agent},
            auth=self._auth(http, who),
            extensions={"explain": explain},
        )
        said = json_of(answer, dict).get("json")
        faults = said.get("errors") if isinstance(said, dict) else None
        if faults:
            raise not_taken(answer, faults)
        try:
            made = said["data"]["things"][0]["data"]
            return f"https://www.reddit.com{made['permalink']}" if made.get("permalink") else str(made["name"])
        except (LookupError, TypeError, AttributeError):
            raise changed(answer, "took the reply and named no comment") from None

    def _asks(self, http: httpx.Client) -> dict[str, Ask]:
        """How each listing is asked for a page, by its name in the cursor."""
        if self.client_id is None:
            return {"feed": lambda _: (*search_feed(http, self.site, self.query, self.subreddit, self.agent), None)}
        auth, size = self._auth(http), {"limit": str(PAGE)}
        wanted = {"q": self.query, "sort": "new", "t": "all", "type": "link", **size}
        if self.subreddit:
            wanted["restrict_sr"] = "true"
        path = f"/r/{self.subreddit or 'all'}"
        asks: dict[str, Ask] = {"posts": lambda after: self._page(http, auth, f"{path}/search", wanted, after)}
        if self.comments:
            asks["comments"] = lambda after: self._page(http, auth, f"{path}/comments", size, after)
        return asks

    def _listing(
        self, ask: Ask, newest: float | None, gaps: list[Gap], said: dict[str, float]
    ) -> Generator[Page, None, tuple[float | None, datetime | None]]:
        """One listing, newest first, to a page that is all older than asked for; its newest time, and its reach."""
        first = datetime.combine(self.first_day, dt.time(), UTC).timestamp() if self.first_day else None
        bound = newest - OVERLAP.total_seconds() if newest else first
        known = newest or bound
        after: str | None = None
        anchors, times, read = list[str](), list[float](), 0
        for _ in range(DEEPEST + ANCHORS):
            answer, children, following = ask(after)
            if not children and anchors:
                after = anchors.pop()  # what stood last may have been deleted meanwhile
                continue
            page = [at for each in children if (at := _second(each)) is not None]
            times, read = [*times, *page], read + len(children)
            shells = [key for child in children if (key := _shell(child))]
            heard = [each for each in children if not _shell(each) and self._hears(each, said)]
            yield Page(heard, gone=shells)
            if self.comments:
                said |= {
                    native: at for each in heard if (native := _name(each)).startswith("t1_") and (at := _second(each))
                }
            if following is None or (bound and page and max(page) < bound):
                break
            if following == after:
                raise changed(answer, "names the same page twice")
            anchors = [_name(each) for each in children[-ANCHORS - 1 : -1]]
            after = following
        oldest = min(times, default=None)
        cut = FED if self.client_id is None else NEARLY_ALL if newest is None else PAGE
        if known and oldest and oldest > known and read >= cut:
            gaps.append(Gap(_at(known), datetime.fromtimestamp(oldest, UTC), "Reddit shows only the newest"))
        return max([*times, *([newest] if newest else [])], default=None), _at(bound or oldest)

    def _hears(self, child: Item, said: dict[str, float]) -> bool:
        """Of the posts all that were found; of the comments those with the phrase, or that had it when last heard."""
        body = _data(child).get("body")
        if self.comments and isinstance(body, str):
            return self.comments.casefold() in body.casefold() or _name(child) in said
        return child.get("kind") != "t5"  # a community, which the feed finds as well

    def _page(
        self, http: httpx.Client, auth: httpx.Auth, path: str, asked: dict[str, str], after: str | None = None
    ) -> tuple[httpx.Response, list[Item], str | None]:
        params = {"raw_json": "1", **asked, **({"after": after} if after else {})}
        more = {"pause": PAUSE, "explain": explain}
        told = {"User-Agent": self.agent}
        answer = http.get(f"{self.api}{path}", params=params, headers=told, auth=auth, extensions=more)
        listing = json_of(answer, dict).get("data")
        children = listing.get("children") if isinstance(listing, dict) else None
        if not isinstance(children, list):
            raise changed(answer, "answered no listing")
        following = listing.get("after")
        return answer, items_of(children), str(following) if following else None

    def _auth(self, http: httpx.Client, who: dict[str, str] | None = None) -> Fetched:
        secret = self.client_secret.get_secret_value() if self.client_secret else ""
        basic = b64encode(f"{self.client_id}:{secret}".encode()).decode()
        told = {"User-Agent": self.agent, "Authorization": f"Basic {basic}"}

        def ask() -> httpx.Request:
            data = who or {"grant_type": "client_credentials"}
            return http.build_request("POST", f"{self.site}/api/v1/access_token", data=data, headers=told)

        def read(said: dict[str, Any]) -> Token:
            if "error" in said:  # with status 200
                raise RefusedError(f"{self.name}: Reddit refuses the sign-in; check id, secret, username and password")
            return str(said["access_token"]), float(said.get("expires_in") or 3600)

        return Fetched(ask, read)


def _name(child: Item) -> str:
    """The full name."""
    return str(_data(child).get("name"))


def _second(child: Item) -> float | None:
    at = _data(child).get("created_utc")
    return float(at) if isinstance(at, int | float) else None


def _data(child: Item) -> Item:
    said = child.get("data")
    return said if isinstance(said, dict) else {}


def _shell(child: Item) -> str | None:
    """The key of what was deleted or removed, of which Reddit keeps a shell."""
    said = _data(child)
    empty = any(said.get(field) in _SHELLS for field in ("selftext", "body"))
    empty = empty or said.get("removed_by_category") in _REMOVERS
    return f"reddit:{said['name']}" if empty and isinstance(said.get("name"), str) else None


def _at(second: float | None) -> datetime | None:
    return None if second is None else datetime.fromtimestamp(second, UTC)


def _address(root: str, name: str) -> str:
    end = "" if root == name else f"_/{name.removeprefix('t1_')}/"
    return f"https://www.reddit.com/comments/{root.removeprefix('t3_')}/{end}"

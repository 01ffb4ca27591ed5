"""Instagram: comments below an own account's posts, posts that tag it, and hashtags."""

import json
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, ClassVar, Literal

import httpx
from pydantic import Field, SecretStr, StringConstraints

from connectors.client import Address, changed, items_of
from connectors.contract import Item, Page, Source
from connectors.graph import API, Graph, NotThereError, next_page, unread
from connectors.newest import Back, moment
from pipeline.coverage import Gap
from pipeline.errors import SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

PAGE = 50
FIRST_PAGES = 10
"""Pages of posts with our tag, and of each hashtag, that a first call reads."""
TAGS = 30
"""Hashtags that Instagram lets one account ask for in 7 days."""
SHOWN = timedelta(hours=24)
"""So far back Instagram gives what has a hashtag:
https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-hashtag/recent-media"""
REREAD = timedelta(days=7)
"""Read again at each call: a post may get our tag days after it was posted."""
LATE = timedelta(hours=2)
"""How much later than it was posted something with a hashtag may show up."""

_MEDIA = "id,caption,media_type,timestamp,permalink,like_count,comments_count"
_SAID = "id,text,timestamp,username,from,like_count"
_COMMENT = f"{_SAID},replies.limit({PAGE}){{{_SAID}}}"


class Instagram(Source, frozen=True, hide_input_in_errors=True):
    """Comments below your own posts, posts you are tagged in, and hashtags if you like. Meta reviews apps that ask."""

    label: ClassVar[str] = "Instagram"
    docs: ClassVar[str] = "https://developers.facebook.com/docs/instagram-platform"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=7)
    reply_limit: ClassVar[int | None] = 300
    aside: ClassVar[frozenset[str]] = frozenset({"token", "app_secret", "posts"})

    kind: Literal["instagram"] = "instagram"
    account: str = Field(pattern=r"^\d{1,30}$", description="The id of your professional account, a number.")
    token: SecretStr = Field(
        description="An access token with instagram_basic, instagram_manage_comments and pages_read_engagement."
    )
    app_secret: SecretStr | None = Field(
        default=None, description="The app's secret, only where the app is set to require a proof of it."
    )
    posts: int = Field(
        default=50, ge=1, le=1_000, description="So many of your newest posts are looked at for comments, at each call."
    )
    hashtags: tuple[Annotated[str, StringConstraints(pattern=r"^\w{1,100}$")], ...] = Field(
        default=(),
        max_length=TAGS,
        description="Hashtags without the #, of the last 24 hours; needs Instagram Public Content Access.",
    )
    api: Address = Field(default=API, description="Where the Graph answers, with its version.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """Own posts with their comments, then posts with our tag, then hashtags; `since` tells the newest time read.

        It also tells the hour in which each hashtag was read last: what Instagram no longer shows since then is a gap.
        All comments below the newest posts are read each time: a reply stands below what it answers, however old it is.
        """
        before = json.loads(since) if since else {}
        graph, back = self._graph(http), Back.to(before.get("newest"), self.first_day, REREAD)
        seen, lost = set[str](), list[NotThereError]()
        posts, cut = yield from self._own(graph, back, seen)
        for post in posts:
            try:
                for said in self._comments(graph, post):
                    yield Page(said)
                    back.note(said, _at)
            except NotThereError as error:  # deleted meanwhile, or hidden: the others are heard all the same
                lost.append(error)
        tagged = graph.lists(f"{self.account}/tags", {"fields": f"{_MEDIA},username", "limit": PAGE})
        yield from back.read(_on("tags", tagged, seen), _at, most=FIRST_PAGES, surely=False)
        heard, hidden = before.get("heard", {}), list[Gap]()
        hours = {}
        for hashtag in self.hashtags:
            last = moment(heard.get(hashtag))
            now, gone = yield from self._recent(graph, back, hashtag, last, seen)
            hidden += gone
            hours[hashtag] = max(now, last or now).replace(minute=0, second=0, microsecond=0).isoformat()
        place = ({"newest": back.newest.isoformat()} if back.newest else {}) | ({"heard": hours} if hours else {})
        gaps = [*unread(back, self.posts, cut=cut, asked=len(posts), lost=lost), *hidden]
        yield Page([], cursor=json.dumps(place, sort_keys=True) if place else None, reach=back.reach, gaps=gaps)

    def parse(self, item: Item) -> Mention:
        """A post or a comment. Instagram names nobody behind a hashtag."""
        said = {"source": self.name, "brand": self.brand, "said_at": moment(item["timestamp"])}
        who = item.get("from") or {}
        author = item.get("username") or who.get("username")
        common = {
            "key": _key(item["id"]) if item["edge"] == "comments" else _key(item["id"], "media/"),
            "author": author,
            "author_id": who.get("id") or author,
            "likes": item.get("like_count"),
        }
        if item["edge"] != "comments":
            media = {
                "kind": MentionKind.POST,
                "text": tidy(item.get("caption") or ""),
                "url": item.get("permalink"),
                "thread": _key(item["id"], "media/"),
                "replies": item.get("comments_count"),
                "by_brand": item["edge"] == "media",
            }
            return Mention.model_validate(said | common | media)
        comment = {
            "kind": MentionKind.COMMENT,
            "text": tidy(item["text"]),
            "url": item.get("permalink"),
            "thread": _key(item["media"], "media/"),
            "parent": _key(item["parent"]) if "parent" in item else _key(item["media"], "media/"),
            "by_brand": who.get("id") == self.account or (author is not None and author == item.get("owner")),
        }
        return Mention.model_validate(said | common | comment)

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Comments the Graph no longer knows, while it shows others. It shows no stranger's post by id."""
        natives = {key: native for key in keys if "/" not in (native := key.partition(":")[2])}
        graph = self._graph(http)
        lost = graph.missing(dict.fromkeys(natives.values()), self._commented(graph))
        return {key for key, native in natives.items() if native in lost}

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """Reply to a comment below an own post; the reply's id."""
        if mention.kind is not MentionKind.COMMENT:
            raise SettingsError(
                "Instagram takes no comment below a stranger's post from a program; answer there by hand"
            )
        if len(text) > (self.reply_limit or 0):
            raise SettingsError(f"{self.label} takes at most {self.reply_limit} characters")
        return self._graph(http).write(f"{mention.key.partition(':')[2]}/replies", text)

    def _graph(self, http: httpx.Client) -> Graph:
        return Graph(http, self.api, self.token, self.app_secret)

    def _own(self, graph: Graph, back: Back, seen: set[str]) -> Generator[Page, None, tuple[list[Item], bool]]:
        """The newest own posts: those that may have comments, and whether there are more posts than are looked at."""
        posts, cut, left = list[Item](), False, self.posts
        asked = {"fields": f"{_MEDIA},username", "limit": PAGE}
        for media in _on("media", graph.lists(f"{self.account}/media", asked), seen):
            yield Page(media[:left])
            back.note(media[:left], _at)
            posts += media[:left]
            cut = len(media) > left
            left -= len(media)
            if cut:
                break
        if cut and back.bound is None:
            back.give_up(back.oldest)
        return [post for post in posts if isinstance(post.get("id"), str) and post.get("comments_count") != 0], cut

    def _commented(self, graph: Graph) -> Iterator[str]:
        """Own posts that have comments, as far as their number tells."""
        for post in next(graph.lists(f"{self.account}/media", {"fields": "id,comments_count", "limit": PAGE})):
            if isinstance(post.get("id"), str) and post.get("comments_count"):
                yield post["id"]

    def _recent(
        self, graph: Graph, back: Back, hashtag: str, last: datetime | None, seen: set[str]
    ) -> Generator[Page, None, tuple[datetime, list[Gap]]]:
        """What has a hashtag, back to the `last` time it was read; the time at Instagram, and what it hides by now."""
        native, now = self._hashtag(graph, hashtag)
        recent = Back(None if last is None else last - LATE)
        asked = {"user_id": self.account, "fields": _MEDIA, "limit": PAGE}
        lists = graph.lists(f"{native}/recent_media", asked, repeats=True)
        yield from recent.read(_on("hashtag", lists, seen), _at, most=FIRST_PAGES)
        start, end = last or back.bound, max(now - SHOWN, recent.whole_since or now - SHOWN)
        if start is None:
            back.give_up(end)
        if start is None or start >= end:
            return now, []
        most = "" if recent.whole_since is None else f", and {FIRST_PAGES} pages of it are read at first"
        return now, [Gap(start, end, f"Instagram shows hashtags for 24 hours only{most}")]

    def _comments(self, graph: Graph, post: Item) -> Iterator[list[Item]]:
        """Comments below a post, each followed by its replies."""
        shown = {
            "edge": "comments",
            "media": post["id"],
            "owner": post.get("username"),
            "permalink": post.get("permalink"),
        }
        for comments in graph.lists(f"{post['id']}/comments", {"fields": _COMMENT, "limit": PAGE}):
            found = []
            for comment in comments:
                replies = comment.pop("replies", None)
                above = {"parent": comment["id"]} if isinstance(comment.get("id"), str) else {}
                found += [comment, *({**each, **above} for each in _replies(graph, comment, replies))]
            yield [{**each, **shown} for each in found]

    def _hashtag(self, graph: Graph, hashtag: str) -> tuple[str, datetime]:
        """A hashtag's id, which never changes, and what time it is at Instagram."""
        answer, said = graph.get("ig_hashtag_search", {"user_id": self.account, "q": hashtag})
        try:
            native = said["data"][0]["id"]
        except (LookupError, TypeError):
            raise changed(answer, "names no id of a hashtag") from None
        try:
            return str(native), parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
        except ValueError:
            return str(native), datetime.now(UTC)


def _on(edge: str, lists: Iterator[list[Item]], seen: set[str]) -> Iterator[list[Item]]:
    """The items with where they stood, which says what they are; without those seen where more is told of them."""
    for items in lists:
        yield [{**item, "edge": edge} for item in items if str(item.get("id")) not in seen]
        seen |= {native for item in items if isinstance(native := item.get("id"), str)}


def _replies(graph: Graph, comment: Item, shown: object) -> list[Item]:
    """All replies to a comment: some stand in it, and where there are more the rest is asked for."""
    if not isinstance(shown, dict) or not isinstance(shown.get("data"), list):
        return []
    if next_page(shown) is None or not isinstance(comment.get("id"), str):
        return items_of(shown["data"])
    lists = graph.lists(f"{comment['id']}/replies", {"fields": _SAID, "limit": PAGE})
    return [reply for replies in lists for reply in replies]


def _key(native: object, where: str = "") -> str:
    if not isinstance(native, str) or not native:
        raise KeyError("id")
    return f"instagram:{where}{native}"


def _at(item: Item) -> datetime | None:
    return moment(item.get("timestamp"))

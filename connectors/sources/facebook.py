"""Facebook: what people write on an own page: comments, posts of visitors, and recommendations."""

import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import Field, SecretStr

from connectors.client import Address
from connectors.contract import Item, Page, Source
from connectors.graph import API, Graph, NotThereError, unread
from connectors.newest import Back, moment
from pipeline.errors import RecordError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import tidy

POSTS_PAGE, PAGE = 50, 100
FIRST_PAGES = 10
"""Pages of comments below one post, and of recommendations, that a first call reads."""
OVERLAP = timedelta(days=2)
"""Read again at each call: for edits, which Facebook does not tell, and for what was held back at first."""

_POST = (
    "id,message,created_time,updated_time,from,permalink_url,shares,"
    "comments.filter(stream).limit(0).summary(true),reactions.limit(0).summary(true)"
)
_COMMENT = "id,message,created_time,from,parent,like_count,comment_count,permalink_url"
_RATING = "created_time,has_rating,has_review,rating,recommendation_type,review_text,reviewer,open_graph_story"


class FacebookPage(Source, frozen=True, hide_input_in_errors=True):
    """Comments, posts of visitors and recommendations on one Facebook page of your own. Meta reviews apps that ask."""

    label: ClassVar[str] = "Facebook page"
    docs: ClassVar[str] = "https://developers.facebook.com/docs/pages-api"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=7)
    reply_limit: ClassVar[int | None] = 8000
    aside: ClassVar[frozenset[str]] = frozenset({"token", "app_secret", "posts"})

    kind: Literal["facebook"] = "facebook"
    page: str = Field(pattern=r"^\d{1,30}$", description="The page's id, a number.")
    token: SecretStr = Field(
        description="A page access token with pages_read_engagement and pages_read_user_content; to reply, with "
        "pages_manage_engagement."
    )
    app_secret: SecretStr | None = Field(
        default=None, description="The app's secret, only where the app is set to require a proof of it."
    )
    ratings: bool = Field(
        default=True, description="Whether to hear recommendations too. Meta ends them with version 22 of the Graph."
    )
    posts: int = Field(
        default=100, ge=1, le=5_000, description="So many of the newest posts are looked at for comments."
    )
    api: Address = Field(default=API, description="Where the Graph answers, with its version.")

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """Posts that changed or were commented on since two days before `since`, the newest time read before.

        A post's `updated_time` moves with each comment, so that only those posts are asked for their comments.
        """
        graph, back = self._graph(http), Back.to(since, self.first_day, OVERLAP)
        followed, lost = list[Item](), list[NotThereError]()
        cut = yield from self._feed(graph, back, followed)
        natives = [self._post_id(post) for post in followed if _total(post, "comments") != 0]
        asked = [native for native in natives if native is not None]
        for native in asked:
            try:
                yield from back.read(self._comments(graph, native), _created, most=FIRST_PAGES, surely=False)
            except NotThereError as error:  # deleted meanwhile, or hidden: the others are heard all the same
                lost.append(error)
        if self.ratings:
            yield from back.read(self._ratings(graph), _created, most=FIRST_PAGES, surely=False)
        yield back.end(unread(back, self.posts, cut=cut, asked=len(asked), lost=lost))

    def parse(self, item: Item) -> Mention:
        """A post, a comment or a recommendation, by the edge on which `pages` found it."""
        said = {"feed": self._post, "comments": self._comment, "ratings": self._rating}[item["edge"]](item)
        return Mention.model_validate(
            {"source": self.name, "brand": self.brand, "said_at": moment(item["created_time"]), **said}
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Posts and comments that the Graph no longer knows, while it shows comments. Of a story it need not tell."""
        graph, natives = (
            self._graph(http),
            {key: native for key in keys if _LOOKED_UP.fullmatch(native := _native(key))},
        )
        lost = graph.missing(dict.fromkeys(natives.values()), self._commented(graph))
        return {key for key, native in natives.items() if native in lost}

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """Comment below a comment, post or recommendation, as the page; the id of what was written."""
        if len(text) > (self.reply_limit or 0):
            raise SettingsError(f"{self.label} takes at most {self.reply_limit} characters")
        native = _native(mention.key)
        if "/" in native:
            raise SettingsError("Facebook names no story of this recommendation; answer there by hand")
        return self._graph(http).write(f"{native}/comments", text)

    def place(self, item: Item) -> str:
        """The edge and the native id."""
        return f"{item.get('edge')}/{item.get('id')}"[:100]

    def _graph(self, http: httpx.Client) -> Graph:
        return Graph(http, self.api, self.token, self.app_secret)

    def _feed(self, graph: Graph, back: Back, followed: list[Item]) -> Generator[Page, None, bool]:
        """The newest posts, of which those that moved are `followed`; whether there are more than are looked at."""
        left, cut = self.posts, False
        for posts in graph.lists(f"{self.page}/feed", {"fields": _POST, "limit": POSTS_PAGE}):
            moved = [{**post, "edge": "feed"} for post in posts[:left] if _moved(post, back.bound)]
            yield Page(moved)
            back.note(moved, _created)
            followed += moved
            cut = len(posts) > left
            left -= len(posts)
            if cut:
                break
        if cut and back.bound is None:
            back.give_up(back.oldest)
        return cut

    def _commented(self, graph: Graph) -> Iterator[str]:
        """Posts that have comments, as far as their number tells."""
        asked = {"fields": "id,comments.filter(stream).limit(0).summary(true)", "limit": POSTS_PAGE}
        for post in next(graph.lists(f"{self.page}/feed", asked)):
            native = self._post_id(post)
            if native and _total(post, "comments"):
                yield native

    def _comments(self, graph: Graph, post: str) -> Iterator[list[Item]]:
        asked = {"fields": _COMMENT, "filter": "stream", "order": "reverse_chronological", "limit": PAGE}
        for comments in graph.lists(f"{post}/comments", asked):
            yield [{**comment, "edge": "comments", "post": post} for comment in comments]

    def _ratings(self, graph: Graph) -> Iterator[list[Item]]:
        """Recommendations; those in one second of which nothing but the time is told are numbered."""
        times = Counter[str]()
        for ratings in graph.lists(f"{self.page}/ratings", {"fields": _RATING, "limit": PAGE}):
            found = []
            for rating in ratings:
                at = str(rating.get("created_time"))
                found.append({**rating, "edge": "ratings", "nth": times[at]})
                times[at] += not (rating.get("reviewer") or rating.get("open_graph_story"))
            yield found

    def _post(self, item: Item) -> Item:
        key = f"facebook:{_required(self._post_id(item), 'id')}"
        shares = item.get("shares") or {}
        return {
            "key": key,
            "kind": MentionKind.POST,
            "text": tidy(item.get("message") or ""),
            "url": item.get("permalink_url"),
            "thread": key,
            "likes": _total(item, "reactions"),
            "replies": _total(item, "comments"),
            "reposts": shares.get("count"),
            **self._author(item.get("from")),
        }

    def _comment(self, item: Item) -> Item:
        """A comment. To some apps Facebook tells no id; then its address does."""
        post = item["post"]
        linked = parse_qs(urlsplit(item.get("permalink_url") or "").query)
        ids = [f"{post.rpartition('_')[2]}_{linked[name][0]}" for name in _LINKED if linked.get(name)]
        told = item.get("parent")
        above = told["id"] if told else ids[1] if len(ids) > 1 else post
        return {
            "key": f"facebook:{_required(item.get('id') or next(iter(ids), None), 'id')}",
            "kind": MentionKind.COMMENT,
            "text": tidy(item.get("message") or ""),
            "url": item.get("permalink_url"),
            "thread": f"facebook:{post}",
            "parent": f"facebook:{_required(above, 'parent')}",
            "likes": item.get("like_count"),
            "replies": item.get("comment_count"),
            **self._author(item.get("from")),
        }

    def _rating(self, item: Item) -> Item:
        """A recommendation: yes or no; before 2018, stars."""
        reviewer, story = item.get("reviewer") or {}, item.get("open_graph_story") or {}
        told, stars = item.get("recommendation_type"), item.get("rating")
        if told in _RECOMMENDED:
            scale: tuple[float | None, ...] = (_RECOMMENDED[told], 0.0, 1.0)
        else:
            scale = (None, None, None) if stars is None else (float(stars), 1.0, 5.0)
        text = tidy(item.get("review_text") or "")
        if scale[0] is None and not text:
            raise RecordError("a recommendation without words or stars")
        who = reviewer.get("id") or item.get("nth", 0)
        return {
            "key": f"facebook:{story.get('id') or 'rating/' + item['created_time'] + '/' + str(who)}",
            "kind": MentionKind.REVIEW,
            "text": text,
            "url": f"https://www.facebook.com/{story['id']}" if story.get("id") else None,
            **dict(zip(("rating", "rating_min", "rating_max"), scale, strict=True)),
            "author": reviewer.get("name"),
            "author_id": reviewer.get("id"),
        }

    def _post_id(self, post: Item) -> str | None:
        """The id, or where Facebook leaves it out what its address tells: .../NAME/posts/POST/."""
        native = post.get("id")
        if isinstance(native, str) and native:
            return native
        steps = urlsplit(str(post.get("permalink_url") or "")).path.strip("/").split("/")
        told = len(steps) == 3 and steps[1] == "posts" and steps[2].isdecimal()  # noqa: PLR2004 - as it reads
        return f"{self.page}_{steps[2]}" if told else None

    def _author(self, who: Item | None) -> Item:
        """Who said it; nobody where Facebook does not tell."""
        who = who or {}
        return {"author": who.get("name"), "author_id": who.get("id"), "by_brand": who.get("id") == self.page}


_LINKED = ("reply_comment_id", "comment_id")
_LOOKED_UP = re.compile(r"[^/]+_[^/]+")
"""Ids of posts and comments; the story of a recommendation has a single number."""
_RECOMMENDED = {"positive": 1.0, "negative": 0.0}


def _created(item: Item) -> datetime | None:
    return moment(item.get("created_time"))


def _moved(post: Item, bound: datetime | None) -> bool:
    """Whether a post was written, edited or commented on since; where Facebook does not tell, it may have been."""
    updated = moment(post.get("updated_time"))
    return bound is None or updated is None or updated >= bound


def _total(post: Item, edge: str) -> int | None:
    summary = post[edge].get("summary") if isinstance(post.get(edge), dict) else None
    total = summary.get("total_count") if isinstance(summary, dict) else None
    return total if type(total) is int else None


def _required(native: Any, field: str) -> str:  # noqa: ANN401 - JSON is anything
    if not isinstance(native, str) or not native:
        raise KeyError(field)
    return native


def _native(key: str) -> str:
    return key.partition(":")[2]

"""YouTube: comments on a channel, on some videos, or on the videos that a search finds. Needs a free key."""

import datetime as dt
import json
import logging
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Annotated, Any, ClassVar, Literal, Self

import httpx
from pydantic import Field, SecretStr, StringConstraints, model_validator

from connectors.client import Address, changed, items_of, json_of
from connectors.contract import Item, Page, Source
from connectors.newest import moment
from connectors.sources.youtube.api import PAGE, SEARCH_COST, Api, explain
from connectors.sources.youtube.threads import snippet_of, with_replies
from connectors.values import identity
from pipeline.coverage import Gap
from pipeline.errors import RefusedError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain, tidy

FOUND, LOOKED_UP = 50, 50
"""The most videos of a page of the search, and ids of a look: https://developers.google.com/youtube/v3/docs"""
FIRST_PAGES = 10
"""How many pages of each channel or video the very first call goes back where no first day is set."""
SEARCH_EVERY = timedelta(hours=6)
LATE = timedelta(days=1)
"""How much later than it was published a video may be found."""
_VideoId = Annotated[str, StringConstraints(pattern=r"^[\w-]{1,64}$")]

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

State = dict[str, Any]
log = logging.getLogger(__name__)


class YouTube(Source, frozen=True, hide_input_in_errors=True):
    """Comments and replies on YouTube, within a budget of the quota's units."""

    label: ClassVar[str] = "YouTube"
    docs: ClassVar[str] = "https://developers.google.com/youtube/v3/docs/commentThreads/list"
    quiet_after: ClassVar[timedelta] = timedelta(days=14)
    recheck_after: ClassVar[timedelta | None] = timedelta(days=7)
    reply_limit: ClassVar[int | None] = 10_000
    aside: ClassVar[frozenset[str]] = frozenset({"key", "units", "recheck_days", "oauth_token"})

    kind: Literal["youtube"] = "youtube"
    key: SecretStr = Field(description="An API key with the YouTube Data API v3 enabled.")
    channel_id: str | None = Field(
        default=None, pattern=r"^[\w-]{1,64}$", description="Your channel (UC...): all comments on it and its videos."
    )
    video_ids: tuple[_VideoId, ...] = Field(default=(), max_length=200, description="Or the comments on these videos.")
    search: str | None = Field(
        default=None, min_length=2, description="Or the newest videos that a search finds, and the comments on them."
    )
    watched: int = Field(default=25, ge=1, le=200, description="How many of the videos found are listened to.")
    units: int = Field(
        default=500,
        ge=2,
        description="The most units of the quota spent at one call; a day has 10,000. A page of comments costs 1, one "
        "of the search, made every 6 hours, 100.",
    )
    recheck_days: int = Field(
        default=7,
        ge=0,
        le=365,
        description="Threads so old are read again, for edits and new replies, those with many replies once a day. "
        "What is replied to older ones is not heard.",
    )
    oauth_token: SecretStr | None = Field(default=None, description="A token with youtube.force-ssl, to reply.")
    api: Address = Field(default="https://www.googleapis.com/youtube/v3", description="Where the API answers.")

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum(map(bool, (self.channel_id, self.video_ids, self.search))) != 1:
            raise ValueError("set one of channel_id, video_ids and search")
        cost = SEARCH_COST * self._searches
        if self.search and self.units <= cost:
            raise ValueError(f"to watch {self.watched} videos, the search costs {cost} units: give it more units")
        return self

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """Each channel or video from its newest thread back to `recheck_days` before the newest heard.

        The cursor holds for each the newest heard (`seen`), how many replies its long threads had and on which day they
        were read (`counts`) and, of an unfinished walk, where it goes on (`token`), where in its long threads
        (`within`) and the newest so far (`top`); and the videos found.
        """
        state: State = json.loads(since) if since else {}
        api, gaps, reaches, closed = self._api(http), list[Gap](), dict[str, datetime](), set[str]()
        if self.search:
            yield from self._look(api, state, gaps)
        named = [self.channel_id] if self.channel_id else self.video_ids or state.get("videos", [])
        places: State = {str(name): dict(state.get("places", {}).get(name, {})) for name in dict.fromkeys(named)}
        state = {**state, "places": places}
        for number, (name, at) in enumerate(places.items()):
            ends = list[str]()
            for token in dict.fromkeys((at.get("token"), None)):  # first what the last walk left, then what is new
                ends += [] if "unread" in ends else [(yield from self._down(api, name, state, token, reaches))]
            closed |= {name} if "closed" in ends else set()
            if "unread" in ends:
                left = [moment(each.get("seen")) for each in list(places.values())[number:]]
                start = min((each for each in left if each), default=None) if all(left) else None
                gaps.append(
                    Gap(start, datetime.now(UTC), f"{self.units} units were used up; the next call goes on there")
                )
                break
        if self.video_ids and len(closed) == len(places):
            raise RefusedError(f"{self.name}: no video can be read: gone, or closed to comments; the operator must act")
        yield Page([], cursor=json.dumps(state), reach=max(reaches.values(), default=None), gaps=gaps)

    def parse(self, item: Item) -> Mention:
        """A comment, or a video that a search found."""
        said = item["snippet"]
        if isinstance(item["id"], dict):
            return self._video(identity(item["id"]["videoId"], "videoId"), said)
        own = identity(item["id"])
        about, parent = item.get("about") or {}, said.get("parentId")
        video = said.get("videoId") or about.get("videoId")
        channel = said.get("channelId") or about.get("channelId")
        place = f"watch?v={video}&lc={own}" if video else f"channel/{channel}?lc={own}"
        author = (said.get("authorChannelId") or {}).get("value")
        at, edited = datetime.fromisoformat(said["publishedAt"]), said.get("updatedAt")
        changed_at = datetime.fromisoformat(edited) if edited else at
        return Mention.model_validate(
            {
                "key": f"youtube:{own}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.COMMENT,
                "text": tidy(said["textOriginal"]) if said.get("textOriginal") else plain(said["textDisplay"]),
                "said_at": at,
                "edited_at": changed_at if changed_at != at else None,
                "url": f"https://www.youtube.com/{place}" if video or channel else None,
                "author": said.get("authorDisplayName"),
                "author_id": author,
                "thread": f"youtube:{parent or own}",
                "parent": f"youtube:{parent}" if parent else None,
                "likes": said.get("likeCount"),
                "replies": item.get("total"),
                "by_brand": author is not None and author == self.channel_id,
            }
        )

    def _video(self, native: str, said: Item) -> Mention:
        title = unescape(said["title"])
        return Mention.model_validate(
            {
                "key": f"youtube:video/{native}",
                "source": self.name,
                "brand": self.brand,
                "kind": MentionKind.POST,
                "title": tidy(title),
                "text": tidy(unescape(said.get("description") or "")) or tidy(title),
                "said_at": said["publishedAt"],
                "url": f"https://www.youtube.com/watch?v={native}",
                "author": unescape(said.get("channelTitle") or "") or None,
                "author_id": said.get("channelId"),
                "thread": f"youtube:video/{native}",
            }
        )

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Those that a look at their ids no longer finds."""
        api, lost = self._api(http), set[str]()
        for what, lead in (("videos", "youtube:video/"), ("comments", "youtube:")):
            mine = [key for key in keys if key.startswith("youtube:video/") == (what == "videos")]
            for start in range(0, len(mine), LOOKED_UP):
                asked = {key.removeprefix(lead): key for key in mine[start : start + LOOKED_UP]}
                there = api.there(what, list(asked))
                lost |= {key for native, key in asked.items() if native not in there}
        return lost

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """A reply of ours in the mention's thread. YouTube knows no keys: sent twice, it stands there twice."""
        if self.oauth_token is None:
            raise SettingsError(f"{self.name}: to reply on YouTube, set oauth_token")
        native = mention.key.removeprefix("youtube:")
        if len(text) > 10_000 or native.startswith("video/"):  # noqa: PLR2004 - as reply_limit says
            raise SettingsError("a reply on YouTube goes to a comment and has at most 10,000 characters")
        said = {"snippet": {"parentId": native.partition(".")[0], "textOriginal": text}}  # replies have no replies
        told = {"Authorization": f"Bearer {self.oauth_token.get_secret_value()}"}
        more = {"explain": explain}
        answer = http.post(f"{self.api}/comments", params={"part": "snippet"}, json=said, headers=told, extensions=more)
        made = json_of(answer, dict).get("id")
        if not isinstance(made, str):
            raise changed(answer, "took the reply and named no id")
        return (mention.url or "").rpartition("lc=")[0] + f"lc={made}" if "lc=" in (mention.url or "") else made

    def _look(self, api: Api, state: State, gaps: list[Gap]) -> Iterator[Page]:
        """The newest videos that the search finds, once in six hours; as many as are listened to."""
        now, before, searched = datetime.now(UTC), moment(state.get("published")), moment(state.get("searched"))
        if searched and now - searched < SEARCH_EVERY:
            return
        start = before - LATE if before else self._first
        asked = {"part": "snippet", "type": "video", "q": self.search, "order": "date", "maxResults": str(FOUND)}
        asked |= {"publishedAfter": start.strftime("%Y-%m-%dT%H:%M:%SZ")} if start else {}
        token, found = None, dict[str, datetime]()
        for _ in range(self._searches):
            api.pay(SEARCH_COST)
            _, said = api.page("search", {**asked, **({"pageToken": token} if token else {})})
            videos = items_of(said["items"])
            yield Page(videos)
            found |= {native: at for native, at in map(_found, videos) if native}
            token = said.get("nextPageToken")
            if not token or not videos:
                break
        times = [at for at in found.values() if at > _LONG_AGO]
        if token and before and min(times, default=before) > before:
            gaps.append(Gap(before, min(times), f"more than {self.watched} videos were published; raise watched"))
        newest = sorted(found, key=found.__getitem__, reverse=True)
        state["videos"] = list(dict.fromkeys([*newest, *state.get("videos", [])]))[: self.watched]
        state["published"] = _told(max([*times, *([before] if before else [])], default=None))
        state["searched"] = _told(now)

    def _down(
        self, api: Api, name: str, state: State, token: str | None, reaches: dict[str, datetime]
    ) -> Generator[Page, None, Literal["read", "unread", "closed", "forgotten"]]:
        """The threads of a channel or video, newest first, to a page that is all older than asked for.

        The listing knows no "since". It stays unread if the units are used up before, and is forgotten if YouTube no
        longer knows the `token` of an earlier call.
        """
        at, kept = state["places"][name], token
        seen, first = moment(at.get("seen")), self._first
        bound = seen - timedelta(days=self.recheck_days) - LATE if seen else first
        kind = "allThreadsRelatedToChannelId" if self.channel_id else "videoId"
        asked = {"part": "snippet,replies", kind: name, "order": "time", "maxResults": str(PAGE)}
        times, met, pages = list[datetime](), set[str](at.get("counts", ()) if token else ()), 0
        while api.pay():
            told = {**asked, **({"pageToken": token} if token else {})}
            answer, said = api.page("commentThreads", told, kept=token is not None and token == kept)
            if answer.status_code == httpx.codes.BAD_REQUEST:
                at.pop("token", None)
                return "forgotten"
            if not said:
                log.warning("%s: video %s is gone, or closed to comments", self.name, name)
                return "closed"
            threads = items_of(said["items"])
            met |= {str(thread.get("id")) for thread in threads}
            items, whole = with_replies(api, threads, at)
            page = [moment(snippet_of(item).get("publishedAt")) for item in items if "total" in item]
            times += [time for time in page if time]
            at["top"] = _told(max([*times, *filter(None, [moment(at.get("top"))])], default=None))
            following, pages = said.get("nextPageToken"), pages + 1
            if not whole:
                yield Page(items, cursor=json.dumps(state))  # the same page again at the next call
                return "unread"
            old = bound is not None and bool(page) and all(time is not None and time < bound for time in page)
            if not following or old or (bound is None and pages >= FIRST_PAGES):
                yield Page(items)
                break
            if following == token:
                raise changed(answer, "names the same page twice")
            token = at["token"] = str(following)
            yield Page(items, cursor=json.dumps(state))
        else:
            return "unread"
        if reach := bound or min(times, default=None):
            reaches[name] = min(reach, reaches.get(name, reach))
        at.pop("token", None)
        at.pop("within", None)
        at["seen"] = _told(max(filter(None, (seen, moment(at.pop("top")))), default=None))
        at["counts"] = {thread: count for thread, count in at["counts"].items() if thread in met}
        return "read"

    @property
    def _searches(self) -> int:
        """Pages of the search, to find as many videos as are watched."""
        return -(-self.watched // FOUND)

    @property
    def _first(self) -> datetime | None:
        return datetime.combine(self.first_day, dt.time(), UTC) if self.first_day else None

    def _api(self, http: httpx.Client) -> Api:
        return Api(http, self.api, self.key, self.units)


def _found(video: Item) -> tuple[str | None, datetime]:
    native, at = video.get("id"), moment(snippet_of(video).get("publishedAt"))
    told = native.get("videoId") if isinstance(native, dict) else None
    return told if isinstance(told, str) else None, at or _LONG_AGO


def _told(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()

"""Instagram: comments and their replies, posts that tag the account, hashtags and what of them is no longer shown."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import ValidationError

from connectors.conform.worlds.facebook import NOT_THERE
from connectors.conform.worlds.instagram import ACCOUNT, MEDIA, InstagramWorld
from connectors.contract import Batch, fetch
from connectors.sources.instagram import REREAD, Instagram
from pipeline.errors import ChangedError, RefusedError, SettingsError, TemporaryError
from pipeline.mention import MentionKind
from tests.connectors.replay import FIXTURES, Replay, exchanges
from tests.connectors.test_recordings import hear, recording
from tests.connectors.worldly import (
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
    refusal,
    sent,
)

SETTINGS = json.loads((FIXTURES / "instagram/settings.json").read_text(encoding="utf-8"))
SOURCE = Instagram.model_validate(SETTINGS)
TAGGED = Instagram.model_validate({**SETTINGS, "hashtags": ["hikeshoes"]})
START = datetime(2026, 10, 5, 12, 30, tzinfo=UTC)


def media(native: int, at: datetime, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a post
    return {"id": str(native), "caption": f"#hikeshoes {native}", "timestamp": at.isoformat(), **more}


class Tag:
    """An account without posts, and one hashtag, whose pages all name the same next page."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.now = START
        self.asked: list[httpx.Request] = []
        self.tags: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        edge = request.url.path.rpartition("/")[2]
        dated = {"date": self.now.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        if edge == "ig_hashtag_search":
            return httpx.Response(200, json={"data": [{"id": "178"}]}, headers=dated)
        if edge != "recent_media":
            return httpx.Response(200, json={"data": self.tags if edge == "tags" else []})
        shown = [
            each for each in self.posts if datetime.fromisoformat(each["timestamp"]) > self.now - timedelta(days=1)
        ]
        shown.sort(key=lambda each: each["timestamp"], reverse=True)
        page = sum("after" in each.url.params for each in self.asked)
        answer: dict[str, Any] = {"data": shown[page * 50 : page * 50 + 50]}
        if len(shown) > page * 50 + 50:
            answer["paging"] = {"cursors": {"after": "same"}, "next": "https://graph.facebook.com/x?after=same"}
        return httpx.Response(200, json=answer)

    def hear(self, since: str | None = None, source: Instagram = TAGGED) -> list[Batch]:
        self.asked.clear()
        with client(self) as http:
            return list(fetch(source, http, since))


def keys(batches: list[Batch]) -> set[str]:
    return {mention.key for batch in batches for mention in batch.mentions}


def test_a_busy_account_is_heard_whole() -> None:
    town = hears_everything(InstagramWorld(), Instagram)
    assert town.reach == max(each.at for each in town.said) - REREAD


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(InstagramWorld(), Instagram)


def test_only_what_was_deleted_is_gone_and_a_strangers_post_cannot_be_looked_up() -> None:
    knows_what_is_gone(InstagramWorld(), Instagram)
    with client(refusal(400, {"error": NOT_THERE})) as http:
        assert SOURCE.gone(http, ["instagram:media/17892354025952911"]) == set()
        with pytest.raises(RefusedError):
            SOURCE.gone(http, ["instagram:17858154961981086"])


def test_a_hashtag_is_read_to_its_end_though_all_its_pages_are_named_the_same() -> None:
    tag = Tag()
    tag.posts = [media(n, START - timedelta(minutes=n)) for n in range(1, 131)]
    assert len(keys(tag.hear())) == 130


def test_a_hashtag_is_read_back_to_the_last_walk_and_what_came_late() -> None:
    tag = Tag()
    tag.posts = [media(n, START - timedelta(minutes=n)) for n in range(1, 131)]
    cursor = tag.hear()[-1].cursor
    tag.now += timedelta(minutes=30)
    tag.posts += [media(500, START + timedelta(minutes=20)), media(501, START - timedelta(minutes=50, seconds=1))]
    heard = tag.hear(cursor)
    assert {"instagram:media/500", "instagram:media/501"} <= keys(heard)
    assert not heard[-1].gaps


def test_who_calls_after_more_than_a_day_is_told_what_instagram_no_longer_shows() -> None:
    tag = Tag()
    tag.posts = [media(1, START - timedelta(minutes=1))]
    cursor = tag.hear()[-1].cursor
    tag.now += timedelta(days=3)
    (gap,) = tag.hear(cursor)[-1].gaps
    assert (gap.start, gap.end) == (START.replace(minute=0), tag.now - timedelta(days=1))
    (gap,) = tag.hear(None, TAGGED.model_copy(update={"first_day": date(2026, 9, 1)}))[-1].gaps
    assert gap.start == datetime(2026, 9, 1, tzinfo=UTC)


def test_a_post_that_tags_us_keeps_its_author_though_the_hashtag_names_none() -> None:
    tag = Tag()
    tag.posts = [media(7, START - timedelta(minutes=1))]
    tag.tags = [media(7, START - timedelta(minutes=1), username="dan")]
    (mention,) = [mention for batch in tag.hear() for mention in batch.mentions]
    assert mention.author == "dan"
    tag.tags = []
    (mention,) = [mention for batch in tag.hear() for mention in batch.mentions]
    assert (mention.author, mention.author_id, mention.kind) == (None, None, MentionKind.POST)


def test_each_hashtag_goes_back_to_where_it_was_read_itself() -> None:
    tag = Tag()
    tag.posts = [media(n, START - timedelta(minutes=n)) for n in range(1, 301)]
    cursor = tag.hear(None, TAGGED.model_copy(update={"hashtags": ("other",)}))[-1].cursor
    assert set(json.loads(cursor or "")["heard"]) == {"other"}
    late = tag.hear(cursor)
    assert len(keys(late)) == 300  # the new one is read to its end, though another was read just now
    assert set(json.loads(late[-1].cursor or "")["heard"]) == {"hikeshoes"}


def test_an_own_post_that_tags_us_too_stays_ours() -> None:
    tag = Tag()
    own = media(7, START, username="hike", comments_count=0)
    tag.tags = [own]

    def place(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [own]}) if request.url.path.endswith("/media") else tag(request)

    with client(place) as http:
        heard = [mention for batch in fetch(SOURCE, http, None) for mention in batch.mentions]
    assert [each.by_brand for each in heard] == [True]


def test_a_hashtag_without_an_id_is_named_and_thirty_are_the_most() -> None:
    with client(refusal(200, {"data": []})) as http, pytest.raises(ChangedError, match="no id of a hashtag"):
        list(fetch(TAGGED, http, None))
    with pytest.raises(ValidationError):
        Instagram.model_validate({**SETTINGS, "hashtags": [f"tag{n}" for n in range(31)]})


def test_more_replies_than_stand_in_a_comment_are_asked_for() -> None:
    def said(native: int) -> dict[str, Any]:
        return {"id": str(native), "text": f"Reply {native}", "timestamp": "2026-10-05T12:00:00+0000"}

    more = {"cursors": {"after": "x"}, "next": "https://graph.facebook.com/x?after=x"}
    top = {**said(1), "replies": {"data": [said(2)], "paging": more}}
    answers = {
        f"{ACCOUNT}/media": [{"id": MEDIA, "timestamp": "2026-10-05T10:00:00+0000", "username": "hike"}],
        f"{MEDIA}/comments": [top],
        "1/replies": [said(2), said(3)],
    }

    def place(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": answers.get(request.url.path.removeprefix("/v21.0/"), [])})

    with client(place) as http:
        heard = [mention for batch in fetch(SOURCE, http, None) for mention in batch.mentions]
    assert [each.key for each in heard][1:] == ["instagram:1", "instagram:2", "instagram:3"]
    assert {each.parent for each in heard[2:]} == {"instagram:1"}


def test_our_own_comments_are_the_brands() -> None:
    at = {"id": "1", "timestamp": "2026-10-05T12:00:00+0000", "text": "Sorry", "edge": "comments", "media": "9"}
    assert SOURCE.parse({**at, "from": {"id": ACCOUNT}}).by_brand
    assert SOURCE.parse({**at, "username": "hike", "owner": "hike"}).by_brand
    assert not SOURCE.parse({**at, "username": "ana", "owner": "hike"}).by_brand
    assert not SOURCE.parse(at).by_brand


def test_a_reply_goes_below_a_comment_and_never_below_a_strangers_post() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"id": "17873440459141021"})

    replay = Replay(exchanges("instagram"))
    heard = {each.key: each for each in hear(SOURCE, replay)[0]}
    with client(answer) as http:
        comment = heard["instagram:17858154961980005"]
        assert SOURCE.reply(http, comment, "*sniff*") == "17873440459141021"
        with pytest.raises(SettingsError, match="300"):
            SOURCE.reply(http, comment, "x" * 301)
        with pytest.raises(SettingsError, match="by hand"):
            SOURCE.reply(http, heard["instagram:media/17892354025950002"], "Sorry")
    request = sent(asked, "POST")
    assert request.url == "https://graph.facebook.com/v21.0/17858154961980005/replies"
    assert parse_qs(request.content.decode()) == {"message": ["*sniff*"]}


def test_a_limit_is_temporary_here_too() -> None:
    with client(refusal(400, {"error": {"code": 80_002}})) as http, pytest.raises(TemporaryError, match="80002"):
        list(fetch(SOURCE, http, None))


def test_the_recorded_comments_tags_and_mentions(shared: Path) -> None:
    folder = shared / "fixtures/instagram"
    api = "https://graph.facebook.com/v11.0"
    comments = recording(folder / "media_comments_2_pages.json", **{"v11.0/x/comments": f"v11.0/{MEDIA}/comments"})
    mentions = recording(folder / "mentions.json")
    own = {"request": {"method": "GET", "url": f"{api}/17841406338772941/media"}}
    post = {"id": MEDIA, "timestamp": "2020-02-13T10:35:40+0000", "username": "ikroskun"}
    own["response"] = {"json": {"data": [post]}}
    source = Instagram(name="i", account="17841406338772941", token="k", api=api)
    heard, cursor, refused = hear(source, Replay([own, *comments, mentions[2]], in_order=True))
    assert [each.key for each in heard] == [
        f"instagram:media/{MEDIA}",
        "instagram:17858154961981086",
        "instagram:17874875428706419",
        "instagram:17892250648466172",
        "instagram:17914413430382429",
        "instagram:media/17892354025952911",
        "instagram:media/17997587032316367",
        "instagram:media/17913531439230186",
        "instagram:media/17978630677077508",
    ]
    assert refused == 0
    assert heard[1].said_at == datetime(2020, 6, 1, 10, 56, 52, tzinfo=UTC)
    assert heard[3].text == "@ikroskun Hey, guys"
    assert (heard[5].likes, heard[5].replies, heard[5].text) == (2, 0, "publish test")
    assert heard[-1].text == ""
    assert json.loads(cursor or "{}") == {"newest": "2021-03-16T12:02:14+00:00"}
    pushed = mentions[1]["response"]["json"]["mentioned_comment"]
    assert source.parse({**pushed, "edge": "comments", "media": "1"}).author == "ikroskun"


def test_the_recorded_hashtag_which_tells_no_times_is_kept_aside(shared: Path) -> None:
    told = recording(shared / "fixtures/instagram/hashtag_recent_media_2_pages.json")
    tag = Tag()
    replay = Replay(told, in_order=True)

    def place(request: httpx.Request) -> httpx.Response:
        return replay.handle_request(request) if request.url.path.endswith("recent_media") else tag(request)

    source = TAGGED.model_copy(update={"api": "https://graph.facebook.com/v11.0"})
    for exchange in told:
        exchange["request"]["url"] = "https://graph.facebook.com/v11.0/178/recent_media"
    with client(place) as http, pytest.raises(ChangedError, match="none of 10 items"):
        list(fetch(source, http, None))
    assert replay.unused == []

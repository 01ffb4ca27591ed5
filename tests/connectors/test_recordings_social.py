"""Recordings of Bluesky, X, Reddit and YouTube, replayed where they lie beside the checkout."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.contract import fetch
from connectors.sources.bluesky import Bluesky
from connectors.sources.reddit import Reddit
from connectors.sources.x import X
from connectors.sources.youtube import YouTube
from pipeline.errors import ChangedError, RefusedError, TemporaryError
from tests.connectors.replay import Replay
from tests.connectors.test_bluesky import TOKENS, signed_in
from tests.connectors.test_recordings import hear, recording
from tests.connectors.test_reddit import KEYS, TOKEN, behind_a_token, fed
from tests.connectors.test_youtube import heard
from tests.connectors.worldly import client, refusal

SESSION = {"request": {"method": "POST", "url": "https://bsky.social/xrpc/com.atproto.server.createSession"}}
SESSION |= {"response": {"json": TOKENS}}
LIVE = Bluesky(name="b", query="redistricting", identifier="ears.example", password="sesame")


def test_the_search_recorded_of_bluesky_is_heard_whole(shared: Path) -> None:
    told = recording(shared / "fixtures/bluesky/search_posts_3_pages.json")
    replay = Replay([SESSION, *told], in_order=True)
    mentions, cursor, refused = hear(LIVE, replay)
    posts = [each for one in told for each in one["response"]["json"]["posts"]]
    assert [mention.key for mention in mentions] == [f"bluesky:{each['uri']}" for each in posts]
    assert (len(mentions), refused) == (25, 0)
    assert len({mention.key for mention in mentions}) == 25
    assert mentions[0].said_at == datetime(2025, 5, 19, 17, 10, 9, 561858, tzinfo=UTC)
    assert mentions[0].author == "socpaperbot.bsky.social"
    assert mentions[1].language == "en"
    assert (mentions[1].likes, mentions[1].replies, mentions[1].reposts) == (4, 0, 3)
    assert mentions[2].parent == "bluesky:at://did:plc:7nagdvjqrzaquzk7mueohne5/app.bsky.feed.post/3lpjzgltpa22l"
    assert mentions[2].thread == "bluesky:at://did:plc:7nagdvjqrzaquzk7mueohne5/app.bsky.feed.post/3lpjy3eabqs2l"
    assert json.loads(cursor or "") == {"newest": "2025-05-19T17:10:09.813Z"}
    assert hear(LIVE, replay, cursor) == ([], cursor, 0)
    assert replay.unused == []


def test_every_refusal_recorded_of_bluesky_says_who_must_act(shared: Path) -> None:
    kinds = [RefusedError, RefusedError, RefusedError, TemporaryError, ChangedError]
    told = recording(shared / "fixtures/bluesky/errors.json")
    for one, kind in zip(told, kinds, strict=True):
        response = one["response"]
        body = {"json": response["json"]} if "json" in response else {"text": response["text"]}
        answer, _ = signed_in(httpx.Response(response["status"], headers=response["headers"], **body))
        with client(answer) as http, pytest.raises(kind):
            list(fetch(LIVE, http, None))


def test_the_pages_recorded_of_x_are_heard_whole(shared: Path) -> None:
    told = recording(shared / "fixtures/x/search_recent_expanded_3_pages.json")
    replay = Replay(told, in_order=True)
    source = X(name="x", query="from:Reuters", token="sesame", budget=1000, api="https://api.twitter.com")
    mentions, cursor, refused = hear(source, replay)
    posts = [each for one in told for each in one["response"]["json"].get("data", [])]
    assert [mention.key for mention in mentions] == [f"x:{each['id']}" for each in posts]
    assert (len(mentions), refused) == (30, 0)
    assert {mention.author for mention in mentions} == {"Reuters"}
    first = mentions[0]
    assert first.said_at == datetime(2020, 1, 23, 4, 45, 58, tzinfo=UTC)
    assert (first.likes, first.replies, first.reposts, first.language) == (9, 0, 6, "en")
    assert first.url == "https://x.com/Reuters/status/1220206014030589953"
    assert first.thread == first.key
    assert cursor == '{"newest": "1220206014030589953"}'
    assert hear(source, replay, cursor) == ([], cursor, 0)
    assert replay.unused == []


def test_a_page_recorded_of_x_with_default_fields_is_heard_as_well(shared: Path) -> None:
    told = recording(shared / "fixtures/x/search_recent.json")
    told[0]["response"]["json"]["meta"].pop("next_token")
    source = X(name="x", query="Tweepy", token="sesame", budget=1000, api="https://api.twitter.com")
    mentions, _, refused = hear(source, Replay(told, in_order=True))
    assert (len(mentions), refused) == (10, 0)
    assert mentions[1].text == "2022-10-07 23:06:12.640564 tweepy"
    assert abs(mentions[1].said_at - datetime(2022, 10, 7, 23, 6, 12, tzinfo=UTC)) < timedelta(seconds=1)


def test_every_refusal_recorded_of_x_says_who_must_act(shared: Path) -> None:
    kinds = [RefusedError, RefusedError, RefusedError, TemporaryError, TemporaryError]
    for one, kind in zip(recording(shared / "fixtures/x/errors.json"), kinds, strict=True):
        with client(refusal(one["response"]["status"], one["response"]["json"])) as http, pytest.raises(kind):
            list(fetch(X(name="x", query="x", token="sesame"), http, None))


def test_the_recorded_feed_without_its_communities(shared: Path) -> None:
    batches, _ = fed((shared / "fixtures/reddit/search.rss.xml").read_text(encoding="utf-8"))
    mentions = [mention for batch in batches for mention in batch.mentions]
    assert [mention.key for mention in mentions] == ["reddit:t3_1wpsq2q", "reddit:t3_1wpiwkf"]
    assert mentions[0].text.startswith("Anyone got a Gymshark student")
    assert mentions[0].text.endswith("DMs are open")
    assert (mentions[0].author, mentions[1].text) == ("Training_Gate_3236", "Gymshark (@KayonLDK)")
    assert mentions[0].said_at == datetime(2026, 9, 25, 10, 25, 50, tzinfo=UTC)
    assert mentions[0].url == "https://www.reddit.com/r/Gymshark/comments/1wpsq2q/gymshark_student/"


def live(shared: Path, name: str, path: str, **more: Any) -> tuple[Reddit, Replay]:  # noqa: ANN401 - settings
    told = recording(shared / f"fixtures/reddit/{name}.json", **{path: "/r/all/search"})
    told = [each for each in told if each["request"]["method"] == "GET"]
    return Reddit(name="r", query="praw", **KEYS, **more), Replay([TOKEN, *told], in_order=True)


def test_the_search_recorded_of_reddit_is_heard_whole(shared: Path) -> None:
    source, replay = live(shared, "search", "/r/all/search/")
    mentions, cursor, refused = hear(source, replay)
    assert [mention.key.removeprefix("reddit:t3_") for mention in mentions] == [
        "3gpbiu", "3x4kt2", "3b4erh", "1qvzkd", "3qc02b", "4at068",
    ]  # fmt: skip
    assert refused == 0
    first = mentions[0]
    assert (first.author, first.likes, first.replies) == ("dClauzel", 0, 21)
    assert (first.said_at, first.edited_at) == (
        datetime(2015, 8, 12, 9, 8, 34, tzinfo=UTC),
        datetime(2015, 8, 13, 6, 35, 18, tzinfo=UTC),
    )
    assert (
        first.url == "https://www.reddit.com/r/redditdev/comments/3gpbiu/prawoauth2util_problem_using_get_banned_raise/"
    )
    assert cursor == '{"posts": 1458221634.0}', "the newest of all, wherever it stood"
    assert replay.unused == []


def test_the_recorded_comments_are_heard_and_an_empty_answer_ends_nothing(shared: Path) -> None:
    source, replay = live(shared, "comments_incremental", "/r/kakapo/comments/")
    mentions, cursor, _ = hear(source, replay)
    assert (len(mentions), mentions[0].key, mentions[0].parent) == (16, "reddit:t1_dgauydy", "reddit:t1_dg7dqfd")
    assert mentions[0].said_at == datetime(2017, 4, 15, 16, 48, 28, tzinfo=UTC)
    assert mentions[0].url == "https://www.reddit.com/comments/654eqk/_/dgauydy/"
    assert hear(source, replay, cursor) == ([], cursor, 0)
    again, later, _ = hear(source, replay, cursor)
    assert (len(again), again[0].key) == (17, "reddit:t1_dgd9bcm")
    assert later == '{"posts": 1492415114.0}'


def test_the_recorded_listing_is_walked_to_its_last_page(shared: Path) -> None:
    source, replay = live(shared, "user_listing_11_pages", "/user/spez/")
    mentions, _, refused = hear(source, replay)
    assert replay.unused == []
    assert refused == 0
    assert len({mention.key for mention in mentions}) == len(mentions)


def test_every_refusal_recorded_of_reddit_says_who_must_act(shared: Path) -> None:
    kinds = {
        400: ChangedError,
        401: RefusedError,
        403: RefusedError,
        404: RefusedError,
        409: RefusedError,
        500: TemporaryError,
    }
    told = [each["response"] for each in recording(shared / "fixtures/reddit/errors.json")]
    assert len(told) == 9
    for each in told:
        body = {"json": each["json"]} if "json" in each else {"text": each["text"]}
        place, _ = behind_a_token(httpx.Response(each["status"], **body))
        with client(place) as http, pytest.raises(kinds[each["status"]], match=str(each["status"])):
            list(fetch(Reddit(name="r", query="praw", **KEYS), http, None))


def test_the_recorded_shell_is_gone(shared: Path) -> None:
    told = recording(shared / "fixtures/reddit/comment_deleted.json", **{"/api/info/": "/api/info"})
    with client(Replay([TOKEN, *told[1:]], in_order=True).handle_request) as http:
        assert Reddit(name="r", query="praw", **KEYS).gone(http, ["reddit:t1_d7ltvl0", "reddit:t1_other"]) == {
            "reddit:t1_d7ltvl0"
        }


def test_the_threads_recorded_of_youtube_are_heard_whole_whatever_the_host_does_not_know(shared: Path) -> None:
    told = recording(shared / "fixtures/youtube/comment_threads_2_pages.json")
    replies = recording(shared / "fixtures/youtube/comment_replies_2_pages.json")
    source = YouTube(name="y", key="k", video_ids=("F1UP7wRCPH8",))
    replay = Replay([*told, *replies], in_order=True)
    mentions, cursor, refused_ones = hear(source, replay)
    assert refused_ones == 0
    keys = list(dict.fromkeys(mention.key.removeprefix("youtube:") for mention in mentions))
    assert len(keys) == 8, "five threads, told twice, and three replies"
    assert keys[0] == "UgyZ1jqkHKYvi1-ruOZ4AaABAg"
    first = mentions[0]
    assert (first.text, first.author, first.likes) == ("Google.com", "himani agarwal", 0)
    assert (first.said_at, first.edited_at) == (datetime(2019, 11, 26, 15, 51, 44, tzinfo=UTC), None)
    assert first.url == f"https://www.youtube.com/watch?v=F1UP7wRCPH8&lc={keys[0]}"
    reply = next(mention for mention in mentions if mention.text == "this is the third reply!")
    assert reply.parent == "youtube:Ugw5zYU6n9pmIgAZWvN4AaABAg"
    assert reply.url is not None
    assert "F1UP7wRCPH8" in reply.url
    assert json.loads(cursor or "")["places"]["F1UP7wRCPH8"]["seen"] == "2019-11-26T15:51:44+00:00"
    assert replay.unused == []


def test_the_search_recorded_of_youtube_is_heard_with_its_titles_decoded(shared: Path) -> None:
    told = recording(shared / "fixtures/youtube/search_2_pages.json")
    videos = [each for one in told for each in one["response"]["json"]["items"]]
    source = YouTube(name="y", key="k", search="surfing", watched=100)
    empty = {"request": {"method": "GET", "url": "https://www.googleapis.com/youtube/v3/commentThreads"}}
    mentions, _, _ = hear(source, Replay([*told, {**empty, "response": {"json": {"items": []}}}], in_order=True))
    assert [mention.key for mention in mentions] == [f"youtube:video/{each['id']['videoId']}" for each in videos]
    assert len(mentions) == 50
    assert mentions[1].title == "SURFING PERFECT PIPE & BACKDOOR || SUNRISE SHACK!"


def test_every_refusal_recorded_of_youtube_says_who_must_act(shared: Path) -> None:
    told = recording(shared / "fixtures/youtube/errors_and_empty.json")
    kinds = [TemporaryError, RefusedError, RefusedError, RefusedError, TemporaryError]
    for one, kind in zip(told[:5], kinds, strict=True):
        with client(refusal(one["response"]["status"], one["response"]["json"])) as http, pytest.raises(kind):
            list(fetch(YouTube(name="y", key="k", video_ids=("x",)), http, None))
    with client(refusal(200, told[5]["response"]["json"])) as http:
        assert heard(list(fetch(YouTube(name="y", key="k", channel_id="UC1"), http, None))) == []

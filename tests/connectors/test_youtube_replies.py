"""Replies on YouTube: those of long threads, within the units, and one of ours."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from connectors.contract import fetch
from connectors.sources.youtube import YouTube
from pipeline.errors import ChangedError, SettingsError
from tests.connectors.test_youtube import SETTINGS, SOURCE, Tube, comment, heard, listed, refused, thread
from tests.connectors.worldly import (
    client,
    refusal,
    sent,
)


def test_all_replies_of_a_long_thread_are_asked_for_once_and_again_when_there_are_more() -> None:
    tube = Tube({"channel": listed(thread("a", 150, replies=5), thread("b", 2, replies=2))}, replies=150)
    first = tube.walk(SOURCE)
    assert sorted(heard(first)) == sorted(["a", "b", "b.0", "b.1", *(f"a.{n}" for n in range(150))])
    assert [asked.get("pageToken") for what, asked in tube.asked if what == "comments"] == [None, "100"]
    again = tube.walk(SOURCE, first[-1].cursor)
    assert [what for what, _ in tube.asked] == ["commentThreads"], "as many as before"
    assert again[-1].cursor == first[-1].cursor
    tube.threads["channel"] = listed(thread("a", 151, replies=5))
    tube.replies = 151
    assert "a.150" in heard(tube.walk(SOURCE, first[-1].cursor))


def test_long_threads_are_read_again_once_a_day_for_edits_and_replies_that_took_the_place_of_others() -> None:
    tube = Tube({"channel": listed(thread("a", 9, replies=5))}, replies=9)
    cursor = tube.walk(SOURCE)[-1].cursor or ""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert [what for what, _ in tube.asked] == ["commentThreads", "comments"]
    assert json.loads(cursor)["places"][SETTINGS["channel_id"]]["counts"] == {"a": [9, today]}
    again = tube.walk(SOURCE, cursor.replace(today, "2026-10-05"))
    assert [what for what, _ in tube.asked] == ["commentThreads", "comments"]
    assert again[-1].cursor == cursor


def test_a_thread_whose_replies_are_gone_meanwhile_keeps_those_it_shows() -> None:
    tube = Tube({"channel": listed(thread("a", 9, replies=2))})

    def answer(request: httpx.Request) -> httpx.Response:
        lost = request.url.path.endswith("comments")
        return refused("commentNotFound", 404) if lost else tube.handle_request(request)

    with client(answer) as http:
        assert heard(list(fetch(SOURCE, http, None))) == ["a", "a.0", "a.1"]


def test_used_up_units_are_told_and_the_next_calls_go_on() -> None:
    pages = {"channel": listed(thread("a"), following="p2"), "p2": listed(thread("b", 300, replies=5), following="p3")}
    tube = Tube({**pages, "p3": listed(thread("c"))}, replies=300)
    source = SOURCE.model_copy(update={"units": 4})
    first = tube.walk(source)
    assert len(tube.asked) == 4, "two pages and two of three pages of replies"
    assert heard(first) == ["a", "b", *(f"b.{n}" for n in range(200))]
    (gap,) = first[-1].gaps
    assert gap.start is None
    assert "4 units" in gap.why
    tube.threads["channel"] = listed(thread("d"))
    second = tube.walk(source, first[-1].cursor)
    assert tube.asked[0][1]["pageToken"] == "p2", "the page that was not read to its end"
    assert tube.asked[1][1]["pageToken"] == "200", "the thread that was not"
    assert heard(second) == ["b", *(f"b.{n}" for n in range(200, 300)), "c", "d"]
    assert second[-1].gaps == []
    place = json.loads(second[-1].cursor or "")["places"][SETTINGS["channel_id"]]
    assert place.keys() == {"seen", "counts"}


def test_a_reply_goes_to_the_thread_with_the_token_of_the_account() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"id": "a.new", "snippet": {"parentId": "a"}})

    source = YouTube(name="y", key="k", channel_id="UC1", oauth_token="mouth")
    mention = source.parse(comment("a.7", parentId="a", videoId="v1"))
    with client(answer) as http:
        assert source.reply(http, mention, "Which size?") == "https://www.youtube.com/watch?v=v1&lc=a.new"
        request = sent(asked, "POST")
        assert str(request.url) == "https://www.googleapis.com/youtube/v3/comments?part=snippet"
        assert request.headers["authorization"] == "Bearer mouth"
        assert json.loads(request.content) == {"snippet": {"parentId": "a", "textOriginal": "Which size?"}}
        with pytest.raises(SettingsError, match="10,000"):
            source.reply(http, mention, "x" * 10_001)
        with pytest.raises(SettingsError, match="oauth_token"):
            SOURCE.reply(http, mention, "x")
    assert len(asked) == 1
    with client(refusal(200, {})) as http, pytest.raises(ChangedError, match="named no id"):
        source.reply(http, mention, "x")

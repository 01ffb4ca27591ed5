"""YouTube: replies beyond five, units that are used up, videos that are closed, searches, and refusals by reason."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.conform.worlds.youtube import YouTubeWorld
from connectors.contract import Batch, fetch
from connectors.sources import youtube
from connectors.sources.youtube import YouTube
from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError
from pipeline.mention import MentionKind
from tests.connectors.replay import FIXTURES, Replay, exchanges
from tests.connectors.worldly import (
    Town,
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
    refusal,
)

SETTINGS = json.loads((FIXTURES / "youtube/settings.json").read_text(encoding="utf-8"))
SOURCE = YouTube.model_validate(SETTINGS)
AT = "2026-10-05T11:00:00Z"


def comment(native: str, at: str = AT, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a comment
    told = {"textOriginal": f"hike {native}", "textDisplay": "", "publishedAt": at, "updatedAt": at}
    return {"id": native, "snippet": told | more}


def thread(native: str, total: int = 0, at: str = AT, replies: int = 0) -> dict[str, Any]:
    shown = [comment(f"{native}.{number}", at, parentId=native) for number in range(replies)]
    snippet = {"videoId": "v1", "topLevelComment": comment(native, at), "totalReplyCount": total}
    return {"id": native, "snippet": snippet, **({"replies": {"comments": shown}} if shown else {})}


def refused(reason: str, code: int = 403, message: str = "sesame") -> httpx.Response:
    fault = {"message": message, "reason": reason, "domain": "youtube"}
    return httpx.Response(code, json={"error": {"code": code, "message": message, "errors": [fault]}})


def listed(*items: Any, following: str | None = None) -> httpx.Response:  # noqa: ANN401 - items
    return httpx.Response(200, json={"items": items, **({"nextPageToken": following} if following else {})})


class Tube(httpx.BaseTransport):
    """Answers by what is asked: `threads` by video or token, `replies` by thread, and searches."""

    def __init__(self, threads: dict[str, httpx.Response], replies: int = 0, found: Any = ()) -> None:  # noqa: ANN401 - videos
        self.threads, self.replies, self.found = threads, replies, found
        self.asked: list[tuple[str, dict[str, str]]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = dict(request.url.params)
        what = request.url.path.rpartition("/")[2]
        self.asked.append((what, asked))
        if what == "search":
            return listed(*self.found)
        if what == "comments":
            native, start = asked["parentId"], int(asked.get("pageToken", 0))
            shown = range(start, min(self.replies, start + 100))
            following = str(start + 100) if start + 100 < self.replies else None
            return listed(*[comment(f"{native}.{n}", parentId=native) for n in shown], following=following)
        return self.threads[asked.get("pageToken") or asked.get("videoId") or "channel"]

    def walk(self, source: YouTube, since: str | None = None) -> list[Batch]:
        self.asked.clear()
        with client(self.handle_request) as http:
            return list(fetch(source, http, since))


def heard(batches: list[Batch]) -> list[str]:
    return [mention.key.removeprefix("youtube:") for batch in batches for mention in batch.mentions]


def test_a_busy_channel_is_heard_whole_with_edits_and_late_ones() -> None:
    town = hears_everything(YouTubeWorld(), YouTube)
    assert town.reach == max(each.at for each in town.said) - timedelta(days=7) - youtube.LATE


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(YouTubeWorld(), YouTube)


def test_what_was_deleted_is_gone_and_nothing_else() -> None:
    knows_what_is_gone(YouTubeWorld(), YouTube)


def test_a_comment_changed_days_later_is_heard_again() -> None:
    town = Town(YouTubeWorld(), YouTube)
    (old,) = town.say(1)
    town.listen()
    town.now += timedelta(days=6)
    town.say(3)
    town.listen()
    town.change(old, text="Hike paid back #hike", edited_at=town.now)
    town.listen()
    assert town.texts() == town.living()
    assert [each.edited_at for each in town.heard.values() if each.edited_at] == [town.now]


def test_a_token_that_youtube_no_longer_knows_is_forgotten_and_all_is_read_from_the_newest() -> None:
    place = {"seen": "2026-10-01T11:00:00+00:00", "top": AT, "token": "p9", "within": {"a": "200"}, "counts": {}}
    cursor = json.dumps({"places": {SETTINGS["channel_id"]: place}})
    for reason in ("invalidPageToken", "processingFailure"):
        tube = Tube({"channel": listed(thread("a", 300, replies=5)), "p9": refused(reason, 400)}, replies=300)

        def answer(request: httpx.Request, tube: Tube = tube, reason: str = reason) -> httpx.Response:
            old = request.url.params.get("pageToken") == "200" and len(tube.asked) < 3
            told = tube.handle_request(request)
            return refused(reason, 400) if old else told

        with client(answer) as http:
            batches = list(fetch(SOURCE, http, cursor))
        assert heard(batches) == ["a", *(f"a.{n}" for n in range(300))]
        assert [asked.get("pageToken") for _, asked in tube.asked] == ["p9", None, "200", None, "100", "200"]
        left = json.loads(batches[-1].cursor or "")["places"][SETTINGS["channel_id"]]
        assert left.keys() == {"seen", "counts"}
        wrong = refused("badRequest", 400, "API key not valid.")
        with client(Tube({"p9": wrong}).handle_request) as http, pytest.raises(RefusedError, match="key is not valid"):
            list(fetch(SOURCE, http, cursor))
        with client(lambda _: refused("invalidFilter", 400)) as http, pytest.raises(ChangedError, match="400"):
            list(fetch(SOURCE, http, cursor))


def test_a_comment_that_is_gone_hides_none_that_it_is_asked_with() -> None:
    there = {"a", "c"}

    def answer(request: httpx.Request) -> httpx.Response:
        wanted = request.url.params["id"].split(",")
        return (
            listed(*({"id": each} for each in wanted)) if there.issuperset(wanted) else refused("commentNotFound", 404)
        )

    keys = [f"youtube:{each}" for each in "abcd"]
    with client(answer) as http:
        assert SOURCE.gone(http, keys) == {"youtube:b", "youtube:d"}
    for code in (403, 404):
        with client(refusal(code, "<html>")) as http, pytest.raises(RefusedError):
            SOURCE.gone(http, keys)


def test_a_search_result_that_is_no_video_is_not_listened_to() -> None:
    strange = [{"id": {"kind": "youtube#channel", "channelId": "UC9"}, "snippet": {"publishedAt": AT, "title": "t"}}]
    videos = [{"id": {"videoId": "v1"}, "snippet": {"publishedAt": AT, "title": "t"}}]
    tube = Tube({"v1": listed(thread("a"))}, found=[*strange, *videos])
    batches = tube.walk(YouTube(name="y", key="k", search="hike"))
    assert [asked["videoId"] for what, asked in tube.asked if what == "commentThreads"] == ["v1"]
    assert len(batches[0].rejected) == 1


def test_new_ones_are_read_after_what_was_left() -> None:
    town = Town(YouTubeWorld(), YouTube, {"units": 2})
    town.say(350)
    town.listen()
    town.now += timedelta(hours=1)
    town.say(5)
    town.listen()
    assert {each.text for each in town.said[:350]} <= set(town.texts())
    assert len(town.gaps) == 1, "what is new waits"
    town.listen()
    assert town.texts() == town.living()


def test_the_first_call_goes_so_many_pages_back_or_to_the_first_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(youtube, "FIRST_PAGES", 2)
    town = Town(YouTubeWorld(), YouTube)
    town.say(350, step=timedelta(hours=1))
    town.listen()
    assert len(town.heard) == 200
    assert town.reach == min(each.said_at for each in town.heard.values())
    longer = Town(YouTubeWorld(), YouTube, {"first_day": "2026-10-06"}, said=town.said, now=town.now)
    longer.listen()
    assert longer.reach == datetime(2026, 10, 6, tzinfo=UTC)
    assert all(each in longer.texts() for each in [said.text for said in town.said if said.at >= longer.reach])


def test_a_closed_video_is_passed_over_and_all_closed_is_an_error() -> None:
    source = YouTube(name="y", key="k", video_ids=("v1", "v2", "v3"))
    tube = Tube({"v1": refused("commentsDisabled"), "v2": listed(thread("a")), "v3": refused("videoNotFound", 404)})
    assert heard(tube.walk(source)) == ["a"]
    tube.threads["v2"] = refused("commentsDisabled")
    with pytest.raises(RefusedError, match="no video can be read"):
        tube.walk(source)
    tube.threads["v2"] = refused("forbidden")
    with pytest.raises(RefusedError, match="403"):
        tube.walk(source)


def test_a_search_finds_videos_hears_them_and_what_is_said_of_them() -> None:
    told = {"publishedAt": AT, "title": "Hike &amp; run: it&#39;s out", "description": "", "channelTitle": "Ana&#39;s"}
    videos = [
        {"id": {"kind": "youtube#video", "videoId": f"v{n}"}, "snippet": told | {"channelId": "UC1"}} for n in (1, 2)
    ]
    tube = Tube({"v1": listed(thread("a")), "v2": listed(thread("b"))}, found=videos)
    source = YouTube(name="y", key="k", search="hike", units=120)
    batches = tube.walk(source)
    video = batches[0].mentions[0]
    assert (video.key, video.kind) == ("youtube:video/v1", MentionKind.POST)
    assert (video.title, video.text, video.author) == ("Hike & run: it's out", "Hike & run: it's out", "Ana's")
    assert heard(batches)[2:] == ["a", "b"]
    what, asked = tube.asked[0]
    assert (what, asked["q"], asked["order"], asked["type"]) == ("search", "hike", "date", "video")
    assert "publishedAfter" not in asked
    again = tube.walk(source, batches[-1].cursor)
    assert [what for what, _ in tube.asked] == ["commentThreads"] * 2, "no search for six hours"
    assert again[-1].cursor == batches[-1].cursor
    earlier = json.loads(batches[-1].cursor or "") | {"searched": "2026-10-05T00:00:00+00:00"}
    tube.walk(source, json.dumps(earlier))
    assert tube.asked[0][1]["publishedAfter"] == "2026-10-04T11:00:00Z"


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong, words in (
        ({}, "set one of"),
        ({"channel_id": "UC1", "video_ids": ["v1"]}, "set one of"),
        ({"search": "hike", "units": 100}, "more units"),
        ({"search": "hike", "watched": 51, "units": 199}, "costs 200 units"),
    ):
        with pytest.raises(ValidationError, match=words) as caught:
            YouTube.model_validate({"name": "y", "key": "sesame"} | wrong)
        assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refused("quotaExceeded"), TemporaryError, "quota is used up"),
        (refused("rateLimitExceeded"), TemporaryError, "too fast"),
        (refused("processingFailure", 400), TemporaryError, "failed"),
        (
            refused("badRequest", 400, "API key not valid. Please pass a valid API key."),
            RefusedError,
            "key is not valid",
        ),
        (refused("badRequest", 400), ChangedError, "400"),
        (refused("accessNotConfigured"), RefusedError, "key is not valid"),
        (refused("channelNotFound", 404), RefusedError, "404"),
        (httpx.Response(403, json={"error": "sesame"}), RefusedError, "403"),
        (httpx.Response(200, json={"items": "sesame"}), ChangedError, "no list of items"),
        (listed(thread("a"), following="p"), ChangedError, "the same page twice"),
    ],
)
def test_who_must_act_is_told(answer: httpx.Response, kind: type[EarfulError], words: str) -> None:
    with client(lambda _: answer) as http, pytest.raises(kind, match=words) as caught:
        list(fetch(SOURCE, http, None))
    assert "sesame" not in str(caught.value)
    if isinstance(caught.value, TemporaryError) and "quota" in str(caught.value):
        assert timedelta(0) < (caught.value.retry_after or timedelta(0)) <= timedelta(days=1)


def test_no_secret_and_no_picture_is_kept() -> None:
    with client(Replay(exchanges("youtube")).handle_request) as http:
        raws = [raw for batch in fetch(SOURCE, http, None) for raw in batch.raws]
    assert "authorProfileImageUrl" not in json.dumps(raws)
    assert SETTINGS["key"] not in f"{SOURCE!r} {json.dumps(raws)}"

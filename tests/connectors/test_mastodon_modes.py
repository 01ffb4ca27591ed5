"""Mastodon beyond a hashtag: a search, posts to your own account, what was deleted, and an answer."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import ValidationError

from connectors.client import open_client
from connectors.contract import Batch, fetch
from connectors.sources.mastodon import OVERLAP, PAGE, SHIFT, Mastodon
from pipeline.errors import ChangedError, RefusedError, SettingsError, TemporaryError
from pipeline.mention import MentionKind
from tests.connectors.replay import Replay

HOME = "https://social.example"
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
TAG = Mastodon.model_validate({"name": "m", "instance": HOME, "tag": "hike", "token": "sesame"})
SEARCH = Mastodon.model_validate(
    {"name": "m", "instance": HOME, "listen_to": "search", "phrase": "Hike shoes", "token": "sesame"}
)
MENTIONS = Mastodon.model_validate({"name": "m", "instance": HOME, "listen_to": "mentions", "token": "sesame"})

Status = dict[str, Any]


def snowflake(at: datetime, low: int = 0) -> int:
    return (int(at.timestamp() * 1000) << 16) + low


def status(native: int, at: datetime = NOON, **more: Any) -> Status:  # noqa: ANN401 - a status
    account = {"id": "7", "acct": "ann", "followers_count": 3}
    said = {"id": str(native), "created_at": at.isoformat(), "content": "<p>Love my Hike shoes</p>"}
    return {**said, "account": account, "visibility": "public", **more}


def hear(source: Mastodon, answer: httpx.BaseTransport, since: str | None = None) -> list[Batch]:
    with open_client(attempts=1, transport=answer, sleep=lambda _: None) as http:
        return list(fetch(source, http, since))


def natives(batches: list[Batch]) -> list[int]:
    return [int(mention.key.rpartition("/")[2]) for batch in batches for mention in batch.mentions]


class Search(httpx.BaseTransport):
    """The search of an instance: newest first, by offset, without a Link header."""

    def __init__(self, statuses: list[Status]) -> None:
        self.statuses = statuses
        self.asked: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        asked = request.url.params
        low, start = int(asked.get("min_id", -1)), int(asked.get("offset", 0))
        fitting = sorted((each for each in self.statuses if int(each["id"]) > low), key=lambda each: -int(each["id"]))
        page = fitting[start : start + int(asked["limit"])]
        return httpx.Response(200, json={"accounts": [], "statuses": page, "hashtags": []})


def test_a_search_is_read_to_its_end_and_later_from_the_overlap_on() -> None:
    old = [snowflake(NOON - timedelta(days=1), n) for n in range(100)]
    search = Search([status(native) for native in [*old, snowflake(NOON)]])
    batches = hear(SEARCH, search)
    assert sorted(natives(batches)) == [*old, snowflake(NOON)]
    first = search.asked[0]
    assert first.url.path == "/api/v2/search"
    assert dict(first.url.params) == {"q": '"Hike shoes"', "type": "statuses", "limit": "40"}
    assert search.asked[1].url.params["offset"] == str(PAGE - SHIFT), "what is deleted meanwhile moves the rest"
    assert first.headers["authorization"] == "Bearer sesame"
    assert batches[-1].cursor == str(snowflake(NOON))
    new = snowflake(NOON + timedelta(minutes=1))
    search.statuses.append(status(new))
    after = hear(SEARCH, search, batches[-1].cursor)
    assert sorted(natives(after)) == [snowflake(NOON), new]
    assert search.asked[-1].url.params["min_id"] == str(snowflake(NOON - OVERLAP))


def test_a_search_that_finds_nothing_has_no_place_and_one_without_a_list_is_named() -> None:
    assert [batch.cursor for batch in hear(SEARCH, Search([]))] == [None]
    for answer in ({}, {"statuses": None}, {"statuses": "many"}):
        with pytest.raises(ChangedError, match="no list of statuses"):
            hear(SEARCH, httpx.MockTransport(lambda _, answer=answer: httpx.Response(200, json=answer)))


def test_a_search_that_ignores_the_offset_comes_to_an_end() -> None:
    same = httpx.MockTransport(lambda _: httpx.Response(200, json={"statuses": [status(n) for n in range(1, 41)]}))
    assert len(natives(hear(SEARCH, same))) == 40


class Notices(httpx.BaseTransport):
    """Notifications, newest first, along the Link header."""

    def __init__(self, notices: list[dict[str, Any]]) -> None:
        self.notices = notices
        self.asked: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        high = int(request.url.params.get("max_id", 1 << 60))
        page = [each for each in sorted(self.notices, key=lambda each: -int(each["id"])) if int(each["id"]) < high]
        page = page[: int(request.url.params["limit"])]
        link = (
            f'<{HOME}/api/v1/notifications?limit=40&types[]=mention&max_id={page[-1]["id"]}>; rel="next"'
            if page
            else ""
        )
        return httpx.Response(200, json=page, headers={"link": link} if link else {})


def notice(number: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a status
    said = status(snowflake(NOON + timedelta(minutes=number)), NOON + timedelta(minutes=number), **more)
    return {"id": str(number), "type": "mention", "account": said["account"], "status": said}


def test_posts_to_your_account_are_heard_the_private_ones_too_and_a_page_of_known_ones_again() -> None:
    notices = Notices([notice(number) for number in range(1, 101)])
    first = hear(MENTIONS, notices)
    assert len(natives(first)) == 100
    assert notices.asked[0].url.params.get_list("types[]") == ["mention"]
    assert first[-1].cursor == "100"
    notices.notices.append(notice(101, visibility="direct", in_reply_to_id="5"))
    notices.asked.clear()
    after = hear(MENTIONS, notices, "100")
    assert len(natives(after)) == 80, "down to a page that was known, for authors edit"
    assert after[0].mentions[0].kind is MentionKind.MESSAGE
    assert after[0].mentions[0].parent == "mastodon:social.example/5"
    assert after[-1].cursor == "101"


def test_a_notice_without_a_post_is_kept_aside() -> None:
    batches = hear(MENTIONS, Notices([notice(1), {**notice(2), "status": None}]))
    assert len(natives(batches)) == 1
    assert sum(len(batch.rejected) for batch in batches) == 1


def test_a_first_day_takes_the_first_walk_back_beyond_its_pages() -> None:
    old = [status(snowflake(at), at) for at in (NOON - timedelta(hours=n) for n in range(200))]
    source = SEARCH.model_copy(update={"first_day": date(2026, 10, 1), "first_pages": 1})
    batches = hear(source, Search(old))
    start = datetime(2026, 10, 1, tzinfo=UTC)
    assert batches[-1].reach == start
    assert len(natives(batches)) >= sum(datetime.fromisoformat(each["created_at"]) >= start for each in old)
    one = hear(SEARCH.model_copy(update={"first_pages": 1}), Search(old))
    assert (len(natives(one)), one[-1].reach) == (40, NOON - timedelta(hours=39))


def test_what_the_instance_says_is_no_record_is_gone_and_a_404_of_a_proxy_is_not() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        native = request.url.path.rpartition("/")[2]
        if native == "2":
            return httpx.Response(404, json={"error": "Record not found"})
        return httpx.Response(200, json=status(int(native)))

    keys = ["mastodon:social.example/1", "mastodon:social.example/2", "mastodon:elsewhere.example/3"]
    with open_client(transport=httpx.MockTransport(answer), sleep=lambda _: None) as http:
        assert TAG.gone(http, keys) == {keys[1]}
    assert asked == ["/api/v1/statuses/1", "/api/v1/statuses/2"], "another instance's are not ours to look up"
    for body, error in (("<html>404</html>", ChangedError), ("{}", RefusedError)):
        page = httpx.MockTransport(lambda _, body=body: httpx.Response(404, text=body))
        with open_client(transport=page, sleep=lambda _: None) as http, pytest.raises(error):
            TAG.gone(http, keys)


def test_a_reply_is_posted_below_the_status_once_and_privately_to_a_private_one() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=status(9, url=f"{HOME}/@hike/9"))

    mention = TAG.parse(status(5))
    private = TAG.parse(status(6, visibility="direct"))
    with open_client(transport=httpx.MockTransport(answer)) as http:
        assert TAG.reply(http, mention, "@ann We are sorry & on it.") == f"{HOME}/@hike/9"
        TAG.reply(http, mention, "@ann We are sorry & on it.")
        TAG.reply(http, mention, "@ann Another.")
        TAG.reply(http, private, "@ann Here.")
    first, again, other, direct = asked
    assert (first.method, str(first.url)) == ("POST", f"{HOME}/api/v1/statuses")
    assert parse_qs(first.content.decode()) == {"status": ["@ann We are sorry & on it."], "in_reply_to_id": ["5"]}
    assert first.headers["authorization"] == "Bearer sesame"
    keys = [request.headers["idempotency-key"] for request in (first, again, other)]
    assert keys[0] == keys[1] != keys[2]
    assert parse_qs(direct.content.decode())["visibility"] == ["direct"]


@pytest.mark.parametrize(
    ("acct", "text", "sent"),
    [
        ("ann", "Sorry!", "@ann@social.example Sorry!"),
        ("ann", "Sorry, @Ann!", "Sorry, @Ann!"),
        ("ann", "@anna Sorry!", "@ann@social.example @anna Sorry!"),
        ("ann", "@ann@other.example Sorry!", "@ann@social.example @ann@other.example Sorry!"),
        ("ann@far.example", "@ann Sorry!", "@ann@far.example @ann Sorry!"),
        ("ann@far.example", "@ann@far.example Sorry!", "@ann@far.example Sorry!"),
        ("ann", "x" * 495, f"@ann@social.example {'x' * 495}"),
    ],
)
def test_a_reply_names_its_author_without_whom_nobody_is_told_of_it(acct: str, text: str, sent: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=status(9))

    with open_client(transport=httpx.MockTransport(answer)) as http:
        for visibility in ("public", "direct"):
            TAG.reply(http, TAG.parse(status(5, account={"id": "7", "acct": acct}, visibility=visibility)), text)
    assert [parse_qs(each.content.decode())["status"] for each in asked] == [[sent], [sent]]


@pytest.mark.parametrize("source", [TAG, SEARCH, MENTIONS])
def test_no_picture_of_a_person_is_kept(source: Mastodon) -> None:
    said = status(5, account={"id": "7", "acct": "ann", "avatar": "https://x.example/a.png", "avatar_static": "b"})
    told: Any = {TAG: [said], SEARCH: {"statuses": [said]}, MENTIONS: [{"id": "1", "account": {}, "status": said}]}
    for since in (None, "1"):
        batches = hear(source, httpx.MockTransport(lambda _: httpx.Response(200, json=told[source])), since)
        raws = [raw for batch in batches for raw in batch.raws]
        assert raws
        assert "avatar" not in json.dumps(raws)


@pytest.mark.parametrize("since", [None, str(snowflake(NOON))])
def test_an_id_of_the_future_hides_nothing_of_what_comes(since: str | None) -> None:
    statuses = [status(9 * 10**18, NOON), status(snowflake(NOON), NOON)]
    for source, said in ((TAG, statuses), (SEARCH, {"statuses": statuses})):
        answer = httpx.MockTransport(lambda _, said=said: httpx.Response(200, json=said))
        batches = hear(source, answer, since)
        assert len(set(natives(batches))) == 2
        assert batches[-1].cursor == str(snowflake(NOON))


def test_a_reply_that_cannot_be_is_refused_before_anything_is_asked() -> None:
    mention = TAG.parse(status(5))
    silent = httpx.MockTransport(lambda _: pytest.fail("asked"))
    with open_client(transport=silent) as http:
        with pytest.raises(SettingsError, match="at most 500 characters, this has 501"):
            TAG.reply(http, mention, "x" * 496)
        with pytest.raises(SettingsError, match="by hand"):
            TAG.reply(http, TAG.parse(status(5, visibility="direct")).model_copy(update={"author": None}), "x")
        with pytest.raises(SettingsError, match="write:statuses"):
            TAG.model_copy(update={"token": None}).reply(http, mention, "x")
    for code, error in ((401, RefusedError), (404, RefusedError), (422, RefusedError), (503, TemporaryError)):
        transport = httpx.MockTransport(lambda _, code=code: httpx.Response(code, json={"error": "no"}))
        with open_client(transport=transport, attempts=1) as http, pytest.raises(error, match=str(code)):
            TAG.reply(http, mention, "x")


def test_each_way_of_listening_needs_its_settings() -> None:
    for wrong in (
        {},
        {"listen_to": "search", "token": "x"},
        {"listen_to": "search", "phrase": "Hike"},
        {"listen_to": "mentions"},
        {"listen_to": "search", "token": "sesame-open"},
    ):
        with pytest.raises(ValidationError) as caught:
            Mastodon.model_validate({"name": "m", **wrong})
        assert "sesame-open" not in str(caught.value)


def test_recorded_searches_and_a_deleted_status(shared: Path) -> None:
    def exchanges(name: str) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = json.loads((shared / f"fixtures/mastodon/{name}.json").read_text("utf-8"))[
            "interactions"
        ]
        return told

    empty = exchanges("search_v2_empty")
    home = httpx.URL(empty[0]["request"]["url"]).copy_with(query=None, path="")
    source = SEARCH.model_copy(update={"instance": str(home).rstrip("/")})
    assert natives(hear(source, Replay(empty, in_order=True))) == []
    found = exchanges("search_v2")
    source = SEARCH.model_copy(update={"instance": "https://mastodon.social"})
    said = [each["id"] for each in found[0]["response"]["json"]["statuses"]]
    heard = natives(hear(source, Replay(found, in_order=True)))
    assert set(map(str, heard)) <= set(said)

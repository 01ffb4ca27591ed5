"""Bluesky: windows of time instead of offsets, sessions that end, what was deleted, replies that are sent once."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.conform.world import Said
from connectors.conform.worlds.bluesky import BlueskyWorld
from connectors.contract import Batch, fetch
from connectors.sources import bluesky
from connectors.sources.bluesky import Bluesky
from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError
from tests.connectors.replay import FIXTURES, Replay, exchanges
from tests.connectors.worldly import (
    NOON,
    Town,
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
    refusal,
)

SOURCE = Bluesky.model_validate(json.loads((FIXTURES / "bluesky/settings.json").read_text(encoding="utf-8")))
TOKENS = {"accessJwt": "access-1", "refreshJwt": "refresh-1", "handle": "ears.example", "did": "did:plc:ears"}
SEARCH = "/xrpc/app.bsky.feed.searchPosts"


def post(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - a post
    found: dict[str, Any] = exchanges("bluesky")[1]["response"]["json"]["posts"][0]
    return found | more


def signed_in(*answers: httpx.Response) -> tuple[Any, list[httpx.Request]]:
    """A server that begins and renews sessions, and answers all else in turn, the last for ever."""
    left, asked = list(answers), list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.path.endswith("Session"):
            renewed = request.url.path.endswith("refreshSession")
            return httpx.Response(200, json=TOKENS | ({"accessJwt": "access-2"} if renewed else {}))
        return left.pop(0) if len(left) > 1 else left[0]

    return answer, asked


def error(code: int, name: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(code, json={"error": name, "message": "sesame"}, headers=named)


def test_a_busy_search_is_heard_whole_whatever_comes_late() -> None:
    town = hears_everything(BlueskyWorld(), Bluesky)
    newest = max(each.at for each in town.said)
    assert town.reach == newest - bluesky.OVERLAP


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(BlueskyWorld(), Bluesky)


def test_what_was_deleted_is_gone_and_nothing_else() -> None:
    knows_what_is_gone(BlueskyWorld(), Bluesky)


def test_pages_follow_by_time_and_only_within_one_second_by_offset() -> None:
    town = Town(BlueskyWorld(), Bluesky)
    town.say(150)
    town.say(250, at=town.now + timedelta(minutes=1), step=timedelta(0))
    town.listen()
    asked = [request.url.params for request in town.asked if request.url.path == SEARCH]
    assert town.texts() == town.living()
    assert "until" not in asked[0]
    until = (town.now + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert [(each.get("until"), each.get("cursor")) for each in asked[1:4]] == [
        (until, None),
        (until, "100"),
        (until, "200"),
    ]
    assert asked[4]["until"] < until
    assert "cursor" not in asked[4], "time leads on again"


def test_the_first_call_goes_so_many_pages_back_or_to_the_first_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bluesky, "FIRST_PAGES", 2)
    town = Town(BlueskyWorld(), Bluesky)
    town.say(350, step=timedelta(hours=1))
    town.listen()
    assert len(town.heard) == 199, "two pages that share a second"
    assert town.reach == town.now - timedelta(hours=198)
    day = date(2026, 10, 9)
    longer = Town(BlueskyWorld(), Bluesky, {"first_day": day}, said=town.said, now=town.now)
    longer.listen()
    assert longer.reach == datetime(2026, 10, 9, tzinfo=UTC)
    assert len(longer.heard) == sum(each.at.date() >= day for each in town.said)


def test_a_walk_cut_in_the_middle_first_finishes_its_stretch() -> None:
    town = Town(BlueskyWorld(), Bluesky)
    town.say(250, step=timedelta(minutes=1))
    town.listen(1)
    held = json.loads(town.cursor or "")
    assert held == {"newest": held["newest"], "since": None, "until": held["until"]}
    town.now += timedelta(hours=1)
    town.say(3)
    town.listen()
    asked = [request.url.params for request in town.asked if request.url.path == SEARCH]
    assert asked[0]["until"] == held["until"]
    assert town.texts() == town.living()
    assert town.reach == NOON


@pytest.mark.parametrize("code", [400, 401])
def test_a_session_that_ran_out_is_renewed_and_the_page_asked_again(code: int) -> None:
    page = httpx.Response(200, json={"posts": [post()], "cursor": "1"})
    last = httpx.Response(200, json={"posts": []})
    answer, asked = signed_in(page, error(code, "ExpiredToken"), last)
    with client(answer) as http:
        batches = list(fetch(SOURCE, http, None))
    assert [len(batch.mentions) for batch in batches] == [1, 0, 0]
    renewal = next(request for request in asked if request.url.path.endswith("refreshSession"))
    assert renewal.headers["authorization"] == "Bearer refresh-1"
    assert asked[-1].headers["authorization"] == "Bearer access-2"
    first = json.loads(asked[0].content)
    assert first == {"identifier": "ears.bsky.example", "password": "abcd-efgh-ijkl-mnop"}


def test_a_page_refused_for_another_reason_is_no_reason_for_a_new_session() -> None:
    page = httpx.Response(200, json={"posts": [post()], "cursor": "1"})
    answer, asked = signed_in(page, error(400, "InvalidRequest"))
    with client(answer) as http, pytest.raises(ChangedError, match="400"):
        list(fetch(SOURCE, http, None))
    assert sum(request.url.path.endswith("Session") for request in asked) == 1


def test_a_session_that_cannot_be_renewed_is_begun_at_the_next_call() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("createSession"):
            return httpx.Response(200, json=TOKENS)
        if request.url.path.endswith("refreshSession"):
            return error(400, "ExpiredToken")
        return error(401, "ExpiredToken") if "until" in request.url.params else answered

    answered = httpx.Response(200, json={"posts": [post()], "cursor": "1"})
    with client(answer) as http, pytest.raises(TemporaryError, match="the next call begins another"):
        list(fetch(SOURCE, http, None))


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (error(401, "AuthenticationRequired"), RefusedError, "key or password"),
        (error(401, "AuthFactorTokenRequired"), RefusedError, "make an app password"),
        (error(400, "AccountTakedown"), RefusedError, "taken down"),
        (error(429, "RateLimitExceeded", retry_after="7"), TemporaryError, "429"),
        (error(400, "InvalidRequest"), ChangedError, "400"),
    ],
)
def test_why_no_session_begins_is_told(answer: httpx.Response, kind: type[EarfulError], words: str) -> None:
    with client(lambda _: answer) as http, pytest.raises(kind, match=words) as caught:
        list(fetch(SOURCE, http, None))
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"ratelimit_reset": "1791198090", "date": "Mon, 05 Oct 2026 11:00:00 GMT"}, 90),
        ({"ratelimit_reset": "1791198090", "date": "Mon, 05 Oct 2026 11:00:00 GMT", "retry_after": "600"}, 600),
        ({"ratelimit_reset": "9" * 400}, None),
    ],
)
def test_a_throttled_search_waits_as_long_as_it_is_told(headers: dict[str, str], wait: int | None) -> None:
    answer, _ = signed_in(error(429, "RateLimitExceeded", **headers))
    with client(answer) as http, pytest.raises(TemporaryError) as caught:
        list(fetch(SOURCE, http, None))
    assert caught.value.retry_after == (None if wait is None else timedelta(seconds=wait))


def endless(request: httpx.Request) -> httpx.Response:
    """A search that shows one post, and names pages for ever behind it."""
    asked = request.url.params
    if request.url.path != SEARCH:
        return httpx.Response(200, json=TOKENS)
    posts = [] if "until" in asked else [post()]
    return httpx.Response(200, json={"posts": posts, "cursor": str(int(asked.get("cursor", 0)) + 100)})


def test_a_search_without_end_is_named_then_told_as_a_gap_and_new_ones_are_heard() -> None:
    heard, cursors = list[Batch](), list[str | None]([None])

    def walk() -> None:
        with client(endless) as http:
            for batch in fetch(SOURCE, http, cursors[-1]):
                heard.append(batch)
                cursors.extend([batch.cursor] if batch.cursor else [])

    with pytest.raises(ChangedError, match="without anything new"):
        walk()
    held = json.loads(cursors[-1] or "")
    heard.clear()
    with pytest.raises(ChangedError):
        walk()
    (gap,) = [gap for batch in heard for gap in batch.gaps]
    assert (gap.start, gap.end) == (None, datetime.fromisoformat(held["until"]))
    assert sum(len(batch.mentions) for batch in heard) == 1, "what is new is heard behind it"
    assert json.loads(cursors[-1] or "")["since"] is not None, "the old stretch is not tried a third time"


def test_a_post_sorted_above_the_time_it_was_indexed_hides_nothing_below_it() -> None:
    class Odd(BlueskyWorld):
        def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
            told = json.loads(super().answer(request, said, now).content)
            for each in told.get("posts", []):
                if each["uri"].endswith("00000000260"):
                    each["indexedAt"] = "2026-10-05T10:00:00.000Z"
            return httpx.Response(200, json=told)

    town = Town(Odd(), Bluesky)
    town.say(259)
    town.say(1, at=town.now + timedelta(hours=2))
    town.listen()
    assert town.texts() == town.living()


def test_no_picture_of_an_author_is_kept() -> None:
    with client(Replay(exchanges("bluesky")).handle_request) as http:
        raws = [raw for batch in fetch(SOURCE, http, None) for raw in batch.raws]
    assert raws
    assert "avatar" not in json.dumps(raws)
    quoted = post(embed={"record": {"author": {"did": "did:plc:ben", "avatar": "https://cdn.example/1"}}})
    answer, _ = signed_in(httpx.Response(200, json={"posts": [quoted]}))
    with client(answer) as http:
        (raw,) = [raw for batch in fetch(SOURCE, http, None) for raw in batch.raws]
    assert raw["embed"] == {"record": {"author": {"did": "did:plc:ben"}}}


def test_an_author_may_date_a_post_back_but_not_into_the_future() -> None:
    record = {"text": "hike", "langs": []}
    seen = datetime(2026, 10, 5, 11, 0, 0, 250_000, tzinfo=UTC)
    for created, said in (
        ("2001-01-01T00:00:00Z", datetime(2001, 1, 1, tzinfo=UTC)),
        ("2026-10-05T11:02:00Z", datetime(2026, 10, 5, 11, 2, tzinfo=UTC)),
        ("2026-10-06T11:00:00Z", seen),
        ("2026-10-05T10:00:00", seen),
        ("2026-10-05", seen),
        ("0001-01-01T00:00:00+10:00", seen),
        ("1970-01-01T00:00:00Z", seen),
        (None, seen),
    ):
        mention = SOURCE.parse(post(record=record | {"createdAt": created}))
        assert (mention.said_at, mention.language) == (said, None)


def test_no_word_of_the_password_is_told() -> None:
    assert "abcd" not in f"{SOURCE!r} {SOURCE}"


def test_a_search_that_changed_its_form_is_named() -> None:
    for body in ({}, {"posts": {}}, {"posts": [], "cursor": 7}):
        answer, _ = signed_in(httpx.Response(200, json=body))
        with client(answer) as http, pytest.raises(ChangedError, match="no list of posts"):
            list(fetch(SOURCE, http, None))


def test_who_blocks_the_account_is_not_gone_for_it_and_an_unsure_answer_is_no_deletion() -> None:
    keys = {name: f"bluesky:at://did:plc:{name}/app.bsky.feed.post/3m" for name in ("blocks", "left", "lost", "broken")}
    said = {
        "did:plc:blocks": httpx.Response(200, json={"uri": "at://did:plc:blocks/app.bsky.feed.post/3m", "value": {}}),
        "did:plc:left": httpx.Response(400, json={"error": "InvalidRequest", "message": "Could not find repo: x"}),
        "did:plc:lost": httpx.Response(400, json={"error": "InvalidRequest", "message": "Could not locate record: x"}),
        "did:plc:broken": httpx.Response(404, text="<html>"),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("getRecord"):
            return said[request.url.params["repo"]]
        return httpx.Response(200, json=TOKENS | {"posts": []})

    with client(answer) as http:
        assert SOURCE.gone(http, list(keys.values())) == {keys["lost"]}


def test_a_place_in_trouble_lets_nothing_be_called_gone() -> None:
    with client(refusal(503, {"error": "InternalServerError"})) as http, pytest.raises(TemporaryError):
        SOURCE.gone(http, ["bluesky:at://did:plc:ana/app.bsky.feed.post/3m"])

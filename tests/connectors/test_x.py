"""X: what is not paid for is left for the next call, seven days and no more, edits with new ids, and retweets."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.conform.worlds.x import XWorld
from connectors.contract import fetch
from connectors.sources.x import OVERLAP, X
from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError
from tests.connectors.replay import FIXTURES, Replay, exchanges
from tests.connectors.worldly import (
    Town,
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
    refusal,
)

SOURCE = X.model_validate(json.loads((FIXTURES / "x/settings.json").read_text(encoding="utf-8")))
WEEK = timedelta(days=7)


def tweet(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - a post
    found: dict[str, Any] = exchanges("x")[0]["response"]["json"]["data"][0]
    return found | more


def walked(town: Town) -> list[dict[str, str]]:
    return [dict(request.url.params) for request in town.asked]


def test_a_busy_search_is_heard_whole_edits_and_late_ones_as_well() -> None:
    town = hears_everything(XWorld(), X)
    newest = max(each.edited_at or each.at for each in town.said)
    assert town.reach == newest - OVERLAP


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(XWorld(), X)


def test_what_was_deleted_is_looked_up_only_where_that_is_ordered() -> None:
    knows_what_is_gone(XWorld(), X)
    with client(lambda _: pytest.fail("asked")) as http:
        assert SOURCE.gone(http, ["x:1"]) == set()


def test_only_what_x_does_not_find_is_gone_and_not_what_it_may_not_show() -> None:
    base = "https://api.twitter.com/2/problems/"
    faults = [
        {"resource_id": "1", "type": f"{base}resource-not-found"},
        {"resource_id": "2", "type": f"{base}not-authorized-for-resource"},
    ]
    source = SOURCE.model_copy(update={"recheck": True})
    with client(lambda _: httpx.Response(200, json={"errors": faults})) as http:
        assert source.gone(http, ["x:1", "x:2", "x:3"]) == {"x:1"}


def test_a_used_up_budget_is_told_and_the_next_calls_read_what_it_left() -> None:
    town = Town(XWorld(), X, {"budget": 170})
    town.say(10)
    town.listen()
    start = town.now
    town.now += timedelta(hours=1)
    town.say(380)
    town.listen()
    sizes = [int(each["max_results"]) for each in walked(town)]
    left = [170 - sum(sizes[:page]) for page in range(len(sizes))]
    assert all(3 * size <= most for size, most in zip(sizes, left, strict=True)), "never more than was paid for"
    (gap,) = town.gaps
    oldest = min(each.said_at for each in town.heard.values() if each.said_at > start)
    assert (gap.start, gap.end) == (start - OVERLAP, oldest)
    assert "budget" in gap.why
    assert town.reach == start - OVERLAP
    many = len(town.heard) - 10
    assert many == sum(sizes)
    heard = set(town.heard)
    town.listen()
    assert all(each.get("next_token") is not None for each in walked(town)), "goes on where it stood"
    assert len(heard) + many == len(town.heard), "none is paid for twice"
    (gap, new) = town.gaps
    assert new.start == town.now, "what is new waits"
    assert gap.start == start - OVERLAP
    town.listen()
    assert town.texts() == town.living()
    assert town.gaps == []


def test_posts_that_come_along_are_paid_for_as_well() -> None:
    other = {"id": "5", "text": "the whole"}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["max_results"])
        body = {"data": [tweet()] * 6, "includes": {"tweets": [other] * 6}, "meta": {"next_token": f"t{len(asked)}"}}
        return httpx.Response(200, json=body)

    asked: list[str] = []
    with client(answer) as http:
        batches = list(fetch(SOURCE.model_copy(update={"budget": 45}), http, None))
    assert asked == ["15", "11"]
    assert len(batches[-1].gaps) == 1


def test_an_id_older_than_seven_days_is_left_out_and_the_days_between_are_a_gap() -> None:
    town = Town(XWorld(), X)
    town.say(2)
    town.listen()
    last = town.now
    town.now += timedelta(days=10)
    town.say(1)
    town.listen()
    first, second = walked(town)
    assert "since_id" in first
    assert "since_id" not in second
    (gap,) = town.gaps
    assert (gap.start, gap.end) == (last - OVERLAP, town.now - WEEK)
    assert "seven days" in gap.why
    assert len(town.heard) == 3


def test_a_stretch_left_over_for_too_long_is_a_gap_and_the_walk_goes_on() -> None:
    town = Town(XWorld(), X, {"budget": 100})
    town.say(300)
    town.listen()
    oldest = min(each.said_at for each in town.heard.values())
    town.now += timedelta(days=8)
    town.say(5)
    town.cursor = json.dumps(json.loads(town.cursor or "") | {"token": None})
    many = len(town.heard)
    town.listen()
    assert (town.gaps[0].start, town.gaps[0].end) == (None, oldest)
    assert len(town.heard) == many + 5
    assert json.loads(town.cursor or "").keys() == {"newest"}


def test_a_token_that_x_forgot_is_replaced_by_the_id_it_stood_at() -> None:
    town = Town(XWorld(), X)
    town.say(250)
    town.listen(1)
    fault = {"errors": [{"parameters": {"next_token": ["b"]}, "message": "Invalid next_token"}]}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json=fault) if "next_token" in request.url.params else town.answer(request)

    with client(answer) as http:
        for batch in fetch(town.source, http, town.cursor):
            town.heard |= {mention.key: mention for mention in batch.mentions}
    assert town.texts() == town.living()


def test_the_first_day_is_asked_for_as_an_id() -> None:
    town = Town(XWorld(), X, {"first_day": "2026-10-04"})
    town.say(3, at=datetime(2026, 10, 3, 23, 59, 30, tzinfo=UTC))
    town.now = datetime(2026, 10, 5, tzinfo=UTC)
    town.listen()
    assert sorted(each.said_at.second for each in town.heard.values()) == [10], "one of three was said that day"
    assert town.reach == datetime(2026, 10, 4, tzinfo=UTC)


def test_an_edit_after_an_hour_is_the_same_mention_with_new_words() -> None:
    town = Town(XWorld(), X)
    (one,) = town.say(1)
    town.listen()
    town.now += timedelta(minutes=50)
    town.say(1)
    town.listen()
    town.now += timedelta(minutes=9)
    town.change(one, text="Hike mended it #hike", edited_at=town.now)
    town.listen()
    assert town.texts() == town.living()
    edited = next(each for each in town.heard.values() if each.edited_at)
    assert (edited.said_at, edited.edited_at) == (one.at, town.now)
    assert edited.url is not None
    assert edited.url.rpartition("/")[2] != edited.key.removeprefix("x:"), "the address is that of the last version"


def test_what_x_gives_unasked_is_enough_for_a_mention() -> None:
    mention = SOURCE.parse({"id": "1578522108187283456", "text": "tweepy &lt;3"})
    assert mention.key == "x:1578522108187283456"
    assert mention.said_at == datetime(2022, 10, 7, 23, 6, 12, 771_000, tzinfo=UTC)
    assert (mention.text, mention.author, mention.likes) == ("tweepy <3", None, None)
    assert mention.url == "https://x.com/i/status/1578522108187283456"


def test_languages_of_old_are_told_by_their_present_codes() -> None:
    for code, read in {"en": "en", "in": "id", "iw": "he", "und": None, "qme": None, "zxx": None, None: None}.items():
        assert SOURCE.parse(tweet(lang=code)).language == read


def test_a_retweet_says_all_that_was_said_and_counts_nothing_as_its_own() -> None:
    with client(Replay(exchanges("x")).handle_request) as http:
        mentions = [mention for batch in fetch(SOURCE, http, None) for mention in batch.mentions]
    again = next(mention for mention in mentions if mention.text.startswith("RT @"))
    assert again.text.endswith("that never & ever ended")
    assert (again.likes, again.reposts) == (None, None)
    assert again.parent == "x:2105930784568246275"


@pytest.mark.parametrize(
    ("code", "body", "kind", "words"),
    [
        (
            429,
            {"title": "UsageCapExceeded", "type": "https://api.x.com/2/problems/usage-capped"},
            RefusedError,
            "used up",
        ),
        (402, {"title": "CreditsDepleted"}, RefusedError, "buy more"),
        (403, {"type": "https://api.twitter.com/2/problems/client-forbidden"}, RefusedError, "may not search"),
        (400, {"errors": [{"parameters": {"query": ["sesame("]}}]}, RefusedError, "does not understand the query"),
        (400, {"errors": [{"parameters": {"max_results": ["sesame"]}}]}, ChangedError, "not understood"),
        (400, {"errors": "sesame"}, ChangedError, "400"),
        (200, {"errors": [{"title": "sesame"}]}, ChangedError, "no list of posts"),
        (200, {"data": {}, "meta": {}}, ChangedError, "no list of posts"),
    ],
)
def test_who_must_act_is_told(code: int, body: dict[str, Any], kind: type[EarfulError], words: str) -> None:
    with client(refusal(code, body)) as http, pytest.raises(kind, match=words) as caught:
        list(fetch(SOURCE, http, None))
    assert "sesame" not in str(caught.value)


def test_a_throttled_search_waits_as_long_as_it_is_told() -> None:
    now = {"date": "Mon, 05 Oct 2026 11:00:00 GMT"}
    for headers, wait in (
        ({"x_rate_limit_reset": "1791198090"}, timedelta(seconds=90)),
        ({"x_rate_limit_reset": "1791198090", "retry_after": "600"}, timedelta(minutes=10)),
        ({"x_rate_limit_reset": "99999999999"}, timedelta(days=1)),
        ({"x_rate_limit_reset": "9" * 400}, None),
    ):
        place = refusal(429, {"title": "Too Many Requests"}, **now, **headers)
        with client(place) as http, pytest.raises(TemporaryError) as caught:
            list(fetch(SOURCE, http, None))
        assert caught.value.retry_after == wait


def test_a_search_that_names_pages_for_ever_is_named_and_then_given_up() -> None:
    count = iter(range(1000))

    def empty(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"meta": {"result_count": 0, "next_token": f"t{next(count)}"}})

    def same(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [tweet()], "meta": {"next_token": "t"}})

    for answer in (empty, same):
        with client(answer) as http, pytest.raises(ChangedError, match="without anything new"):
            list(fetch(SOURCE, http, None))
    state = {"newest": "2106675692958646273", "until": "2106670659793846276", "since": None, "token": "t"}

    def after(request: httpx.Request) -> httpx.Response:
        old = "next_token" in request.url.params
        return empty(request) if old else httpx.Response(200, json={"data": [tweet()], "meta": {"result_count": 1}})

    with client(after) as http:
        batches = list(fetch(SOURCE, http, json.dumps(state)))
    assert sum(len(batch.mentions) for batch in batches) == 1, "what is new is heard"
    (gap,) = batches[-1].gaps
    assert gap.end == datetime(2026, 10, 4, 9, tzinfo=UTC)
    assert "until" not in json.loads(batches[-1].cursor or "")


def test_a_brand_that_nobody_names_for_weeks_has_no_gap_and_asks_for_no_forgotten_id() -> None:
    town = Town(XWorld(), X)
    town.say(2)
    town.listen()
    for _ in range(20):
        town.now += timedelta(days=1)
        town.listen()
        assert (town.gaps, len(town.asked)) == ([], 1)
    town.now += timedelta(days=10)
    town.listen()
    (gap,) = town.gaps
    assert gap.start == datetime(2026, 10, 25, tzinfo=UTC) - OVERLAP, "from the last day it was asked"


def test_no_secret_and_no_picture_is_kept() -> None:
    assert "bearer" not in f"{SOURCE!r} {SOURCE}"
    with client(Replay(exchanges("x")).handle_request) as http:
        raws = [raw for batch in fetch(SOURCE, http, None) for raw in batch.raws]
    assert "profile_image_url" not in json.dumps(raws)

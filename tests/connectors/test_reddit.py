"""Reddit: deleted anchors, the end of what a listing shows, shells, the feed without a key, and refused replies."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.conform.worlds.reddit import RedditWorld
from connectors.contract import Batch, fetch
from connectors.sources.reddit import Reddit
from pipeline.errors import ChangedError, RefusedError
from tests.connectors.replay import FIXTURES, Replay, exchanges
from tests.connectors.worldly import (
    NOON,
    Town,
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
)

SETTINGS = json.loads((FIXTURES / "reddit/settings.json").read_text(encoding="utf-8"))
SOURCE = Reddit.model_validate(SETTINGS)
AGENT = "python:earful:1 (by /u/ears)"
KEYS = {"agent": AGENT, "client_id": "ears", "client_secret": "sesame"}
TOKEN = {"request": {"method": "POST", "url": "https://www.reddit.com/api/v1/access_token"}}
TOKEN |= {"response": {"json": {"access_token": "token", "token_type": "bearer", "expires_in": 86400}}}
KEYLESS = Reddit(name="r", query="gymshark", agent=AGENT)


def behind_a_token(answer: httpx.Response) -> tuple[Any, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def place(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=TOKEN["response"]["json"]) if "access_token" in request.url.path else answer

    return place, asked


def listing(*children: dict[str, Any], after: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"kind": "Listing", "data": {"children": children, "after": after}})


def post(name: str = "t3_1", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a post
    told = {"name": name, "title": "Shoes", "selftext": "hike", "author": "ana", "created_utc": 1791198000.0}
    return {"kind": "t3", "data": told | more}


def test_a_busy_search_is_heard_whole_with_edits_and_late_ones() -> None:
    town = hears_everything(RedditWorld(), Reddit)
    assert town.reach == max(each.at for each in town.said) - timedelta(days=1)


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(RedditWorld(), Reddit)


def test_a_deletion_leaves_a_shell_that_is_looked_up() -> None:
    knows_what_is_gone(RedditWorld(), Reddit)
    with client(lambda _: pytest.fail("asked")) as http:
        assert KEYLESS.gone(http, ["reddit:t3_1"]) == set()


def test_the_newest_heard_may_be_deleted_and_the_next_are_heard_all_the_same() -> None:
    town = Town(RedditWorld(), Reddit)
    town.say(3)
    town.listen()
    town.change(town.said[-1], deleted=True)
    town.now += timedelta(minutes=15)
    town.say(2)
    town.listen()
    assert {each.text for each in town.said[3:]} <= set(town.texts())
    assert not any("before" in request.url.params for request in town.asked), "an anchor that is gone answers nothing"


def test_the_last_of_a_page_may_be_deleted_before_the_next_page_is_asked_for() -> None:
    town = Town(RedditWorld(), Reddit)
    town.say(250)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("after") == "t3_000151":
            town.change(town.said[150], deleted=True)
        return town.answer(request)

    with client(answer) as http:
        heard = {mention.key for batch in fetch(town.source, http, None) for mention in batch.mentions}
    assert len(heard) == 250


def test_a_day_beyond_the_listing_is_told_as_a_gap() -> None:
    town = Town(RedditWorld(), Reddit)
    town.say(5)
    town.listen()
    last = town.now
    town.now += timedelta(minutes=1)
    town.say(1_200)
    town.listen()
    (gap,) = town.gaps
    assert (gap.start, gap.end) == (last, town.said[-1_000].at)
    town.listen()
    assert town.gaps == [], "told once"


def test_a_first_day_beyond_the_listing_is_told_as_a_gap() -> None:
    for many, told in ((1_100, 1), (150, 0)):
        town = Town(RedditWorld(), Reddit, {"first_day": date(2026, 10, 1)})
        town.say(many)
        town.listen()
        assert [gap.start for gap in town.gaps] == [datetime(2026, 10, 1, tzinfo=UTC)] * told
        assert town.reach == datetime(2026, 10, 1, tzinfo=UTC)


def test_the_first_call_hears_years() -> None:
    town = Town(RedditWorld(), Reddit)
    town.say(3, at=NOON - timedelta(days=4000), step=timedelta(days=1000))
    town.listen()
    assert len(town.heard) == 3


def test_what_is_a_shell_is_gone_and_no_words_of_anybody() -> None:
    shells = [
        post("t3_1", selftext="[deleted]", author="[deleted]"),
        post("t3_2", selftext="[removed]"),
        post("t3_3", removed_by_category="moderator"),
        {"kind": "t1", "data": {"name": "t1_4", "body": "[removed]"}},
    ]
    words = [post("t3_5", author="[deleted]"), post("t3_6", removed_by_category="a new word")]
    place, _ = behind_a_token(listing(*shells, *words))
    source = Reddit(name="r", query="hike", **KEYS)
    with client(place) as http:
        page = next(fetch(source, http, None))
    assert page.gone == [f"reddit:{name}" for name in ("t3_1", "t3_2", "t3_3", "t1_4")]
    assert [(mention.key, mention.author) for mention in page.mentions] == [
        ("reddit:t3_5", None),
        ("reddit:t3_6", "ana"),
    ]


def test_an_edit_has_its_time_where_reddit_tells_one() -> None:
    for edited, at in (
        (1791199000.5, datetime(2026, 10, 5, 11, 16, 40, 500_000, tzinfo=UTC)),
        (False, None),
        (True, None),
    ):
        assert SOURCE.parse(post(edited=edited)).edited_at == at


def test_the_same_page_twice_is_named() -> None:
    place, _ = behind_a_token(listing(post(), after="t3_1"))
    with client(place) as http, pytest.raises(ChangedError, match="the same page twice"):
        list(fetch(Reddit(name="r", query="hike", **KEYS), http, None))


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong, words in (
        ({"client_id": "x"}, "client_id and client_secret belong together"),
        ({"username": "x"}, "username and password belong together"),
        ({"comments": "hike", "subreddit": "hiking"}, "with a client_id"),
        ({"comments": "hike", "client_id": "x", "client_secret": "y"}, "in a subreddit"),
        ({"agent": "x"}, "agent"),
    ):
        with pytest.raises(ValidationError, match=words):
            Reddit.model_validate({"name": "r", "query": "hike", "agent": AGENT} | wrong)


def test_reddit_is_told_who_asks_and_the_secret_goes_for_a_token_only() -> None:
    place, asked = behind_a_token(listing(post()))
    with client(place) as http:
        list(fetch(SOURCE, http, None))
    assert {request.headers["user-agent"] for request in asked} == {SETTINGS["agent"]}
    assert asked[0].headers["authorization"].startswith("Basic ")
    assert asked[0].content == b"grant_type=client_credentials"
    assert {request.headers["authorization"] for request in asked[1:]} == {"Bearer token"}
    assert "sesame" not in f"{SOURCE!r} {SOURCE}"


def test_a_sign_in_refused_with_a_status_of_200_is_refused() -> None:
    with client(lambda _: httpx.Response(200, json={"error": "invalid_grant"})) as http, pytest.raises(RefusedError):
        list(fetch(SOURCE, http, None))


def test_a_closed_community_is_told() -> None:
    place, _ = behind_a_token(httpx.Response(403, json={"reason": "private", "message": "Forbidden", "error": 403}))
    with client(place) as http, pytest.raises(RefusedError, match="is private"):
        list(fetch(SOURCE, http, None))


def fed(text: str, since: str | None = None, source: Reddit = KEYLESS) -> tuple[list[Batch], httpx.Request]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, text=text, headers={"content-type": "application/atom+xml; charset=UTF-8"})

    with client(answer) as http:
        return list(fetch(source, http, since)), asked[0]


def feed(*seconds: int, first: int = 0) -> str:
    entry = (
        "<entry><author><name>/u/ana</name></author><id>t3_{n}</id><title>Shoes &amp; socks</title>"
        '<link href="https://www.reddit.com/r/hiking/comments/{n}/shoes/"/><updated>{at}</updated>'
        '<published>{at}</published><content type="html">&lt;!-- SC_OFF --&gt;&lt;p&gt;5 &amp;lt; 6&lt;/p&gt;'
        "&lt;!-- SC_ON --&gt; submitted by /u/ana</content></entry>"
    )
    times = [datetime.fromtimestamp(second, UTC).isoformat() for second in seconds]
    entries = "".join(entry.format(n=f"a{first + n}", at=at) for n, at in enumerate(times))
    return f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>r</title>{entries}</feed>'


def test_without_a_key_the_feed_is_read_and_what_it_may_not_show_is_a_gap() -> None:
    now = 1791198000
    batches, asked = fed(feed(*range(now, now - 25, -1)))
    assert str(asked.url) == "https://www.reddit.com/search.rss?q=gymshark&sort=new"
    (mention, *_), last = batches[0].mentions, batches[-1]
    assert (mention.title, mention.text, mention.author) == ("Shoes & socks", "5 < 6", "ana")
    assert mention.url == "https://www.reddit.com/r/hiking/comments/a0/shoes/"
    assert last.gaps == []
    later, _ = fed(feed(*range(now + 100, now + 75, -1), first=30), last.cursor)
    (gap,) = later[-1].gaps
    assert (gap.start, gap.end) == (datetime.fromtimestamp(now, UTC), datetime.fromtimestamp(now + 76, UTC))
    few, _ = fed(feed(now + 200, first=90), later[-1].cursor)
    assert few[-1].gaps == []
    _, asked = fed(feed(now), None, KEYLESS.model_copy(update={"subreddit": "hiking"}))
    assert str(asked.url) == "https://www.reddit.com/r/hiking/search.rss?q=gymshark&sort=new&restrict_sr=on"
    with pytest.raises(ChangedError, match="instead of a feed"):
        fed("<!doctype html><p>Just a moment...</p>")


def test_the_feed_is_full_with_25_entries_of_any_kind_at_the_first_call_as_well() -> None:
    now = 1791198000
    source = KEYLESS.model_copy(update={"first_day": date(2020, 1, 1)})
    whole, _ = fed(feed(*range(now, now - 24, -1)), None, source)
    assert whole[-1].gaps == []
    community = "<entry><id>t5_{n}</id><title>r/hiking</title><updated>2030-01-01T00:00:00+00:00</updated></entry>"
    body = feed(*range(now, now - 22, -1))
    body = body.replace("<entry>", "".join(community.format(n=n) for n in range(3)) + "<entry>", 1)
    batches, _ = fed(body, None, source)
    assert [len(batch.mentions) for batch in batches] == [22, 0]
    assert not batches[0].rejected
    (gap,) = batches[-1].gaps
    assert (gap.start, gap.end) == (datetime(2020, 1, 1, tzinfo=UTC), datetime.fromtimestamp(now - 21, UTC))
    assert json.loads(batches[-1].cursor or "") == {"feed": now}, "a community moves nothing"


def comment(name: str, body: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a comment
    told = {"name": name, "body": body, "author": "ana", "link_id": "t3_1", "created_utc": 1791198000.0}
    return {"kind": "t1", "data": told | more}


def test_a_heard_comment_is_heard_again_when_an_edit_takes_the_phrase_out_of_it() -> None:
    source = Reddit(name="r", query="hike", subreddit="hiking", comments="hike", **KEYS)
    said = [comment("t1_a", "My Hike broke"), comment("t1_b", "Nice weather"), comment("t1_old", "hike", created_utc=1)]
    later = [comment("t1_a", "All is well", edited=1791199000.0), comment("t1_b", "Rain", edited=1791199000.0)]
    cursor = None
    for children, words in ((said, ["My Hike broke", "hike"]), (later, ["All is well"]), (later, ["All is well"])):
        place, _ = behind_a_token(listing())

        def answer(request: httpx.Request, place: Any = place, children: Any = children) -> httpx.Response:  # noqa: ANN401
            return listing(*children) if request.url.path.endswith("/comments") else place(request)

        with client(answer) as http:
            batches = list(fetch(source, http, cursor))
        assert [mention.text for batch in batches for mention in batch.mentions] == words
        cursor = batches[-1].cursor
    assert json.loads(cursor or "")["said"] == {"t1_a": 1791198000.0}, "only those of the last day"


def test_an_address_is_reddits_own() -> None:
    for link in ("@evil.example/x", "https://www.reddit.com/r/a/comments/1/"):
        assert SOURCE.parse(post(permalink=link)).url == "https://www.reddit.com/comments/1/"


def test_the_fixture_tells_of_gone_ones() -> None:
    with client(Replay(exchanges("reddit")).handle_request) as http:
        gone = [key for batch in fetch(SOURCE, http, None) for key in batch.gone]
    assert gone == ["reddit:t3_1aaaa3", "reddit:t3_1aaaa5", "reddit:t1_kaaaa4"]

"""Discourse: a search that shows pieces and one post of a topic, a forum read whole, replies, and what it refuses."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from connectors.client import open_client
from connectors.contract import Batch, fetch
from connectors.sources.discourse import WHOLE, Discourse
from connectors.sources.discourse.forum import EMPTY
from connectors.sources.discourse.words import own
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError
from pipeline.mention import Mention, MentionKind
from tests.connectors.answers import answering
from tests.connectors.replay import Replay

FORUM = "https://forum.example"
FOUND = Discourse(name="d", forum=FORUM, phrase="Hike shoes")
ALL = Discourse(name="d", forum=FORUM, key="api-secret", username="hike_team")
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def post(native: int, at: datetime = NOON, **more: object) -> dict[str, Any]:
    told = {"id": native, "username": "ann", "created_at": at.isoformat(), "topic_id": 8, "post_number": 1}
    return told | {"cooked": "<p>My Hike shoes</p>", "updated_at": at.isoformat(), "version": 1} | more


def found(*posts: object, more: bool | None = None, error: str | None = None) -> httpx.Response:
    result = {"more_full_page_results": more, "error": error}
    return httpx.Response(200, json={"posts": list(posts), "grouped_search_result": result})


def hear(transport: httpx.BaseTransport, source: Discourse = FOUND, since: str | None = None) -> list[Batch]:
    with open_client(attempts=1, transport=transport, sleep=lambda _: None) as http:
        return list(fetch(source, http, since))


def heard(batches: list[Batch]) -> list[Mention]:
    return [mention for batch in batches for mention in batch.mentions]


def natives(batches: list[Batch]) -> list[int]:
    return [int(mention.key.rpartition("/")[2]) for mention in heard(batches)]


class Latest(httpx.BaseTransport):
    """/posts.json of a Discourse: 50 posts before an id; or, as older ones do it, those of the 50 ids up to it."""

    def __init__(self, posts: list[dict[str, Any]], *, by_window: bool) -> None:
        self.posts = sorted(posts, key=lambda each: -each["id"])
        self.by_window = by_window

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/posts.json"
        before = int(request.url.params.get("before", 10**9 if not self.by_window else self.posts[0]["id"]))
        shown = [each for each in self.posts if each["id"] < before][:50]
        if self.by_window:
            shown = [each for each in self.posts if before - 50 < each["id"] <= before]
        return httpx.Response(200, json={"latest_posts": shown})


@pytest.mark.parametrize("by_window", [True, False])
def test_a_whole_forum_is_read_over_gaps_in_its_ids(*, by_window: bool) -> None:
    there = [n for n in range(1, 700) if not 200 < n < 330]
    posts = [post(n, NOON + timedelta(hours=n)) for n in there]
    first = hear(Latest(posts, by_window=by_window), ALL)
    assert max(natives(first)) == 699
    assert len(natives(first)) >= 350, "ten pages at the first call, some of them of ids that are no posts"
    back = NOON.isoformat()
    every = hear(Latest(posts, by_window=by_window), ALL, back)
    assert set(natives(every)) == set(there)
    later = hear(Latest(posts, by_window=by_window), ALL, first[-1].cursor)
    assert set(range(676, 700)) <= set(natives(later))
    assert later[-1].reach == NOON + timedelta(hours=699 - 24)


def test_what_a_forum_shows_as_deleted_is_gone_and_what_it_does_itself_or_hides_is_not_said() -> None:
    posts = [
        post(5, deleted_at=NOON.isoformat()),
        post(4, user_deleted=True),
        post(3, post_type=3),
        post(2, hidden=True),
        post(1),
    ]
    batches = hear(answering(httpx.Response(200, json={"latest_posts": posts}))[0], ALL)
    assert natives(batches[:1]) == [1]
    assert batches[0].gone == ["discourse:forum.example/5", "discourse:forum.example/4"]


def test_a_phrase_of_two_words_is_searched_as_one_and_a_page_at_a_time() -> None:
    transport, asked = answering(found())
    hear(transport, FOUND, json.dumps({"newest": NOON.isoformat(), "read": []}))
    assert dict(asked[0].url.params) == {"q": '"Hike shoes" order:latest after:2026-10-04', "page": "1"}
    assert "api-key" not in asked[0].headers


def test_the_key_goes_along_with_its_name_and_neither_alone() -> None:
    transport, asked = answering(httpx.Response(200, json={"latest_posts": []}))
    hear(transport, ALL)
    assert (asked[0].headers["api-key"], asked[0].headers["api-username"]) == ("api-secret", "hike_team")
    with pytest.raises(ValidationError, match="both") as caught:
        Discourse(name="d", forum=FORUM, key=SecretStr("api-secret"))
    assert "api-secret" not in str(caught.value)


def test_earlier_posts_of_a_topic_of_which_the_search_shows_the_last_alone_are_found() -> None:
    there = {n: post(n, NOON + timedelta(minutes=n), post_number=n) for n in (2, 3, 4)}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/search.json":
            return found(*there.values()) if "topic:8" in request.url.params["q"] else found(there[4])
        return httpx.Response(200, json=there[int(request.url.path.split("/")[2].split(".")[0])])

    assert natives(hear(httpx.MockTransport(answer))) == [2, 3, 4]


def test_more_posts_than_one_call_reads_whole_are_read_by_the_next_ones_and_told() -> None:
    there = {n: post(n, NOON + timedelta(seconds=n), topic_id=n) for n in range(1, WHOLE + 8)}
    pieces = [{**each, "cooked": None, "blurb": "…"} for each in there.values()]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/search.json":
            return found(*pieces) if request.url.params["page"] == "1" else found()
        return httpx.Response(200, json=there[int(request.url.path.split("/")[2].split(".")[0])])

    first = hear(httpx.MockTransport(answer))
    assert natives(first) == list(range(1, WHOLE + 1)), "the oldest first"
    assert first[-1].gaps[0].start == NOON + timedelta(seconds=WHOLE + 1)
    cursor = next(batch.cursor for batch in reversed(first) if batch.cursor)
    second = hear(httpx.MockTransport(answer), FOUND, cursor)
    assert natives(second)[:7] == list(range(WHOLE + 1, WHOLE + 8))
    assert second[-1].gaps == []


def test_a_post_that_is_not_given_is_heard_as_the_piece_the_search_shows() -> None:
    piece = {**post(5), "cooked": None, "blurb": "the &lt;sole&gt; … peels"}

    def answer(request: httpx.Request) -> httpx.Response:
        return found(piece) if request.url.path == "/search.json" else httpx.Response(403, json={"errors": ["no"]})

    assert [mention.text for mention in heard(hear(httpx.MockTransport(answer)))] == ["the <sole> … peels"]


def test_what_others_said_is_left_out_of_a_post_and_its_emoji_stay() -> None:
    cooked = (
        '<aside class="quote no-group" data-post="1"><blockquote>I love it</blockquote></aside><p>I do not '
        '<img src="/e/rage.png" title=":rage:" class="emoji only-emoji" alt=":rage:"> &amp; 😡</p>'
    )
    assert ALL.parse(post(1, cooked=cooked)).text == "I do not :rage: & 😡"


def test_a_quote_in_a_quote_ends_with_its_own_end_and_a_page_that_is_shown_is_its_link() -> None:
    quote = '<aside class="quote">'
    shown = '<aside class="onebox allowlistedgeneric" data-onebox-src="https://x.example/a?b=1&amp;c"><p>Ad</p></aside>'
    cooked = f"<p>a</p>{quote}<p>b</p>{quote}<p>c</p></aside><p>d</p></aside><p>e</p>{shown}<p>f</p></aside>"
    assert ALL.parse(post(1, cooked=cooked)).text == "a\n\ne\n\nhttps://x.example/a?b=1&c\n\nf"
    assert "mine" in ALL.parse(post(1, cooked=f"{quote}<p>mine</p>")).text, "one that never ends hides nothing"


@pytest.mark.parametrize(
    "piece", ['<aside class="quote', '<aside class="quote">', '<img class="emoji', "<img ", "</aside>"]
)
def test_hostile_html_takes_no_time(piece: str) -> None:
    began = time.monotonic()
    own(piece * (360_000 // len(piece)))
    assert time.monotonic() - began < 5


def test_many_ids_that_are_not_for_us_end_a_walk_only_after_many_and_then_as_a_gap() -> None:
    for hole, whole in ((600, True), (EMPTY * 50 + 200, False)):
        posts = [post(n, NOON + timedelta(seconds=n)) for n in [*range(1, 20), *range(hole + 20, hole + 30)]]
        end = hear(Latest(posts, by_window=True), ALL, NOON.isoformat())
        assert (set(natives(end)) == {each["id"] for each in posts}) == whole
        assert [(gap.start, gap.end) for gap in end[-1].gaps] == (
            [] if whole else [(NOON - timedelta(days=1), NOON + timedelta(seconds=hole + 20))]
        )


def test_topics_beyond_what_one_call_searches_are_searched_by_the_next_ones() -> None:
    shown = {n: post(n, NOON + timedelta(minutes=n), topic_id=n, post_number=9) for n in range(100, 125)}
    before = {n - 50: post(n - 50, NOON, topic_id=n, post_number=5) for n in shown}
    there = shown | before

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/search.json":
            query = request.url.params["q"]
            topic = int(query.partition("topic:")[2] or 0)
            return found(shown[topic], before[topic - 50]) if topic else found(*reversed(shown.values()))
        return httpx.Response(200, json=there[int(request.url.path.split("/")[2].split(".")[0])])

    first = hear(httpx.MockTransport(answer))
    assert "5 topics" in first[-1].gaps[0].why
    assert len(json.loads(first[-1].cursor or "")["topics"]) == 5
    second = hear(httpx.MockTransport(answer), FOUND, first[-1].cursor)
    assert {*natives(first), *natives(second)} == set(there)
    assert (json.loads(second[-1].cursor or "")["topics"], second[-1].gaps) == ({}, [])


def test_a_topic_with_more_than_a_page_of_hits_is_read_page_by_page() -> None:
    there = {n: post(n, NOON + timedelta(minutes=n), post_number=n) for n in range(2, 62)}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/search.json":
            if "topic:8" not in request.url.params["q"]:
                return found(there[61])
            start = 50 * (int(request.url.params["page"]) - 1)
            return found(*list(there.values())[start : start + 50], more=start == 0)
        return httpx.Response(200, json=there[int(request.url.path.split("/")[2].split(".")[0])])

    assert set(natives(hear(httpx.MockTransport(answer)))) == set(there)


def test_a_post_that_is_gone_since_the_search_saw_it_is_no_mention() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        gone = httpx.Response(404, json={"errors": ["no"], "error_type": "not_found"})
        return found({**post(5), "cooked": None, "blurb": "x"}) if request.url.path == "/search.json" else gone

    batches = hear(httpx.MockTransport(answer))
    assert heard(batches) == []
    assert [key for batch in batches for key in batch.gone] == ["discourse:forum.example/5"]


def test_a_time_of_the_future_makes_no_place() -> None:
    posts = [post(6, datetime(2099, 1, 1, tzinfo=UTC)), post(5)]
    batches = hear(answering(httpx.Response(200, json={"latest_posts": posts}))[0], ALL)
    assert batches[-1].cursor == NOON.isoformat()
    pages = [found(*posts), *(httpx.Response(200, json=each) for each in reversed(posts))]
    batches = hear(answering(*pages)[0])
    assert natives(batches) == [5, 6]
    assert json.loads(batches[-1].cursor or "")["newest"] == NOON.isoformat()


def test_a_post_of_many_versions_was_edited_and_an_answer_names_its_parent() -> None:
    edited = (NOON + timedelta(hours=1)).isoformat()
    posts = [post(7, post_number=2, reply_to_post_number=1, version=2, updated_at=edited), post(6)]
    answer, first = heard(hear(answering(httpx.Response(200, json={"latest_posts": posts}))[0], ALL))[:2]
    assert (answer.kind, first.kind) == (MentionKind.COMMENT, MentionKind.POST)
    assert answer.parent == first.key
    assert answer.thread == first.thread == "discourse:forum.example/t/8"
    assert (answer.edited_at, first.edited_at) == (NOON + timedelta(hours=1), None)


def test_gone_is_what_is_missing_or_marked_and_never_what_is_hidden_from_us() -> None:
    answers = {
        "1": httpx.Response(404, json={"errors": ["no"], "error_type": "not_found"}),
        "2": httpx.Response(200, json={**post(2), "deleted_at": NOON.isoformat()}),
        "3": httpx.Response(403, json={"errors": ["no"]}),
        "4": httpx.Response(200, json=post(4)),
        "5": httpx.Response(410, json={"errors": ["no"]}),
        "6": httpx.Response(404, text="<html>404</html>"),
        "7": httpx.Response(404, json={}),
    }
    transport = httpx.MockTransport(lambda request: answers[request.url.path.split("/")[2].split(".")[0]])
    *keys, page, other = (f"discourse:forum.example/{native}" for native in answers)
    with open_client(transport=transport, sleep=lambda _: None) as http:
        assert ALL.gone(http, [*keys, "discourse:other.example/1"]) == {keys[0], keys[1], keys[4]}
        for proxy in (page, other):
            with pytest.raises(RefusedError):
                ALL.gone(http, [proxy])


def test_a_reply_answers_the_post_in_its_topic() -> None:
    said = {"id": 99, "post_number": 6, "topic_slug": "sole"}
    transport, asked = answering(httpx.Response(200, json=said))
    mention = ALL.parse(post(5, topic_id=8, post_number=4, topic_slug="sole"))
    with open_client(transport=transport) as http:
        assert ALL.reply(http, mention, "Sorry!") == f"{FORUM}/t/sole/8/6"
        with pytest.raises(SettingsError):
            FOUND.reply(http, mention, "Sorry!")
        with pytest.raises(SettingsError):
            ALL.reply(http, mention, "x" * 32_001)
    (request,) = asked
    assert (request.method, request.url.path) == ("POST", "/posts.json")
    assert json.loads(request.content) == {"topic_id": 8, "raw": "Sorry!", "reply_to_post_number": 4}
    assert request.headers["api-key"] == "api-secret"


@pytest.mark.parametrize(
    ("answer", "error", "wait"),
    [
        (found(error="Your search term is too short."), RefusedError, None),
        (found(error="We are experiencing extreme load."), TemporaryError, None),
        (httpx.Response(409, json={"errors": ["overloaded"]}), TemporaryError, None),
        (httpx.Response(429, json={"extras": {"wait_seconds": 47}}), TemporaryError, 47),
        (httpx.Response(429, json={"extras": {"wait_seconds": 1e300}}), TemporaryError, 86_400),
        (httpx.Response(429, json={"extras": {"wait_seconds": 10**400}}), TemporaryError, 86_400),
        (httpx.Response(200, json=[{"type": "topic", "results": []}]), ChangedError, None),
    ],
)
def test_each_refusal_is_who_must_act(answer: httpx.Response, error: type[EarfulError], wait: int | None) -> None:
    with pytest.raises(error) as caught:
        hear(answering(answer)[0])
    if isinstance(caught.value, TemporaryError) and wait:
        assert caught.value.retry_after == timedelta(seconds=wait)


def test_recorded_search_pages_are_read(shared: Path) -> None:
    first, second, *_ = recorded(shared)
    missing = {
        "request": {"method": "GET", "url": "https://forum.example.com/posts/1.json"},
        "response": {"status": 404},
    }
    source = Discourse(name="d", forum="https://forum.example.com", phrase="acme")
    batches = hear(Replay([first, second, missing], in_order=True), source)
    assert natives(batches) == [905, 910]
    bob, ann = heard(batches)
    assert (bob.text, bob.title, bob.url) == ("Acme ist super", "Lob", "https://forum.example.com/t/lob/87/1")
    assert ann.text == "the <kettle> of Acme leaks … after two days 😡"
    assert (ann.author, ann.likes, ann.said_at) == ("ann", 3, datetime(2026, 9, 24, 10, tzinfo=UTC))
    assert ann.url == "https://forum.example.com/t/acme-kettle-leaks/88/4"


def test_the_newest_posts_of_official_examples_are_read(shared: Path) -> None:
    for name, many in (("posts_latest", 4), ("posts_page", 25)):
        said = json.loads((shared / f"fixtures/discourse/{name}.json").read_text(encoding="utf-8"))
        batches = hear(answering(httpx.Response(200, json=said))[0], ALL)
        assert natives(batches)[:many] == [each["id"] for each in said["latest_posts"]]
        assert not any(batch.rejected for batch in batches)
    assert heard(batches)[0].said_at == datetime(2018, 5, 24, 21, 16, 2, 287000, tzinfo=UTC)


def test_the_official_example_of_a_search_is_read(shared: Path) -> None:
    said = json.loads((shared / "fixtures/discourse/search_official_example.json").read_text(encoding="utf-8"))
    answers = [httpx.Response(200, json=said), httpx.Response(404)]
    (mention,) = heard(hear(answering(*answers)[0]))
    assert mention.key == "discourse:forum.example/16"
    assert mention.title == "2a6aa74e-e341-5e3c-1eaa-78c6331f305f"


def test_every_recorded_error_has_its_class(shared: Path) -> None:
    _, _, short, throttled, forbidden, missing = recorded(shared)
    wanted = {"short": RefusedError, "throttled": TemporaryError, "forbidden": RefusedError, "missing": RefusedError}
    for exchange, error in zip((short, throttled, forbidden, missing), wanted.values(), strict=True):
        answer = exchange["response"]
        with pytest.raises(error):
            hear(answering(httpx.Response(answer["status"], json=answer["json"]))[0])


def recorded(shared: Path) -> list[dict[str, Any]]:
    told = json.loads((shared / "fixtures/discourse/search_pages_and_errors.json").read_text(encoding="utf-8"))
    exchanges: list[dict[str, Any]] = told["interactions"]
    return exchanges

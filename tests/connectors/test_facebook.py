"""Facebook: which posts are followed, whose words they are, recommendations, and Meta's ways to refuse."""

import hashlib
import hmac
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from connectors.conform.worlds.facebook import NOT_THERE, PAGE, POST, FacebookWorld
from connectors.contract import fetch
from connectors.sources.facebook import OVERLAP, FacebookPage
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError
from pipeline.mention import MentionKind
from tests.connectors.replay import Replay
from tests.connectors.test_recordings import hear, recording
from tests.connectors.worldly import (
    Town,
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
    refusal,
    sent,
)

SOURCE = FacebookPage(name="page", page=PAGE, token="fb-sesame")
NOON = "2026-10-05T12:00:00+0000"


def comment(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - a comment
    said = {"id": "1_2", "message": "Too small", "created_time": NOON, "edge": "comments", "post": f"{PAGE}_1"}
    return {**said, **more}


def rating(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - a recommendation
    return {"created_time": NOON, "edge": "ratings", "review_text": "Hm", "open_graph_story": {"id": "9"}, **more}


def test_a_busy_page_is_heard_whole_and_an_edited_comment_again() -> None:
    town = hears_everything(FacebookWorld(), FacebookPage)
    assert town.reach == max(each.at for each in town.said) - OVERLAP


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(FacebookWorld(), FacebookPage)


def test_only_what_was_deleted_is_gone() -> None:
    knows_what_is_gone(FacebookWorld(), FacebookPage)


def test_nothing_is_gone_where_the_token_no_longer_sees_the_page_or_is_refused() -> None:
    for error in (NOT_THERE, {"code": 100, "message": "requires the permission"}, {"code": 190}):
        with client(refusal(400, {"error": error})) as http, pytest.raises(RefusedError):
            SOURCE.gone(http, ["facebook:1_2"])
    with client(refusal(400, {"error": {"code": 4}})) as http, pytest.raises(TemporaryError):
        SOURCE.gone(http, ["facebook:1_2"])


def test_only_posts_that_moved_are_asked_for_their_comments() -> None:
    town = Town(FacebookWorld(), FacebookPage)
    town.say(3)
    town.listen()
    later = {"created_time": "2026-11-05T12:00:00+0000", "updated_time": "2026-11-05T12:00:00+0000"}
    new = {"id": f"{PAGE}_99", "from": {"id": "77", "name": "Ana"}, "message": "Hello", **later}
    asked: list[str] = []

    def place(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path.removeprefix("/v21.0/"))
        answer = town.answer(request)
        if asked[-1] == f"{PAGE}/feed":
            return httpx.Response(200, json={"data": [new, *answer.json()["data"]]})
        return httpx.Response(200, json={"data": []}) if "_99" in asked[-1] else answer

    with client(place) as http:
        first = list(fetch(town.source, http, town.cursor))
        assert f"{POST}/comments" in asked
        asked.clear()
        list(fetch(town.source, http, first[-1].cursor))
    assert f"{PAGE}_99/comments" in asked
    assert f"{POST}/comments" not in asked


def test_posts_beyond_those_looked_at_are_a_gap() -> None:
    feed = [
        {"id": f"{PAGE}_{n}", "message": "Hi", "created_time": f"2026-10-{n:02}T12:00:00+0000", "from": {"id": PAGE}}
        for n in range(20, 0, -1)
    ]

    def place(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": feed if request.url.path.endswith("feed") else []})

    source = SOURCE.model_copy(update={"posts": 5, "first_day": date(2026, 10, 1)})
    with client(place) as http:
        batches = list(fetch(source, http, None))
    (gap,) = batches[-1].gaps
    assert gap.start == datetime(2026, 10, 1, tzinfo=UTC)
    assert gap.end > datetime(2026, 10, 20, 12, tzinfo=UTC)  # a comment below an old post may be of today
    assert sum(len(batch.mentions) for batch in batches) == 5
    whole = SOURCE.model_copy(update={"posts": 20, "first_day": date(2026, 9, 1)})
    with client(place) as http:
        assert list(fetch(whole, http, None))[-1].gaps == []
    with client(place) as http:  # all looked at are newer than the bound, and still older ones may be commented on
        (gap,) = list(fetch(source, http, "2026-11-20T12:00:00+00:00"))[-1].gaps
    assert gap.start == datetime(2026, 11, 18, 12, tzinfo=UTC)


def test_the_page_itself_is_the_brand_and_nobody_else_is() -> None:
    assert SOURCE.parse(comment(**{"from": {"id": PAGE, "name": "Hike"}})).by_brand
    for who in ({"id": "77", "name": "Hike"}, {}, None):
        assert not SOURCE.parse(comment(**{"from": who})).by_brand


def test_a_comment_without_an_id_is_known_by_its_address() -> None:
    link = f"https://www.facebook.com/{PAGE}/posts/1/?comment_id=2"
    top = SOURCE.parse(comment(id=None, permalink_url=link))
    below = SOURCE.parse(comment(id=None, permalink_url=f"{link}&reply_comment_id=3"))
    assert (top.key, top.parent) == ("facebook:1_2", f"facebook:{PAGE}_1")
    assert (below.key, below.parent, below.thread) == ("facebook:1_3", "facebook:1_2", f"facebook:{PAGE}_1")
    assert SOURCE.parse(comment(parent={"id": "1_7"})).parent == "facebook:1_7"


@pytest.mark.parametrize(
    ("told", "scale"),
    [
        ({"recommendation_type": "positive"}, (1, 0, 1)),
        ({"recommendation_type": "negative"}, (0, 0, 1)),
        ({"rating": 4, "has_rating": True}, (4, 1, 5)),
        ({}, (None, None, None)),
    ],
)
def test_a_recommendation_is_yes_or_no_and_an_old_one_stars(told: dict[str, Any], scale: tuple[Any, ...]) -> None:
    mention = SOURCE.parse(rating(**told))
    assert (mention.rating, mention.rating_min, mention.rating_max) == scale
    assert mention.kind is MentionKind.REVIEW


def test_the_token_stands_in_no_address_and_the_proof_is_sent_where_it_is_asked_for() -> None:
    town = Town(FacebookWorld(), FacebookPage, {"app_secret": "app-sesame"})
    town.say(150)
    town.listen()
    proof = hmac.new(b"app-sesame", b"EAAB-page-0815", hashlib.sha256).hexdigest()
    assert len(town.asked) > 3
    assert all("EAAB" not in str(request.url) for request in town.asked)
    assert all(request.url.params["appsecret_proof"] == proof for request in town.asked)


def test_a_reply_is_a_comment_below_and_its_id_is_kept() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"id": "1_5"})

    nameless = SOURCE.parse(rating(open_graph_story=None, recommendation_type="negative"))
    with client(answer) as http:
        assert SOURCE.reply(http, SOURCE.parse(comment()), "We are sorry & ready to help") == "1_5"
        with pytest.raises(SettingsError, match="8000"):
            SOURCE.reply(http, SOURCE.parse(comment()), "x" * 8001)
        with pytest.raises(SettingsError, match="by hand"):
            SOURCE.reply(http, nameless, "Sorry")
        assert SOURCE.gone(http, [nameless.key]) == set()
    request = sent(asked, "POST")
    assert request.url == "https://graph.facebook.com/v21.0/1_2/comments"
    assert parse_qs(request.content.decode()) == {"message": ["We are sorry & ready to help"]}
    assert request.headers["authorization"] == "Bearer fb-sesame"


USAGE = json.dumps(
    {
        PAGE: [
            {"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 19},
            {"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 0},
        ]
    }
)


@pytest.mark.parametrize("code", [4, 17, 32, 613, 80_001, 80_009])
def test_a_limit_is_a_wait_of_the_minutes_that_meta_tells(code: int) -> None:
    error = {"error": {"code": code, "message": "sesame", "type": "OAuthException"}}
    place = refusal(400, error, x_business_use_case_usage=USAGE)
    with client(place) as http, pytest.raises(TemporaryError, match=str(code)) as caught:
        list(fetch(SOURCE, http, None))
    assert caught.value.retry_after == timedelta(minutes=19)
    assert "sesame" not in repr(caught.value)
    for usage in ("", "{", "[]", '{"1": [{}]}', '{"1": [{"estimated_time_to_regain_access": 0}]}'):
        place = refusal(400, error, x_business_use_case_usage=usage)
        with client(place) as http, pytest.raises(TemporaryError) as caught:
            list(fetch(SOURCE, http, None))
        assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        ({"code": 190, "error_subcode": 463}, RefusedError, "make a new one"),
        ({"code": 10}, RefusedError, "permission"),
        ({"code": 283}, RefusedError, "permission"),
        ({"code": 12}, RefusedError, "`api`"),
        ({"code": 100}, RefusedError, "check the id"),
        ({"code": 1, "is_transient": True}, TemporaryError, "passing"),
        ({"code": 2}, TemporaryError, "passing"),
        ({"code": 9_999, "is_transient": True}, TemporaryError, "passing"),
        ({"code": 9_999}, ChangedError, "not understood"),
        ({}, ChangedError, "not understood"),
        ("sesame", ChangedError, "not understood"),
    ],
)
def test_a_refusal_says_what_to_do(error: Any, kind: type[EarfulError], words: str) -> None:  # noqa: ANN401 - JSON
    with client(refusal(400, {"error": error})) as http, pytest.raises(kind, match=words) as caught:
        list(fetch(SOURCE, http, None))
    assert "sesame" not in repr(caught.value)


def test_the_same_page_twice_is_named() -> None:
    paging = {"cursors": {"after": "QVFI"}, "next": "https://graph.facebook.com/x?access_token=fb-sesame&after=QVFI"}
    place = refusal(200, {"data": [], "paging": paging})
    with client(place) as http, pytest.raises(ChangedError, match="same page twice") as caught:
        list(fetch(SOURCE, http, None))
    assert "sesame" not in repr(caught.value)


def test_the_recorded_feed_and_comments(shared: Path) -> None:
    folder = shared / "fixtures/facebook"
    feed = recording(folder / "page_feed_2_pages.json")
    posts = [post["id"] for each in feed for post in each["response"]["json"]["data"]]
    own = {"19292868552_10158407654328553/comments": f"{posts[0]}/comments"}
    comments = recording(folder / "post_comments_2_pages.json", **own)
    silent = [_nothing(f"{post}/comments") for post in posts[1:]]
    source = FacebookPage(
        name="f", page="19292868552", token="k", ratings=False, api="https://graph.facebook.com/v11.0"
    )
    mentions, cursor, refused = hear(source, Replay([*feed, *comments, *silent], in_order=True))
    said = [each for each in mentions if each.kind is MentionKind.COMMENT]
    assert [each.key.partition(":")[2] for each in mentions if each.kind is MentionKind.POST] == posts
    assert (len(posts), len(said), refused) == (10, 15, 0)
    assert len({each.key for each in mentions}) == 25
    assert said[0].said_at == datetime(2021, 8, 10, 18, 45, 3, tzinfo=UTC)
    assert said[0].key == f"facebook:{posts[0].partition('_')[2]}_10158407835073553"
    assert said[5].parent == said[1].key
    assert [each.replies for each in said[:3]] == [1, 2, 0]
    assert (mentions[0].reposts, mentions[0].likes, mentions[0].replies) == (10, 125, 13)
    assert cursor == "2021-08-14T07:24:42+00:00"


def _nothing(path: str) -> dict[str, Any]:
    url = f"https://graph.facebook.com/v11.0/{path}"
    return {"request": {"method": "GET", "url": url}, "response": {"json": {"data": []}}}


def test_the_recorded_recommendations_and_refusals(shared: Path) -> None:
    told = recording(shared / "fixtures/facebook/page_ratings.json", PAGE=PAGE)
    mentions, _, refused = hear(SOURCE, Replay([_empty("feed"), told[0]], in_order=True))
    assert [(each.key, each.rating, each.rating_max) for each in mentions] == [
        ("facebook:1001", 0, 1),
        ("facebook:900", 4, 5),
    ]
    assert refused == 0
    assert mentions[1].said_at == datetime(2016, 1, 1, 10, tzinfo=UTC)
    for exchange, error in ((told[1], TemporaryError), (told[2], RefusedError)):
        with pytest.raises(error):
            hear(SOURCE, Replay([_empty("feed"), exchange], in_order=True))
    for exchange in recording(shared / "fixtures/facebook/errors.json"):
        exchange["request"]["url"] = f"https://graph.facebook.com/v21.0/{PAGE}/feed"
        with pytest.raises(RefusedError, match="code 100"):
            hear(SOURCE, Replay([exchange], in_order=True))


def _empty(path: str) -> dict[str, Any]:
    exchange = _nothing(path)
    exchange["request"]["url"] = f"https://graph.facebook.com/v21.0/{PAGE}/{path}"
    return exchange

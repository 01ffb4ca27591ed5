"""Facebook: posts that are not there, comments in any order, what is gone, and what has no id of its own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.conform.worlds.facebook import NOT_THERE, PAGE
from connectors.contract import Batch, fetch
from connectors.sources.facebook import FacebookPage
from pipeline.errors import RefusedError
from tests.connectors.worldly import client

SOURCE = FacebookPage(name="page", page=PAGE, token="fb-sesame")
NOON = "2026-10-05T12:00:00+0000"


def below(shown: dict[str, list[dict[str, Any]]]) -> Any:  # noqa: ANN401 - a place
    """A page whose posts have these comments; where a post is not named, Meta says that it is not there."""
    feed = [{"id": f"{PAGE}_{n}", "message": "Hi", "created_time": NOON, "from": {"id": PAGE}} for n in (1, 2, 3)]

    def place(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v21.0/")
        if path in shown:
            return httpx.Response(200, json={"data": shown[path]})
        if path.endswith(("feed", "ratings")):
            told = {"recommendation_type": "negative", "created_time": NOON}
            return httpx.Response(200, json={"data": feed if path.endswith("feed") else [told]})
        return httpx.Response(400, json={"error": NOT_THERE})

    return place


def test_a_post_that_is_not_there_costs_no_other_its_comments() -> None:
    said = {"id": "1_2", "message": "Too small", "created_time": NOON}
    with client(below({f"{PAGE}_1/comments": [said], f"{PAGE}_3/comments": []})) as http:
        batches = list(fetch(SOURCE, http, None))
    heard = {mention.key for batch in batches for mention in batch.mentions}
    assert {"facebook:1_2", "facebook:rating/2026-10-05T12:00:00+0000/0"} < heard
    assert batches[-1].cursor == "2026-10-05T12:00:00+00:00"
    (gap,) = batches[-1].gaps
    assert gap.why == "the comments below some posts (1) could not be seen"


def test_where_no_post_shows_its_comments_the_rest_is_heard_and_the_token_is_told() -> None:
    batches: list[Batch] = []
    with client(below({})) as http, pytest.raises(RefusedError, match="permissions"):
        batches.extend(fetch(SOURCE, http, None))
    assert {batch.cursor for batch in batches} == {None}
    assert "facebook:rating/2026-10-05T12:00:00+0000/0" in {each.key for batch in batches for each in batch.mentions}


def test_nothing_is_gone_where_the_token_sees_posts_and_no_comments() -> None:
    counted = {"id": f"{PAGE}_1", "comments": {"data": [], "summary": {"total_count": 3}}}
    feed = {f"{PAGE}/feed": [counted]}
    keys = ["facebook:1_2", "facebook:1001"]
    with client(below(feed | {f"{PAGE}_1/comments": []})) as http:
        assert SOURCE.gone(http, keys) == set()
    with client(below(feed)) as http, pytest.raises(RefusedError):
        SOURCE.gone(http, keys)
    with client(below(feed | {f"{PAGE}_1/comments": [{"id": "1_7"}]})) as http:
        assert SOURCE.gone(http, keys) == {"facebook:1_2"}  # a recommendation's story cannot be looked up


def test_comments_told_oldest_first_are_read_to_their_end() -> None:
    start = datetime(2026, 10, 1, tzinfo=UTC)

    def place(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v21.0/")
        if path == f"{PAGE}/feed":
            post = {"id": f"{PAGE}_1", "created_time": NOON, "from": {"id": PAGE}}
            return httpx.Response(200, json={"data": [post]})
        if path.endswith("ratings"):
            return httpx.Response(200, json={"data": []})
        first = int(request.url.params.get("after", 0))
        items = [
            {"id": f"1_{n}", "message": "Hi", "created_time": (start + timedelta(hours=n)).isoformat()}
            for n in range(first, first + 100)
        ]
        after = {"cursors": {"after": str(first + 100)}, "next": "x"} if first < 1_200 else {}
        return httpx.Response(200, json={"data": items, "paging": after})

    for since in (None, (start + timedelta(hours=1_200)).isoformat()):
        with client(place) as http:
            heard = {mention.key for batch in fetch(SOURCE, http, since) for mention in batch.mentions}
        assert len(heard) == 1_301


def test_a_post_without_an_id_is_known_by_its_number_below_the_page() -> None:
    post = {"created_time": NOON, "edge": "feed", "permalink_url": "https://www.facebook.com/hike/posts/123/"}
    assert SOURCE.parse(post).key == f"facebook:{PAGE}_123"


def test_a_recommendation_without_a_name_keeps_its_key_when_it_is_edited() -> None:
    def keys(*texts: str) -> list[str]:
        told = [{"created_time": NOON, "review_text": text} for text in texts]
        place = below({f"{PAGE}/feed": [], f"{PAGE}/ratings": told})
        with client(place) as http:
            return [mention.key for batch in fetch(SOURCE, http, None) for mention in batch.mentions]

    assert keys("Good", "Bad") == keys("Good", "Not so bad")
    assert len(set(keys("Good", "Good"))) == 2

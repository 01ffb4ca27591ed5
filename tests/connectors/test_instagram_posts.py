"""Instagram: replies below old comments, posts that are not looked at or not there, and what is gone."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.conform.worlds.facebook import NOT_THERE
from connectors.conform.worlds.instagram import ACCOUNT, InstagramWorld
from connectors.contract import fetch
from connectors.sources.instagram import REREAD, Instagram
from tests.connectors.worldly import Town, client, refusal

SOURCE = Instagram(name="insta", account=ACCOUNT, token="insta-sesame")
START = datetime(2026, 10, 5, 12, 30, tzinfo=UTC)


def media(native: int, at: datetime, comments: int) -> dict[str, Any]:
    return {"id": str(native), "caption": "New", "timestamp": at.isoformat(), "comments_count": comments}


def test_a_reply_below_an_old_comment_is_heard() -> None:
    town = Town(InstagramWorld(), Instagram)
    town.say(150, step=timedelta(minutes=1))
    town.now += timedelta(days=30)
    town.say(2)
    town.listen()
    fresh = town.say(1)[0]  # the 153rd: a reply to one of the oldest
    assert fresh.number == 153
    town.listen()
    assert town.heard[f"instagram:{17_858_154_000_000_153}"].parent == "instagram:17858154000000017"
    assert town.texts() == town.living()


def test_posts_beyond_those_looked_at_are_a_gap_to_this_day() -> None:
    posts = [media(n, START - timedelta(days=n), comments=0) for n in range(5)]
    place = refusal(200, {"data": posts})
    cursor = json.dumps({"newest": START.isoformat()})
    for most, gaps in ((5, 0), (2, 1)):
        with client(place) as http:
            found = list(fetch(SOURCE.model_copy(update={"posts": most}), http, cursor))[-1].gaps
        assert len(found) == gaps
    assert found[0].start == START - REREAD
    assert found[0].end > START


def test_a_post_that_is_not_there_costs_no_other_its_comments() -> None:
    posts = [media(n, START, comments=1) for n in (1, 2)]
    said = {"id": "5", "text": "Hm", "timestamp": START.isoformat()}

    def place(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v21.0/")
        if path == "1/comments":
            return httpx.Response(400, json={"error": NOT_THERE})
        told = {f"{ACCOUNT}/media": posts, "2/comments": [said]}
        return httpx.Response(200, json={"data": told.get(path, [])})

    with client(place) as http:
        batches = list(fetch(SOURCE, http, None))
    assert "instagram:5" in {mention.key for batch in batches for mention in batch.mentions}
    assert [gap.why for gap in batches[-1].gaps] == ["the comments below some posts (1) could not be seen"]
    assert batches[-1].cursor


def test_nothing_is_gone_where_the_token_sees_posts_and_no_comments() -> None:
    def place(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/media"):
            return httpx.Response(200, json={"data": [media(1, START, comments=2)]})
        shown = request.url.path.endswith("1/comments")
        return httpx.Response(200, json={"data": []}) if shown else httpx.Response(400, json={"error": NOT_THERE})

    with client(place) as http:
        assert SOURCE.gone(http, ["instagram:17858154961981086"]) == set()

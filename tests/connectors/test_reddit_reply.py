"""Replies on Reddit: sent as the account, and refused with a status of 200."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from connectors.sources.reddit import Reddit
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError
from tests.connectors.test_reddit import KEYS, SOURCE, behind_a_token, post
from tests.connectors.worldly import (
    client,
    sent,
)


def reply_of(said: dict[str, Any]) -> tuple[str, list[httpx.Request]]:
    source = Reddit(name="r", query="hike", username="hike", password="open", **KEYS)
    place, asked = behind_a_token(httpx.Response(200, json={"json": said}))
    with client(place) as http:
        return source.reply(http, source.parse(post("t3_abc")), "Which size?"), asked


def test_a_reply_is_sent_as_the_account_and_told_by_its_address() -> None:
    made = {"name": "t1_new", "permalink": "/r/hiking/comments/abc/shoes/new/"}
    receipt, asked = reply_of({"errors": [], "data": {"things": [{"kind": "t1", "data": made}]}})
    assert receipt == "https://www.reddit.com/r/hiking/comments/abc/shoes/new/"
    assert parse_qs(asked[0].content.decode()) == {
        "grant_type": ["password"],
        "username": ["hike"],
        "password": ["open"],
    }
    request = sent(asked[1:], "POST")
    assert str(request.url) == "https://oauth.reddit.com/api/comment"
    assert parse_qs(request.content.decode()) == {"api_type": ["json"], "thing_id": ["t3_abc"], "text": ["Which size?"]}
    assert reply_of({"errors": [], "data": {"things": [{"data": {"name": "t1_new"}}]}})[0] == "t1_new"


@pytest.mark.parametrize(
    ("faults", "kind", "words"),
    [
        (
            [["RATELIMIT", "you are doing that too much. try again in 9 minutes.", "ratelimit"]],
            TemporaryError,
            "too many",
        ),
        ([["THREAD_LOCKED", "sesame", "parent"]], RefusedError, "THREAD_LOCKED"),
        ([["sesame", "sesame"]], RefusedError, "no reason named"),
        ("sesame", RefusedError, "no reason named"),
        ([], ChangedError, "named no comment"),
    ],
)
def test_a_reply_refused_with_a_status_of_200_is_refused(faults: Any, kind: type[EarfulError], words: str) -> None:  # noqa: ANN401 - JSON
    with pytest.raises(kind, match=words) as caught:
        reply_of({"errors": faults})
    assert "sesame" not in str(caught.value)
    if isinstance(caught.value, TemporaryError):
        assert caught.value.retry_after == timedelta(minutes=9)


def test_a_reply_needs_an_account_and_an_end() -> None:
    with client(lambda _: pytest.fail("asked")) as http:
        with pytest.raises(SettingsError, match="username and password"):
            SOURCE.reply(http, SOURCE.parse(post()), "x")
        source = Reddit(name="r", query="hike", username="hike", password="open", **KEYS)
        with pytest.raises(SettingsError, match="10,000"):
            source.reply(http, SOURCE.parse(post()), "x" * 10_001)

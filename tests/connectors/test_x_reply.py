"""Replies on X: under the last version, as long as X counts, and heard under the first version."""

import json

import httpx
import pytest

from connectors.contract import fetch
from connectors.sources.x import X
from connectors.sources.x.api import weight
from pipeline.errors import ChangedError, SettingsError
from tests.connectors.test_x import SOURCE, tweet
from tests.connectors.worldly import (
    client,
    refusal,
    sent,
)


def test_a_reply_goes_under_the_last_version_with_the_token_of_the_account() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(201, json={"data": {"id": "2107", "text": "Which size?"}})

    source = SOURCE.model_copy(update={"user_token": X(name="x", query="x", token="a", user_token="mouth").user_token})
    mention = source.parse(tweet(id="2106675692958646273", edit_history_tweet_ids=["2106670659793846276"]))
    with client(answer) as http:
        assert source.reply(http, mention, "Which size?") == "https://x.com/i/status/2107"
    request = sent(asked, "POST")
    assert str(request.url) == "https://api.x.com/2/tweets"
    assert request.headers["authorization"] == "Bearer mouth"
    assert json.loads(request.content) == {
        "text": "Which size?",
        "reply": {"in_reply_to_tweet_id": "2106675692958646273"},
    }
    with client(answer) as http:
        with pytest.raises(SettingsError, match="280"):
            source.reply(http, mention, "x" * 281)
        with pytest.raises(SettingsError, match="280"):
            source.reply(http, mention, "靴" * 141)
        with pytest.raises(SettingsError, match="user_token"):
            SOURCE.reply(http, mention, "x")
    assert len(asked) == 1
    with client(refusal(200, {"data": None})) as http, pytest.raises(ChangedError, match="named no id"):
        source.reply(http, mention, "Which size?")


def test_an_answer_to_an_edited_post_stands_under_its_first_version() -> None:
    old, new = "2106670659793846276", "2106675692958646273"
    edited = {"id": new, "edit_history_tweet_ids": [old, new], "text": "hike", "conversation_id": new}
    about = {"referenced_tweets": [{"type": "replied_to", "id": new}]}
    answered = {"id": "2106675692958649999", "text": "sorry", "conversation_id": new, **about}
    for body in ({"data": [answered], "includes": {"tweets": [edited]}}, {"data": [answered, edited]}):
        with client(refusal(200, body | {"meta": {}})) as http:
            mentions = [mention for batch in fetch(SOURCE, http, None) for mention in batch.mentions]
        assert (mentions[0].parent, mentions[0].thread) == (f"x:{old}", f"x:{old}")
        assert all((mention.key, mention.thread) == (f"x:{old}", f"x:{old}") for mention in mentions[1:])


@pytest.mark.parametrize(
    ("text", "weighs"),
    [
        ("Which size? “9”…", 17),
        ("靴が破れた", 10),
        ("👟", 2),
        ("👨‍👩‍👧", 2),
        ("👍🏽", 2),
        ("🇩🇪🇫🇷", 4),
        ("cafe\u0301", 4),
        ("See https://hike.example/a/very/long/address/of/our/help and http://x.co", 4 + 23 + 5 + 23),
    ],
)
def test_a_reply_is_weighed_as_x_does(text: str, weighs: int) -> None:
    assert weight(text) == weighs

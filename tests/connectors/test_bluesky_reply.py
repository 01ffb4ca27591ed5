"""Replies on Bluesky: root and parent, a record key of mention and text, and who is refused."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pipeline.errors import ChangedError, SettingsError
from tests.connectors.replay import exchanges
from tests.connectors.test_bluesky import SOURCE, TOKENS, error, post
from tests.connectors.worldly import (
    client,
    sent,
)


def replying(mention_post: dict[str, Any], known: bool = False) -> Iterator[Any]:  # noqa: FBT001, FBT002 - a test's own
    made = {"uri": "at://did:plc:ears/app.bsky.feed.post/3mabcdefghi2j", "cid": "bafynew"}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        method = request.url.path.rpartition("/")[2]
        if method == "com.atproto.server.createSession":
            return httpx.Response(200, json=TOKENS)
        if method == "app.bsky.feed.getPosts":
            return httpx.Response(200, json={"posts": [mention_post]})
        if method == "com.atproto.repo.getRecord":
            return httpx.Response(200, json=made | {"value": {}}) if known else error(400, "RecordNotFound")
        return httpx.Response(200, json=made)

    asked: list[httpx.Request] = []
    yield answer
    yield asked


def test_a_reply_names_root_and_parent_and_its_key_is_made_of_mention_and_text() -> None:
    comment = exchanges("bluesky")[1]["response"]["json"]["posts"][1]
    for said, root in (
        (post(), {"uri": post()["uri"], "cid": post()["cid"]}),
        (comment, comment["record"]["reply"]["root"]),
    ):
        keys = set()
        for text in ("We are sorry. 👟", "We are sorry. 👟", "Which size?"):
            answer, asked = replying(said)
            with client(answer) as http:
                receipt = SOURCE.reply(http, SOURCE.parse(said), text)
            created = [each for each in asked if each.url.path.endswith("createRecord")]
            told = json.loads(sent(created, "POST").content)
            assert receipt == "at://did:plc:ears/app.bsky.feed.post/3mabcdefghi2j"
            assert (told["repo"], told["collection"]) == ("did:plc:ears", "app.bsky.feed.post")
            assert told["record"]["text"] == text
            assert told["record"]["$type"] == "app.bsky.feed.post"
            assert told["record"]["reply"] == {"root": root, "parent": {"uri": said["uri"], "cid": said["cid"]}}
            assert re.fullmatch("[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}", told["rkey"]), "a TID"
            keys.add(told["rkey"])
        assert len(keys) == 2


def test_a_reply_that_is_there_already_is_not_sent_again() -> None:
    answer, asked = replying(post(), known=True)
    with client(answer) as http:
        receipt = SOURCE.reply(http, SOURCE.parse(post()), "We are sorry.")
    assert receipt.startswith("at://did:plc:ears/")
    assert not any(request.url.path.endswith("createRecord") for request in asked)


def test_a_reply_that_is_too_long_or_to_nobody_is_refused_before_it_is_sent() -> None:
    answer, asked = replying(post(uri="at://did:plc:ana/app.bsky.feed.post/other"))
    with client(answer) as http:
        with pytest.raises(SettingsError, match="300"):
            SOURCE.reply(http, SOURCE.parse(post()), "x" * 301)
        assert asked == []
        with pytest.raises(SettingsError, match="no longer"):
            SOURCE.reply(http, SOURCE.parse(post()), "x" * 300)
    answer, _ = replying(post(record={"reply": {"root": {"uri": "at://x"}}}))
    with client(answer) as http, pytest.raises(ChangedError, match="another form"):
        SOURCE.reply(http, SOURCE.parse(post()), "x")

"""Slack: Block Kit within its limits, and no stranger's markup."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from connectors.client import open_client
from connectors.sinks.slack import Slack, message
from pipeline.errors import ChangedError, EarfulError, RefusedError
from tests.connectors.sinks.receivers import Receiver, an_alert

ATTACK = "<!channel> @here *bold* _it_ ~no~ `code` ```x``` <https://evil.example|Log in> &amp; <@U1>"


def objects(part: object) -> Iterator[dict[str, Any]]:
    """Every object of a message, however deep."""
    if isinstance(part, dict):
        yield part
        for inner in part.values():
            yield from objects(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from objects(inner)


def size(text: str) -> int:
    """Characters as Slack may count them: an emoji is two."""
    return len(text.encode("utf-16-le")) // 2


def test_a_strangers_words_stand_only_where_slack_reads_no_markup() -> None:
    sent = message(an_alert(title=ATTACK, who=ATTACK, text=ATTACK, where=ATTACK, why=[ATTACK]))
    markup = [part["text"] for part in objects(sent["blocks"]) if part.get("type") == "mrkdwn"]
    assert markup
    assert not any("evil" in text or "channel" in text for text in markup)
    assert {"type": "text", "text": ATTACK} in list(objects(sent["blocks"]))


def test_the_notification_text_can_ping_nobody() -> None:
    text = message(an_alert(title=ATTACK))["text"]
    assert "<" not in text
    assert "@here" not in text
    assert "&lt;!channel&gt;" in text
    assert "reply by Sun 22 Nov 2026, 14:00 UTC" in text


def test_a_plain_text_shows_signs_as_they_were_written() -> None:
    header = message(an_alert(title="Tom & Jerry <3 &lt;"))["blocks"][0]
    assert header["text"] == {"type": "plain_text", "text": "Tom &amp; Jerry &lt;3 &amp;lt;", "emoji": False}


def test_the_deadline_is_shown_in_each_readers_own_time_with_utc_to_fall_back_on() -> None:
    fields = [part["text"] for part in objects(message(an_alert())["blocks"]) if part.get("type") == "mrkdwn"]
    assert "*Reply by*\n<!date^1795356000^{date_short_pretty} {time}|Sun 22 Nov 2026, 14:00 UTC>" in fields


def test_only_a_web_address_becomes_a_link() -> None:
    links = [part for part in objects(message(an_alert())) if part.get("type") == "link"]
    assert [(part["url"], part["text"]) for part in links] == [
        ("https://apps.example.com/reviews/11873", "Open the mention")
    ]
    for url in ["javascript:alert(1)", "https://a b", "https://x|y>", "ftp://x", "//x", "https://" + "x" * 3_000, None]:
        assert not [part for part in objects(message(an_alert(url=url))) if part.get("type") == "link"]


@settings(max_examples=30)
@given(
    st.lists(st.text(alphabet=st.characters(), max_size=400), min_size=6, max_size=12),
    st.sampled_from(["case", "watch"]),
)
def test_any_words_at_all_make_a_message_slack_takes(words: list[str], kind: str) -> None:
    title, who, text, where, team, *why = words
    long = "&🔥" * 1_600
    for told in [
        {"title": title, "who": who, "text": text, "where": where, "team": team, "why": why},
        {
            "title": title + long,
            "who": who + long,
            "text": text + long,
            "where": long,
            "team": long,
            "why": [*why, long] * 9,
        },
    ]:
        sent = message(an_alert(kind=kind, **told))
        json.dumps(sent, ensure_ascii=False).encode()
        assert len(sent["blocks"]) <= 50
        assert 1 <= size(sent["blocks"][0]["text"]["text"]) <= 150
        for part in objects(sent["blocks"]):
            if part.get("type") in {"mrkdwn", "plain_text", "text"}:
                assert 1 <= size(part["text"]) <= 3_000
            assert len(part.get("fields", [])) <= 10


def test_an_answer_that_is_not_slacks_ok_does_not_count(http: httpx.Client, receiver: Receiver) -> None:
    receiver.body = b"<html>Please log in to the hotel's network</html>"
    with pytest.raises(ChangedError, match="without the word"):
        Slack(name="out", url=SecretStr(receiver.url + "/services/x")).send(http, an_alert())


def test_the_address_must_be_whole_and_private() -> None:
    with pytest.raises(ValidationError, match="https://"):
        Slack(name="out", url=SecretStr("http://hooks.slack.com/services/x"))


def test_each_documented_answer_is_understood(shared: Path, http: httpx.Client, receiver: Receiver) -> None:
    answers = json.loads((shared / "fixtures/slack/incoming_webhook_answers.json").read_text(encoding="utf-8"))
    sink = Slack(name="out", url=SecretStr(receiver.url + "/services/x"))
    came = {}
    for exchange in answers["interactions"]:
        answer = exchange["response"]
        receiver.status, receiver.body, receiver.headers = answer["status"], answer["text"].encode(), answer["headers"]
        try:
            came[answer["text"]] = sink.send(http, an_alert())
        except EarfulError as error:
            came[answer["text"]] = type(error).__name__
    assert came == {
        "ok": "ok",
        "invalid_payload": "ChangedError",
        "no_text": "ChangedError",
        "invalid_blocks": "ChangedError",
        "action_prohibited": "RefusedError",
        "no_service": "RefusedError",
        "channel_is_archived": "RefusedError",
        "rate_limited": "TemporaryError",
        "rollup_error": "TemporaryError",
    }


@pytest.mark.parametrize(
    ("status", "word", "mend"),
    [
        (404, "no_service", "make another"),
        (410, "channel_is_archived", "choose another"),
        (403, "action_prohibited", "admin"),
    ],
)
def test_slacks_own_word_becomes_a_mend_and_any_other_is_not_repeated(
    http: httpx.Client, receiver: Receiver, status: int, word: str, mend: str
) -> None:
    sink = Slack(name="out", url=SecretStr(receiver.url + "/services/x"))
    receiver.status, receiver.body = status, word.encode()
    with pytest.raises(RefusedError, match=f"{mend}.*{word}"):
        sink.send(http, an_alert())
    receiver.body = b"hush"
    with pytest.raises(RefusedError) as caught:
        sink.send(http, an_alert())
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "pause"), [("https://hooks.slack.com/services/T/B/x", 1.0), ("https://chat.example/hooks/x", 0)]
)
def test_slack_itself_is_told_one_message_a_second(url: str, pause: float) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, text="ok")

    with open_client(transport=httpx.MockTransport(answer), sleep=lambda _: None) as http:
        Slack(name="out", url=SecretStr(url)).send(http, an_alert())
    assert asked[0].extensions["pause"] == pause

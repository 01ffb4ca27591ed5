"""Discord: an embed within its limits, that pings nobody and shows words as words."""

import json
import re
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from connectors.conform.desks.discord import DiscordDesk
from connectors.sinks.discord import COLOURS, SOLVED, Discord, message
from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError
from pipeline.triage import Urgency
from tests.connectors.sinks.receivers import NOON, Receiver, an_alert

ESCAPED = re.compile(r"\\.")
URL = "http://127.0.0.1:9/api/webhooks/1/conform-hush-token"


def taken(told: dict[str, object]) -> str:
    """What is read of an alert in Discord, once the desk has checked every limit."""
    desk = DiscordDesk()
    answer = desk.answer(httpx.Request("POST", URL, json=message(an_alert(**told))), NOON)
    assert answer.status_code == 204, answer.json()
    return desk.found()[0].text


@pytest.mark.parametrize(
    "words",
    [
        "*bold* **very** _it_ __under__ ~~gone~~ ||hidden|| `code` ```block```",
        "[Log in](https://evil.example/x) <https://evil.example> <@1> <@&2> <#3> <t:1:R> <:smile:1> :smile:",
        "# heading",
        "- a list\n-# small\n1. first\n> quoted\n>>> all of it",
        "a back\\slash and \\*one\\* escaped already",
        "see https://example.com/a_b_c?d=*e* and (https://example.com/x_y)",
        "@everyone @here",
        "3. It broke on 2. May",
    ],
)
def test_a_strangers_words_read_as_they_were_written(words: str) -> None:
    assert words in taken({"text": words})
    embed = message(an_alert(text=words, title=words, kind="watch"))["embeds"][0]
    for mark in ("**very", "](", "```", "<@", "<t:", "||h"):
        assert mark not in ESCAPED.sub("", embed["description"])
        assert mark not in ESCAPED.sub("", embed["title"])


def test_an_address_in_a_text_stays_one() -> None:
    embed = message(an_alert(text="see https://example.com/a_b_c now_"))["embeds"][0]
    assert embed["description"] == "> see https://example.com/a_b_c now\\_"


def test_nobody_is_pinged_and_the_deadline_is_told_in_each_readers_words() -> None:
    sent = message(an_alert())
    assert sent["allowed_mentions"] == {"parse": []}
    (until,) = [field["value"] for field in sent["embeds"][0]["fields"] if field["name"] == "Reply by"]
    assert until == "Sun 22 Nov 2026, 14:00 UTC (<t:1795356000:R>)"


def test_the_colour_says_how_urgent_it_is_and_that_it_is_over() -> None:
    assert message(an_alert(urgency=Urgency.CRITICAL))["embeds"][0]["color"] == COLOURS[Urgency.CRITICAL]
    assert message(an_alert(urgency=None, kind="solved"))["embeds"][0]["color"] == SOLVED


@settings(max_examples=30)
@given(
    st.lists(st.text(alphabet=st.characters(), max_size=400), min_size=6, max_size=12),
    st.sampled_from(["case", "watch", "digest", "solved"]),
)
def test_any_words_at_all_make_a_message_discord_takes(words: list[str], kind: str) -> None:
    title, who, text, where, team, *why = words
    long = "*🔥_" * 1_600
    taken({"kind": kind, "title": title, "who": who, "text": text, "where": where, "team": team, "why": why})
    far = {
        "title": title + long,
        "who": long,
        "text": text + long,
        "where": long,
        "team": long,
        "why": [*why, long] * 9,
    }
    taken({"kind": kind, **far, "case": long, "key": "k" * 900, "url": "https://x.example/" + "a" * 1_900})


def test_it_waits_for_the_message_and_tells_its_id(http: httpx.Client, receiver: Receiver) -> None:
    receiver.body = b'{"id": "1441", "type": 0}'
    sink = Discord(name="out", url=SecretStr(receiver.url + "/api/webhooks/1/x?thread_id=7"))
    assert sink.send(http, an_alert()) == "message 1441"
    assert receiver.heard[0].path == "/api/webhooks/1/x?thread_id=7&wait=true"


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"null", b"{}", b'{"id": 7}'])
def test_an_answer_without_a_message_does_not_count(http: httpx.Client, receiver: Receiver, body: bytes) -> None:
    receiver.body = body
    with pytest.raises(ChangedError):
        Discord(name="out", url=SecretStr(receiver.url + "/x")).send(http, an_alert())


def test_each_documented_answer_is_understood(shared: Path, http: httpx.Client, receiver: Receiver) -> None:
    answers = json.loads((shared / "fixtures/discord/webhook_execute_examples.json").read_text(encoding="utf-8"))
    sink = Discord(name="out", url=SecretStr(receiver.url + "/api/webhooks/1/hush"))
    came: list[str | EarfulError] = []
    for answer in answers["answers"]:
        receiver.status, receiver.headers = answer["status"], answer.get("headers", {})
        receiver.body = json.dumps(answer["json"]).encode() if "json" in answer else b""
        try:
            came.append(sink.send(http, an_alert()))
        except EarfulError as error:
            came.append(error)
    well, throttled, misunderstood, gone = came
    assert well == "taken"
    assert isinstance(throttled, TemporaryError)
    assert throttled.retry_after is not None
    assert 0.5 <= throttled.retry_after.total_seconds() <= 1
    assert isinstance(misunderstood, ChangedError)
    assert "50006" in str(misunderstood)
    assert isinstance(gone, RefusedError)
    assert "was deleted in Discord (10015)" in str(gone)
    assert "hush" not in " ".join(map(str, came))


@pytest.mark.parametrize("url", ["https://discord.com/api/hush\n", "https://discord.com:x/hush", "https://a\x00/hush"])
def test_an_address_that_is_none_is_said_with_the_settings_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError, match="this is no address") as caught:
        Discord(name="out", url=SecretStr(url))
    assert "hush" not in str(caught.value)

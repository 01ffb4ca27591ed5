"""Teams: an adaptive card of the documented form, within its limit, and no stranger's markup."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from connectors.sinks.teams import BODY_LIMIT, Teams, body, message
from pipeline.errors import ChangedError, RefusedError
from pipeline.triage import Urgency
from tests.connectors.sinks.receivers import Receiver, an_alert
from tests.connectors.sinks.test_slack import objects

ATTACK = "**bold** [Log in](https://evil.example) <at>Everyone</at> {{DATE(2026-01-01T00:00:00Z)}} ![x](https://evil.example/x.png)"
KNOWN = {
    "AdaptiveCard": {"$schema", "type", "version", "msteams", "body", "actions"},
    "Container": {"type", "style", "bleed", "items", "separator"},
    "RichTextBlock": {"type", "inlines", "spacing", "separator"},
    "TextRun": {"type", "text", "size", "weight", "isSubtle"},
    "TextBlock": {"type", "text", "weight", "wrap"},
    "FactSet": {"type", "facts"},
    "Action.OpenUrl": {"type", "title", "url"},
}
"""What adaptive cards 1.4 know of each element (https://adaptivecards.io/explorer), as far as ours use it."""


def card(**told: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of Alert
    alert = an_alert(**told)
    content: dict[str, Any] = message(alert, alert.text)["attachments"][0]["content"]
    return content


@pytest.mark.parametrize("kind", ["case", "watch", "digest", "solved"])
def test_a_card_has_only_what_the_schema_knows(kind: str) -> None:
    for part in objects(card(kind=kind)):
        if "type" in part:
            assert set(part) <= KNOWN[part["type"]], part["type"]
            assert "text" not in part or part["text"]
            assert part.get("items") != []


def test_the_message_has_the_recorded_form(shared: Path) -> None:
    recorded = json.loads((shared / "fixtures/teams/adaptive_card_message.json").read_text(encoding="utf-8"))
    ours = json.loads(body(an_alert()))
    assert ours.keys() == recorded.keys()
    theirs, mine = recorded["attachments"][0], ours["attachments"][0]
    assert theirs.keys() == mine.keys()
    assert {**theirs, "content": None} == {**mine, "content": None}
    same = ("$schema", "type", "version", "msteams")
    assert [theirs["content"][name] for name in same] == [mine["content"][name] for name in same]
    assert theirs["content"]["actions"][0].keys() == mine["content"]["actions"][0].keys()


def test_a_strangers_words_stand_only_where_no_markup_is_read() -> None:
    content = card(title=ATTACK, who=ATTACK, text=ATTACK, where=ATTACK, why=[ATTACK], case=ATTACK, team=ATTACK)
    read = [part["text"] for part in objects(content) if part.get("type") == "TextBlock"]
    read += [part["value"] for part in objects(content) if "value" in part]
    assert not any(sign in text for text in read for sign in "*[]<>`_")
    assert {"type": "TextRun", "text": ATTACK} in list(objects(content))


def test_how_urgent_it_is_shows_in_the_colour_of_its_head() -> None:
    assert card(urgency=Urgency.CRITICAL)["body"][0]["style"] == "attention"
    assert card(urgency=Urgency.HIGH)["body"][0]["style"] == "warning"
    assert card(urgency=Urgency.LOW)["body"][0]["style"] == "default"
    assert card(urgency=None, kind="watch")["body"][0]["style"] == "default"
    assert card(urgency=None, kind="solved")["body"][0]["style"] == "good"


def test_each_line_is_a_line_and_a_very_long_list_stays_one_card() -> None:
    said = card(text="one\n\ntwo\n \nthree")["body"][1]["items"]
    assert [line["inlines"][0]["text"] for line in said] == ["one", "two", "three"]
    assert len(card(text="line\n" * 900)["body"][1]["items"]) == 50


@settings(max_examples=20)
@given(st.lists(st.text(alphabet=st.characters(), max_size=300), min_size=5, max_size=9))
def test_any_words_at_all_make_a_card_teams_takes(words: list[str]) -> None:
    title, who, text, where, *why = words
    long = "&🔥\n" * 4_000
    for told in (
        {"title": title, "who": who, "text": text, "where": where, "why": why},
        {"title": title + long, "who": who + long, "text": text + long, "where": long, "why": [*why, long] * 9},
    ):
        sent = body(an_alert(**told))
        assert len(sent) <= BODY_LIMIT
        json.loads(sent)
        assert sent == body(an_alert(**told))


@pytest.mark.parametrize("said", [b"1", b"Webhook message delivery failed", b"<html>Log in to the hotel</html>"])
def test_a_200_with_words_does_not_count(http: httpx.Client, receiver: Receiver, said: bytes) -> None:
    receiver.body = said
    with pytest.raises(ChangedError, match="not 202"):
        Teams(name="out", url=SecretStr(receiver.url + "/hush")).send(http, an_alert())


@pytest.mark.parametrize("status", [202, 200])
def test_a_202_counts_and_so_does_an_empty_200(http: httpx.Client, receiver: Receiver, status: int) -> None:
    receiver.status, receiver.body = status, b""
    assert Teams(name="out", url=SecretStr(receiver.url + "/hush")).send(http, an_alert()).endswith(str(status))


@pytest.mark.parametrize(
    "url",
    ["https://example.webhook.office.com/webhookb2/1@2/IncomingWebhook/3/4", "https://outlook.office.com/webhook/1"],
)
def test_an_old_connector_is_refused_before_anything_is_lost_in_it(url: str) -> None:
    with pytest.raises(ValidationError, match="make a workflow") as caught:
        Teams(name="out", url=SecretStr(url))
    assert "webhookb2" not in str(caught.value)


def test_a_workflow_that_is_switched_off_is_the_operators(http: httpx.Client, receiver: Receiver) -> None:
    receiver.status = 400
    receiver.body = b'{"error": {"code": "WorkflowTriggerIsNotEnabled", "message": "Could not execute: hush"}}'
    with pytest.raises(RefusedError, match="switched off") as caught:
        Teams(name="out", url=SecretStr(receiver.url + "/x")).send(http, an_alert())
    assert "hush" not in str(caught.value)

"""Apprise: what goes out through it, what stays unsaid, and what it needs."""

import builtins
import json
import logging
from collections.abc import Callable
from html import escape
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from connectors.sinks.apprise import Apprise, body
from pipeline.errors import RefusedError, SettingsError, TemporaryError
from pipeline.triage import Urgency
from tests.connectors.sinks.receivers import Receiver, an_alert


def sink(receiver: Receiver) -> Apprise:
    return Apprise(name="out", url=SecretStr(receiver.url.replace("http", "json") + "/hush"))


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"urgency": Urgency.CRITICAL}, "failure"),
        ({"urgency": Urgency.LOW}, "info"),
        ({"kind": "watch"}, "warning"),
        ({"kind": "digest"}, "info"),
        ({"kind": "solved"}, "success"),
    ],
)
def test_an_alert_goes_out_with_its_kind(
    http: httpx.Client, receiver: Receiver, told: dict[str, Any], kind: str
) -> None:
    assert sink(receiver).send(http, an_alert(**told)) == "JSON"
    (heard,) = receiver.heard
    sent = json.loads(heard.body)
    assert (sent["title"], sent["type"]) == ("Hike: delivery", kind)
    assert sent["message"] == body(an_alert(**told), 32_768)


def test_no_stranger_pings_anybody(http: httpx.Client, receiver: Receiver) -> None:
    sink(receiver).send(http, an_alert(text="@everyone <!channel> <@U1> me@example.com", title="@here"))
    sent = json.loads(receiver.heard[0].body)
    assert not any(ping in sent["message"] for ping in ("@everyone", "<!", "<@"))
    assert "@here" not in sent["title"]


def test_the_link_stays_what_it_was_but_for_a_call_to_everybody() -> None:
    assert "https://mastodon.social/@mia/1\n" in body(an_alert(url="https://mastodon.social/@mia/1"), 9_999)
    assert "https://evil.example/%40everyone\n" in body(an_alert(url="https://evil.example/@everyone"), 9_999)


@pytest.mark.parametrize("room", [4_096, 2_000, 160, 3])
@pytest.mark.parametrize("markup", [True, False])
def test_no_message_is_longer_than_the_service_takes(room: int, *, markup: bool) -> None:
    words = {"who": "a&b" * 90, "text": "<🔥&> " * 900, "why": ["&'\"<" * 60] * 20}
    sent = body(an_alert(**words), room, markup=markup)
    assert len((escape(sent) if markup else sent).encode("utf-16-le")) // 2 <= room
    if room > 2_000:
        assert "<🔥&>" in sent
        assert sent.endswith(f"https://apps.example.com/reviews/11873\n\nEarful · {an_alert().key}")


def test_a_service_of_short_messages_gets_short_ones(
    http: httpx.Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.body_maxlen", 900)
    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.title_maxlen", 0)
    sink(receiver).send(http, an_alert(text="word " * 300, why=["because " * 30] * 9))
    said = json.loads(receiver.heard[0].body)["message"]
    assert 600 < len(said) <= 900
    assert said.startswith("Hike: delivery")


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_whatever_went_wrong_is_tried_again_and_nothing_is_logged(
    http: httpx.Client, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.status, receiver.body = status, b"hush"
    with pytest.raises(TemporaryError, match="does not say why") as caught:
        sink(receiver).send(http, an_alert())
    assert caught.value.unsure
    assert "hush" not in str(caught.value)
    assert "hush" not in caplog.text
    assert "parcel" not in caplog.text


def test_an_address_apprise_does_not_know_is_the_operators(http: httpx.Client) -> None:
    with pytest.raises(RefusedError, match="does not know such an address") as caught:
        Apprise(name="out", url=SecretStr("nosuchthing://hush/hush")).send(http, an_alert())
    assert "hush" not in str(caught.value)


def test_without_its_library_it_says_what_to_install(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    usual: Callable[..., object] = builtins.__import__

    def missing(name: str, *more: object) -> object:
        if name == "apprise":
            raise ImportError(name)
        return usual(name, *more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(SettingsError, match=r'pip install "earful\[apprise\]"'):
        Apprise(name="out", url=SecretStr("ntfy://topic")).send(http, an_alert())

"""Every sink keeps the same promises."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from connectors import SINKS, AnySink
from connectors.conform.desks import DESKS
from connectors.contract import Sink
from connectors.sinks.apprise import Apprise
from connectors.sinks.discord import Discord
from connectors.sinks.email import Email
from connectors.sinks.file import FileSink
from connectors.sinks.freshdesk import Freshdesk
from connectors.sinks.jira import JiraServiceManagement
from connectors.sinks.pagerduty import PagerDuty
from connectors.sinks.slack import Slack
from connectors.sinks.teams import Teams
from connectors.sinks.webhook import Webhook
from connectors.sinks.zendesk import ZendeskTicket
from pipeline.errors import ChangedError, RefusedError, TemporaryError
from pipeline.route import Alert
from pipeline.text import shorten
from tests.connectors.sinks.markup import raw
from tests.connectors.sinks.receivers import PostOffice, Receiver, an_alert

BY_DESK = {desk.kind: desk for desk in DESKS}
SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
OLD_SECRET = "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZC1v"
HOSTILE = {
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)></blockquote></td>",
    "mentions": "<!channel> <!here> <@U123> @here @channel <https://evil.example|Log in here>",
    "formatting": "*bold* _italic_ ~gone~ `code` ```\nblock\n``` > quote",
    "headers": "Hello\r\nBcc: everybody@example.com\r\n\r\nnew body\r\n.\r\nQUIT",
    "reordered": "invoice \u202egnp.exe\u202c \u2066\u2069 \u2028 \x00 \x1b[31m",
    "entities": "&lt;b&gt; &amp; &#60; {{ 7*7 }} {{{ticket.url}}} {% raw %} %s {0}",
    "emoji": "🔥" * 10_000,
    "surrogate": "half \ud83d a pair",
    "joined": "👩‍👩‍👧‍👦 ❤️ שלום السلام 你好",
    "spaces": " \n\t ",
}


@dataclass
class Place:
    """A sink, its secrets, how to read what the other side shows of it, and what was sent there, byte for byte."""

    sink: Sink
    secrets: tuple[str, ...]
    heard: Callable[[], list[str]]
    sent: Callable[[], list[str]]


def listed(kind: str, settings: dict[str, Any]) -> Sink:
    sink: Sink = TypeAdapter(AnySink).validate_python({"kind": kind, "name": "out", **settings})
    return sink


@pytest.fixture(params=["email", "file", "apprise", *BY_DESK])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        file = FileSink(name="out", path=tmp_path / "alerts.jsonl")

        def lines() -> list[str]:
            return file.path.read_text(encoding="utf-8").splitlines()

        return Place(file, (), lines, lines)
    if request.param == "email":
        office: PostOffice = request.getfixturevalue("office")
        mail = Email(
            name="out",
            host="127.0.0.1",
            port=office.port,
            encryption="none",
            sender="ears@example.com",
            to=("a@example.com",),
        )
        return Place(mail, (), lambda: [_read(mail) for mail in office.mails], lambda: [_html(m) for m in office.mails])
    receiver: Receiver = request.getfixturevalue("receiver")

    def heard() -> list[str]:
        return [json.dumps(json.loads(request.body), ensure_ascii=False) for request in receiver.heard]

    def sent() -> list[str]:
        return [request.body.decode() for request in receiver.heard]

    if request.param == "apprise":
        url = receiver.url.replace("http", "json") + "/hush"
        return Place(listed("apprise", {"url": url}), ("hush",), heard, sent)
    if request.param == "webhook":
        url = f"{receiver.url}/services/T000/B000/hush"
        hook = listed("webhook", {"url": url, "secret": SECRET, "old_secrets": (OLD_SECRET,)})
        return Place(hook, ("hush", SECRET[6:], OLD_SECRET[6:]), heard, sent)
    desk = receiver.desk = BY_DESK[request.param]()
    settings = desk.settings(receiver.url)
    keys = {"slack": "B000", "teams": "sig=", "discord": "webhooks/1", "pagerduty": "737ea619db56"}
    secret = keys.get(desk.kind, "conform-hush")
    return Place(listed(desk.kind, settings), (secret,), lambda: [one.text for one in desk.found()], sent)


@pytest.mark.parametrize("sink", SINKS)
def test_a_sink_says_who_it_is_and_what_each_setting_means(sink: type[Sink]) -> None:
    assert sink.label
    assert sink.docs.startswith("https://")
    assert sink.text_limit > 0
    fields = sink.model_fields
    assert fields["kind"].default == get_args(fields["kind"].annotation)[0]
    assert [name for name, setting in fields.items() if name != "kind" and not setting.description] == []


def test_an_alert_says_who_what_where_why_until_when_and_links_there(place: Place, http: httpx.Client) -> None:
    alert = an_alert()
    place.sink.send(http, alert)
    (heard,) = place.heard()
    for said in [
        alert.who,
        "Two weeks, still no parcel.",
        alert.where,
        alert.why[0],
        alert.team,
        alert.url,
        alert.case,
    ]:
        assert said is not None
        assert said in heard
    assert "14:00" in heard
    assert alert.key in heard


@pytest.mark.parametrize("kind", ["watch", "digest"])
def test_a_watch_or_digest_is_told_in_its_own_words(place: Place, http: httpx.Client, kind: str) -> None:
    place.sink.send(
        http, Alert(key="k", sink="out", kind=kind, title="Quiet", text="Nobody spoke.", made_at=an_alert().made_at)
    )
    (heard,) = place.heard()
    assert "Quiet" in heard
    assert "Nobody spoke." in heard
    assert "author unknown" not in heard


def test_an_alert_that_says_next_to_nothing_is_still_delivered(place: Place, http: httpx.Client) -> None:
    assert place.sink.send(http, Alert(key="k", sink="out", title="", made_at=an_alert().made_at))
    assert len(place.heard()) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_strangers_words_are_only_words(place: Place, http: httpx.Client, name: str) -> None:
    words = HOSTILE[name]
    told = dict.fromkeys(("title", "who", "text", "where"), words)
    assert place.sink.send(http, an_alert(**told, why=[words] * 30, url=f"javascript:{words}", case=words))
    (heard,) = place.heard()
    assert not set("\u202e\u202c\u2066\u2028\x00\x1b") & set(heard.replace("\\u202e", ""))
    assert [mark for sent in place.sent() for mark in raw(place.sink.kind, sent)] == []


def test_no_sink_carries_more_of_a_text_than_its_limit(place: Place, http: httpx.Client) -> None:
    place.sink.send(http, an_alert(text="ä" * 200_000))
    (heard,) = place.heard()
    assert heard.count("ä") <= place.sink.text_limit


def test_a_text_cut_to_the_limit_arrives_whole(place: Place, http: httpx.Client) -> None:
    text = shorten("word " * 20_000, place.sink.text_limit)
    place.sink.send(http, an_alert(text=text))
    (heard,) = place.heard()
    assert heard.count("word") == text.count("word")


def test_the_same_alert_sent_twice_can_be_known_by_its_key(place: Place, http: httpx.Client) -> None:
    first, second = place.sink.send(http, an_alert()), place.sink.send(http, an_alert())
    assert first == second or place.sink.kind == "discord"  # which gives each message an id
    assert len(set(place.heard())) == 1
    other = an_alert(key="alert_other")
    heard = set(place.heard())
    place.sink.send(http, other)
    assert set(place.heard()) != heard  # beside the first, or in the same ticket
    assert any("alert_other" in said for said in place.heard())


def test_no_secret_is_in_repr_string_log_or_receipt(
    place: Place, http: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receipt = place.sink.send(http, an_alert())
    logged = "".join(record.getMessage() for record in caplog.records if record.name != "mail.log")  # the test's server
    shown = [repr(place.sink), str(place.sink), logged, receipt, place.sink.model_dump_json(), *place.heard()]
    assert [secret for secret in place.secrets if any(secret in text for text in shown)] == []
    assert "parcel" not in logged


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Slack, {"url": "hooks.example.com/hush"}),
        (Webhook, {"url": "https://example.com/hush", "secret": "hush"}),
        (Webhook, {"url": "hush", "secret": SECRET}),
        (Teams, {"url": "logic.example.com/hush"}),
        (Discord, {"url": "discord.com/hush"}),
        (Apprise, {"url": "hush"}),
        (PagerDuty, {"routing_key": "hush", "api": "events.example.com"}),
        (ZendeskTicket, {"token": "hush", "api": "example.zendesk.com"}),
        (JiraServiceManagement, {"token": "hush", "api": "https://example.atlassian.net"}),
        (Freshdesk, {"key": "hush", "api": "https://example.freshdesk.com", "requester": "nobody"}),
        (Email, {"host": "h", "sender": "a@example.com", "to": ["b@example.com"], "password": "hush"}),
    ],
)
def test_no_secret_is_in_the_error_for_wrong_settings(kind: type[Sink], settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate({"name": "out", **settings})
    assert "hush" not in str(caught.value)


STATUSES = [
    *[(status, ChangedError) for status in (400,)],
    *[(status, RefusedError) for status in (301, 302, 307, 401, 403, 404, 405, 410, 413, 422)],
    *[(status, TemporaryError) for status in (0, 408, 429, 500, 502, 503, 504)],
]


@pytest.mark.parametrize(("status", "error"), STATUSES)
@pytest.mark.parametrize("place", ["slack", "teams", "discord", "pagerduty", "webhook"], indirect=True)
def test_each_status_becomes_its_error_and_names_no_secret(
    place: Place, http: httpx.Client, receiver: Receiver, status: int, error: type[Exception]
) -> None:
    receiver.status = status
    receiver.headers = {"location": "http://127.0.0.1:9/elsewhere", "retry-after": "30"}
    with pytest.raises(error) as caught:
        place.sink.send(http, an_alert())
    assert "127.0.0.1" in str(caught.value)
    assert [secret for secret in place.secrets if secret in f"{caught.value!r} {caught.value}"] == []
    assert len(receiver.heard) == 1
    if status == 429:
        assert isinstance(caught.value, TemporaryError)
        assert caught.value.retry_after is not None
        assert caught.value.retry_after.total_seconds() == 30


@pytest.mark.parametrize("place", ["slack", "teams", "discord", "pagerduty", "webhook"], indirect=True)
def test_a_receiver_that_never_answers_is_tried_again_later(
    place: Place, http: httpx.Client, receiver: Receiver
) -> None:
    receiver.may_answer.clear()
    http.timeout = httpx.Timeout(0.2)
    with pytest.raises(TemporaryError):
        place.sink.send(http, an_alert())
    assert len(receiver.heard) == 1


def _html(mail: object) -> str:
    assert hasattr(mail, "get_body")
    page = mail.get_body(("html",)).get_content()
    assert isinstance(page, str)
    return page


def _read(mail: object) -> str:
    """Both parts of a mail, as a person sees them, and its headers."""
    assert hasattr(mail, "walk")
    parts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    return "\n".join([*(f"{name}: {value}" for name, value in mail.items()), parts[0].replace("\n> ", "\n")])

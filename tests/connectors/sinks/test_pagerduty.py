"""PagerDuty: events as the schema has them, one page for a case, ended when it is settled."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from connectors.client import open_client
from connectors.conform.desks.pagerduty import PagerDutyDesk
from connectors.sinks.pagerduty import PagerDuty, event
from pipeline.errors import ChangedError, EarfulError, RefusedError, TemporaryError
from pipeline.triage import Urgency
from tests.connectors.sinks.receivers import Receiver, an_alert
from tests.connectors.sinks.test_tickets import AGAIN, CASE, GRAVE, OPENED, SOLVED, STORY, client, sink_of


def sink(receiver: Receiver) -> PagerDuty:
    return PagerDuty.model_validate({"name": "out", "routing_key": "hush", "api": receiver.url})


@pytest.mark.parametrize("alert", [OPENED, GRAVE, SOLVED, an_alert(kind="watch", case=None, urgency=None, where="")])
def test_an_event_keeps_the_published_schema(shared: Path, alert: Any) -> None:  # noqa: ANN401 - an Alert
    published = json.loads((shared / "fixtures/pagerduty/events_v2_openapi.json").read_text(encoding="utf-8"))
    schema = published["paths"]["/enqueue"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": published["components"], "additionalProperties": False}
    sent = {"routing_key": "k", **event(alert)}
    assert [error.message for error in Draft202012Validator(whole).iter_errors(sent)] == []


@pytest.mark.parametrize(
    ("told", "severity"),
    [
        ({"urgency": Urgency.CRITICAL}, "critical"),
        ({"urgency": Urgency.HIGH}, "error"),
        ({"urgency": Urgency.NORMAL}, "warning"),
        ({"urgency": Urgency.LOW}, "info"),
        ({"urgency": None}, "warning"),
        ({"urgency": None, "kind": "watch"}, "warning"),
        ({"urgency": None, "kind": "digest"}, "info"),
    ],
)
def test_how_urgent_it_is_is_how_severe_it_is(told: dict[str, Any], severity: str) -> None:
    assert event(an_alert(**told))["payload"]["severity"] == severity


def test_a_case_is_one_page_and_pages_anew_when_it_comes_back() -> None:
    desk = PagerDutyDesk()
    with client(desk) as http:
        receipts = [sink_of(desk).send(http, alert) for alert in STORY]
    assert receipts == [f"trigger {CASE}", f"trigger {CASE}", f"resolve {CASE}", f"trigger {CASE}"]
    first, second = desk.found()
    assert (first.key, first.open, second.key, second.open) == (CASE, False, CASE, True)
    assert OPENED.key in first.text
    assert GRAVE.key in first.text
    assert AGAIN.key in second.text


def test_limits_are_kept_however_long_the_words() -> None:
    told = event(an_alert(case="x" * 900, title="🔥" * 3_000, where="w" * 900, team="t" * 900, text="t" * 90_000))
    assert len(told["dedup_key"]) <= 255
    assert len(told["payload"]["summary"].encode("utf-16-le")) // 2 <= 1_024
    assert len(json.dumps(told)) < 512_000


def test_it_goes_where_the_account_lives() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(202, json={"status": "success", "message": "Event processed", "dedup_key": CASE})

    with open_client(transport=httpx.MockTransport(answer)) as http:
        for more in ({}, {"api": "https://events.eu.pagerduty.com/"}):
            PagerDuty.model_validate({"name": "out", "routing_key": "hush", **more}).send(http, OPENED)
    addresses = ["https://events.pagerduty.com/v2/enqueue", "https://events.eu.pagerduty.com/v2/enqueue"]
    assert [str(request.url) for request in asked] == addresses


def test_each_documented_answer_is_understood(shared: Path, http: httpx.Client, receiver: Receiver) -> None:
    answers = json.loads((shared / "fixtures/pagerduty/enqueue_answers.json").read_text(encoding="utf-8"))
    came: list[str | EarfulError] = []
    for exchange in answers["interactions"]:
        receiver.status = exchange["response"]["status"]
        receiver.body = json.dumps(exchange["response"]["json"]).encode()
        try:
            came.append(sink(receiver).send(http, OPENED))
        except EarfulError as error:
            came.append(error)
    well, invalid, throttled = came
    assert well == f"trigger {CASE}"
    assert isinstance(invalid, ChangedError)
    assert "(payload.severity)" in str(invalid)
    assert isinstance(throttled, TemporaryError)
    assert len(receiver.heard) == 3  # none was asked again


@pytest.mark.parametrize("said", ["'routing_key' is invalid (hush)", "Invalid routing key"])
def test_a_wrong_key_is_the_operators_and_is_not_repeated(http: httpx.Client, receiver: Receiver, said: str) -> None:
    receiver.status = 400
    receiver.body = json.dumps({"status": "invalid event", "errors": [said]}).encode()
    with pytest.raises(RefusedError, match="copy the integration key") as caught:
        sink(receiver).send(http, OPENED)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"null", b"{}", b'{"status": "queued"}'])
def test_an_answer_without_success_does_not_count(http: httpx.Client, receiver: Receiver, body: bytes) -> None:
    receiver.body = body
    with pytest.raises(ChangedError):
        sink(receiver).send(http, OPENED)

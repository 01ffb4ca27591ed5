"""The signed webhook: Standard Webhooks 1.0, seen from the receiver."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from connectors.signature import sign
from connectors.sinks.webhook import BODY_LIMIT, Webhook, body, webhook_id
from pipeline.errors import RefusedError
from tests.connectors.sinks.receivers import Receiver, an_alert

NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()


def test_signatures_are_those_of_the_specification(shared: Path) -> None:
    vectors = json.loads((shared / "fixtures/standard_webhooks/signature_vectors.json").read_text(encoding="utf-8"))
    assert len(vectors) == 3
    for vector in vectors:
        headers = vector["headers"]
        made = sign(
            vector["secret"], headers["webhook-id"], int(headers["webhook-timestamp"]), vector["payload"].encode()
        )
        assert made == headers["webhook-signature"]


def test_a_signature_is_the_hmac_of_id_time_and_body() -> None:
    digest = hmac.new(b"n" * 32, b'msg_1.1700000000.{"a":1}', hashlib.sha256).digest()
    assert sign(NEW, "msg_1", 1_700_000_000, b'{"a":1}') == "v1," + base64.b64encode(digest).decode()


def test_a_receiver_can_verify_what_it_got_with_the_new_and_the_old_secret(
    http: httpx.Client, receiver: Receiver
) -> None:
    sink = Webhook(name="out", url=SecretStr(receiver.url), secret=SecretStr(NEW), old_secrets=(SecretStr(OLD),))
    receiver.status = 204
    assert sink.send(http, an_alert()) == "alert_0123456789abcdef01234567: 204"
    (heard,) = receiver.heard
    at = int(heard.headers["webhook-timestamp"])
    assert abs(at - time.time()) < 60
    assert heard.headers["webhook-signature"].split() == [
        sign(secret, heard.headers["webhook-id"], at, heard.body) for secret in (NEW, OLD)
    ]
    assert heard.headers["content-type"] == "application/json"


def test_the_body_names_its_type_and_carries_the_alert() -> None:
    event = json.loads(body(an_alert()))
    assert (event["type"], event["timestamp"]) == ("earful.alert.case", "2026-11-22T12:00:00+00:00")
    assert event["data"] == {
        "key": "alert_0123456789abcdef01234567",
        "kind": "case",
        "case": "appstore:11873",
        "title": "Hike: delivery",
        "who": "marathon_mia",
        "text": "Two weeks, still no parcel.\nI want my money back.",
        "where": "App Store, Germany",
        "why": ["route parcels: category is delivery", 'because of "no parcel"'],
        "team": "Parcels",
        "urgency": "high",
        "reply_by": "2026-11-22T14:00:00+00:00",
        "said_at": "2026-11-22T11:10:00+00:00",
        "url": "https://apps.example.com/reviews/11873",
    }


def test_a_retry_keeps_id_and_body(http: httpx.Client, receiver: Receiver) -> None:
    sink = Webhook(name="out", url=SecretStr(receiver.url), secret=SecretStr(NEW))
    for _ in range(2):
        sink.send(http, an_alert())
    first, second = receiver.heard
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)


def test_an_id_a_stranger_could_have_written_is_hashed() -> None:
    assert webhook_id("alert_12:support") == "alert_12:support"
    for key in ["feed:https://example.com/a.html", "a\r\nwebhook-signature: v1", "ключ", "", "x" * 500, "half \ud83d"]:
        assert webhook_id(key).startswith("msg_")
        assert "." not in webhook_id(key)
    assert webhook_id("a.b") != webhook_id("a.c")


@settings(max_examples=30)
@given(st.lists(st.text(alphabet=st.characters(), max_size=500), min_size=7, max_size=12))
def test_any_words_at_all_make_a_body_within_the_limit(words: list[str]) -> None:
    title, who, text, where, team, key, *why = words
    for more in ["", '🔥\\"\x01' * 2_500]:
        told = {
            "title": title + more,
            "who": who + more,
            "text": text + more,
            "where": where + more,
            "team": team + more,
        }
        sent = body(an_alert(**told, key=key + more, case=more, why=[one + more for one in why] * 12))
        assert len(sent) <= BODY_LIMIT
        assert json.loads(sent)["data"]["text"] is not None


@pytest.mark.parametrize(
    "secret",
    ["", "hush", "whsec_", "whsec_???", NEW.removeprefix("whsec_"), "whsec_" + base64.b64encode(b"short").decode(),
     "whsec_" + base64.b64encode(b"x" * 65).decode(), NEW + "\n", "whsec_ключ"],
)  # fmt: skip
def test_a_malformed_secret_is_refused_before_anything_is_sent(secret: str) -> None:
    for told in [{"secret": secret}, {"secret": NEW, "old_secrets": [secret]}]:
        with pytest.raises(ValidationError, match="whsec_"):
            Webhook.model_validate({"name": "out", "url": "https://example.com", **told})


def test_a_receiver_that_is_gone_for_good_wants_to_be_taken_out_of_the_settings(
    http: httpx.Client, receiver: Receiver
) -> None:
    receiver.status = 410
    sink = Webhook(name="out", url=SecretStr(receiver.url + "/hush"), secret=SecretStr(NEW))
    with pytest.raises(RefusedError, match="take this sink out of the settings") as caught:
        sink.send(http, an_alert())
    assert "hush" not in str(caught.value)

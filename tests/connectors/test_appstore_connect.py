"""App Store Connect: the signed key, answers beside reviews, replies, deletions, and Apple's ways to refuse."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from connectors.conform.worlds.appstore_connect import AppStoreConnectWorld
from connectors.contract import fetch
from connectors.sources.appstore_connect import FIRST_PAGES, PAGE, REREAD, AppStoreConnect
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError
from pipeline.mention import Mention
from tests.connectors.replay import FIXTURES, Replay
from tests.connectors.test_recordings import hear, recording
from tests.connectors.worldly import (
    Town,
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
    refusal,
    sent,
)

SETTINGS = json.loads((FIXTURES / "appstore_connect/settings.json").read_text(encoding="utf-8"))
SOURCE = AppStoreConnect.model_validate(SETTINGS)


def review(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - a review
    said = {"rating": 1, "body": "It crashes.", "createdDate": "2026-10-05T05:00:00-07:00", **more}
    return {"type": "customerReviews", "id": "r1", "attributes": said}


def mention() -> Mention:
    return SOURCE.parse(review())


def test_a_busy_app_is_heard_whole_and_an_edited_review_again() -> None:
    town = hears_everything(AppStoreConnectWorld(), AppStoreConnect)
    assert town.reach == max(each.edited_at or each.at for each in town.said) - REREAD


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(AppStoreConnectWorld(), AppStoreConnect)


def test_only_what_was_deleted_is_gone() -> None:
    knows_what_is_gone(AppStoreConnectWorld(), AppStoreConnect)


def test_nothing_is_gone_where_the_key_no_longer_sees_the_app() -> None:
    with client(refusal(404, {"errors": [{"code": "NOT_FOUND"}]})) as http, pytest.raises(RefusedError):
        SOURCE.gone(http, ["appstore_connect:r1"])


def test_a_first_call_goes_back_some_pages_and_with_a_first_day_to_that_day() -> None:
    town = Town(AppStoreConnectWorld(), AppStoreConnect)
    town.say(PAGE * FIRST_PAGES + 500, step=timedelta(minutes=1))
    town.listen()
    assert len(town.heard) == PAGE * FIRST_PAGES
    assert town.reach == min(each.said_at for each in town.heard.values())
    patient = Town(AppStoreConnectWorld(), AppStoreConnect, {"first_day": date(2026, 10, 5)}, town.said, town.now)
    patient.listen()
    assert len(patient.heard) == len(town.said)
    assert patient.reach == datetime(2026, 10, 5, tzinfo=UTC)


def test_the_key_is_signed_for_apple_and_lives_less_than_twenty_minutes() -> None:
    town = Town(AppStoreConnectWorld(), AppStoreConnect)
    town.listen()
    source = town.source
    assert isinstance(source, AppStoreConnect)
    public = load_pem_private_key(source.private_key.get_secret_value().encode(), None).public_key()
    token = town.asked[0].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, public, algorithms=["ES256"], audience="appstoreconnect-v1")
    assert claims["iss"] == source.issuer_id
    assert claims["exp"] - claims["iat"] < 20 * 60
    assert jwt.get_unverified_header(token)["kid"] == source.key_id


def test_the_key_may_lie_in_a_file_or_in_one_line_and_else_is_named_without_being_told(tmp_path: Path) -> None:
    text = SOURCE.private_key.get_secret_value()
    file = tmp_path / "AuthKey.p8"
    file.write_text(text, encoding="utf-8")
    for kept in (str(file), text.replace("\n", "\\n")):
        with client(refusal(200, {"data": []})) as http:
            source = AppStoreConnect.model_validate(SETTINGS | {"private_key": kept})
            assert [batch.mentions for batch in fetch(source, http, None)] == [[], []]
    for wrong in ("sesame", "-----BEGIN PRIVATE KEY-----\nsesame\n-----END PRIVATE KEY-----"):
        source = AppStoreConnect.model_validate(SETTINGS | {"private_key": wrong})
        with client(refusal(200, {"data": []})) as http, pytest.raises(SettingsError) as caught:
            list(fetch(source, http, None))
        assert "sesame" not in repr(caught.value)


def test_a_reply_is_a_response_to_the_review_and_its_id_is_kept() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(201, json={"data": {"type": "customerReviewResponses", "id": "resp-2"}})

    with client(answer) as http:
        assert SOURCE.reply(http, mention(), "Sorry! Fixed in 4.2.") == "resp-2"
        with pytest.raises(SettingsError, match="5970"):
            SOURCE.reply(http, mention(), "x" * 5971)
    request = sent(asked, "POST")
    assert request.url == "https://api.appstoreconnect.apple.com/v1/customerReviewResponses"
    assert json.loads(request.content) == {
        "data": {
            "type": "customerReviewResponses",
            "attributes": {"responseBody": "Sorry! Fixed in 4.2."},
            "relationships": {"review": {"data": {"type": "customerReviews", "id": "r1"}}},
        }
    }


def test_the_next_page_is_asked_at_apple_only_and_never_twice() -> None:
    for link in ("https://evil.example/v1/x", f"{SOURCE.api}/v1/apps/990011/customerReviews?sort=-createdDate"):
        answer = refusal(200, {"data": [review()], "links": {"next": link}})
        with client(answer) as http, pytest.raises(ChangedError, match=r"another host|the same page twice"):
            list(fetch(SOURCE, http, None))


@pytest.mark.parametrize(
    ("code", "headers", "error", "words"),
    [
        (401, {}, RefusedError, "issuer id, key id and private key"),
        (403, {}, RefusedError, "Customer Support"),
        (429, {"x_rate_limit": "user-hour-lim:3600;user-hour-rem:0;"}, TemporaryError, "this hour's requests"),
        (429, {"x_rate_limit": "user-hour-lim:3600;user-hour-rem:9;"}, TemporaryError, "429"),
    ],
)
def test_a_refusal_says_what_to_do(code: int, headers: dict[str, str], error: type[EarfulError], words: str) -> None:
    with client(refusal(code, {"errors": []}, **headers)) as http, pytest.raises(error, match=words) as caught:
        list(fetch(SOURCE, http, None))
    if isinstance(caught.value, TemporaryError):
        assert caught.value.retry_after == (timedelta(hours=1) if "rem:0" in headers["x_rate_limit"] else None)


def test_an_agreement_that_is_not_accepted_is_told_as_such() -> None:
    error = {"status": "403", "code": "FORBIDDEN.REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED"}
    with client(refusal(403, {"errors": [error]})) as http, pytest.raises(RefusedError, match="newest agreement"):
        list(fetch(SOURCE, http, None))


def test_a_review_is_heard_though_its_stars_or_its_response_are_strange() -> None:
    said = review()
    del said["attributes"]["rating"]
    assert SOURCE.parse(said).rating is None
    beside = {"relationships": {"response": {"data": {"id": "resp-1"}}}}
    for attributes, strange in ((None, 0), ({"state": "PUBLISHED"}, 1)):
        told = {"data": [review() | beside], "included": [{"id": "resp-1", "attributes": attributes}]}
        with client(refusal(200, told)) as http:
            (batch, _) = fetch(SOURCE, http, None)
        assert [mention.key for mention in batch.mentions] == ["appstore_connect:r1"]
        assert len(batch.rejected) == strange


def test_a_country_is_two_letters_and_an_unknown_one_none() -> None:
    assert SOURCE.parse(review(territory="DEU")).country == "DE"
    assert SOURCE.parse(review(territory="XKS")).country == "XK"
    assert SOURCE.parse(review(territory="QQQ")).country is None
    assert SOURCE.parse(review()).country is None


def test_the_recorded_pages_and_refusals(shared: Path) -> None:
    exchanges = recording(shared / "fixtures/appstore_connect/customer_reviews.json")
    source = AppStoreConnect.model_validate(SETTINGS | {"app_id": "1234567890"})
    pages = Replay(exchanges[:2], in_order=True)
    mentions, cursor, refused = hear(source, pages)
    assert [each.key.partition(":")[2] for each in mentions] == [
        "00000014-aaaa",
        "00000014-bbbb",
        "00000014-bbbb/reply",
        "00000014-cccc",
    ]
    assert refused == 0
    assert [each.rating for each in mentions] == [1, 5, None, 3]
    assert [each.country for each in mentions] == ["DE", "JP", None, "US"]
    assert mentions[0].said_at == datetime(2026, 9, 24, 10, 11, tzinfo=UTC)
    assert mentions[2].text == "ありがとうございます。"
    assert mentions[2].parent == mentions[1].key
    assert mentions[3].text == "Fine & cheap"
    assert cursor == "2026-09-24T10:11:00+00:00"
    for exchange, error in ((exchanges[2], RefusedError), (exchanges[3], TemporaryError)):
        with pytest.raises(error):
            hear(source, Replay([exchange], in_order=True))
    with client(lambda _: httpx.Response(201, json=exchanges[4]["response"]["json"])) as http:
        assert source.reply(http, mentions[0], "Sorry! Fixed in 4.2.") == "resp-2"

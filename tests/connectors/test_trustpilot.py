"""Trustpilot: the public and the private list, edits in a window, what only the business may know, and replies."""

import json
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.conform.worlds.trustpilot import TrustpilotWorld
from connectors.contract import fetch
from connectors.sources.trustpilot import FIRST_PAGES, PAGE, REREAD, Trustpilot
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError
from tests.connectors.replay import FIXTURES, Replay, exchanges
from tests.connectors.test_recordings import hear, recording
from tests.connectors.worldly import (
    Town,
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
    refusal,
)

SETTINGS = json.loads((FIXTURES / "trustpilot/settings.json").read_text(encoding="utf-8"))
SOURCE = Trustpilot.model_validate(SETTINGS)
PUBLIC = Trustpilot.model_validate({**SETTINGS, "secret": None, "user": None})
UNIT = SETTINGS["business_unit"]


def review(native: str = "63497c66377e522e314f0001", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a review
    said = {"id": native, "stars": 1, "title": "Hm", "text": "Wide", "createdAt": "2026-10-05T10:00:00Z"}
    return {**said, "links": [], **more}


def test_a_busy_business_is_heard_whole_and_an_edited_review_again() -> None:
    town = hears_everything(TrustpilotWorld(), Trustpilot)
    assert town.reach == max(each.at for each in town.said) - REREAD


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(TrustpilotWorld(), Trustpilot)


def test_only_what_was_deleted_is_gone() -> None:
    knows_what_is_gone(TrustpilotWorld(), Trustpilot)


def test_nothing_is_gone_where_the_business_itself_cannot_be_seen() -> None:
    with client(refusal(404, {"message": "Not found"})) as http, pytest.raises(RefusedError):
        SOURCE.gone(http, ["trustpilot:63497c66377e522e314f0001"])


def test_with_a_secret_the_private_interface_says_what_is_gone() -> None:
    asked: list[str] = []

    def place(request: httpx.Request) -> httpx.Response:
        if "oauth" in request.url.path:
            return httpx.Response(200, json={"access_token": "tp-access", "expires_in": "359999"})
        asked.append(request.url.path)
        assert request.headers["authorization"] == "Bearer tp-access"
        return httpx.Response(404 if request.url.path.endswith("0002") else 200, json={})

    keys = [f"trustpilot:63497c66377e522e314f000{n}" for n in (1, 2)]
    with client(place) as http:
        assert SOURCE.gone(http, keys) == {keys[1]}
    assert [path.split("/")[2] for path in asked] == ["private"] * 3


def test_what_a_deletion_moves_over_the_border_of_a_page_is_heard_by_the_first_call() -> None:
    town = Town(TrustpilotWorld(), Trustpilot)
    town.say(PAGE * 3, step=timedelta(days=1))

    def place(request: httpx.Request) -> httpx.Response:
        answer = town.answer(request)
        if len(town.asked) == 1:
            town.change(town.said[-1], deleted=True)
        return answer

    with client(place) as http:
        heard = {mention.text for batch in fetch(town.source, http, None) for mention in batch.mentions}
    assert heard == {each.text for each in town.said}


def test_a_review_is_heard_though_its_stars_or_its_answer_are_strange() -> None:
    starless = review()
    del starless["stars"]
    assert (SOURCE.parse(starless).text, SOURCE.parse(starless).rating) == ("Wide", None)
    silent = SOURCE.answer(review(companyReply={"text": None, "createdAt": "2026-10-06T10:00:00Z"}))
    assert silent is not None
    assert silent.text == ""
    with client(refusal(200, {"links": [], "reviews": [review(companyReply={"text": "Hm"})]})) as http:
        (batch, _) = fetch(PUBLIC, http, None)
    assert (len(batch.mentions), len(batch.rejected)) == (1, 1)


def test_a_first_call_goes_back_some_pages_and_with_a_first_day_to_that_day() -> None:
    town = Town(TrustpilotWorld(), Trustpilot)
    town.say(PAGE * FIRST_PAGES + 250, step=timedelta(minutes=1))
    town.listen()
    assert len(town.heard) == PAGE * FIRST_PAGES
    patient = Town(TrustpilotWorld(), Trustpilot, {"first_day": date(2026, 10, 5)}, town.said, town.now)
    patient.listen()
    assert len(patient.heard) == len(town.said)


def test_the_private_list_is_read_with_a_token_for_the_application() -> None:
    replay = Replay(exchanges("trustpilot"))
    hear(SOURCE, replay)
    asked, read = replay.asked[:2]
    basic = b64encode(b"tp-test-key:tp-test-secret").decode()
    assert asked.headers["authorization"] == f"Basic {basic}"
    assert asked.content == b"grant_type=client_credentials"
    assert read.url.path == f"/v1/private/business-units/{UNIT}/reviews"
    assert read.headers["authorization"] == "Bearer tp-access"


def test_what_only_the_business_may_know_is_not_kept() -> None:
    replay = Replay(exchanges("trustpilot"))
    with client(replay.handle_request) as http:
        raws = [raw for batch in fetch(SOURCE, http, None) for raw in batch.raws]
    assert raws
    assert "ana@example.com" not in json.dumps(raws)


def test_the_walk_ends_at_a_page_without_reviews_where_no_links_are_told() -> None:
    def place(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page"])
        return httpx.Response(200, json={"reviews": [review(f"{number:024}")] if number < 4 else []})

    mentions, _, _ = hear(PUBLIC, httpx.MockTransport(place))
    assert [int(each.key.partition(":")[2]) for each in mentions] == [1, 2, 3]


def test_the_same_page_again_and_again_is_named() -> None:
    with client(refusal(200, {"reviews": [review()]})) as http, pytest.raises(ChangedError, match="again and again"):
        list(fetch(PUBLIC, http, None))


def test_a_reply_is_posted_in_the_name_of_the_user() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        token = {"access_token": "tp-access", "expires_in": "359999"}
        return httpx.Response(200, json=token) if "oauth" in request.url.path else httpx.Response(201)

    mention = SOURCE.parse(review())
    with client(answer) as http:
        assert SOURCE.reply(http, mention, "We are sorry …") == mention.url
        with pytest.raises(SettingsError, match="2000"):
            SOURCE.reply(http, mention, "x" * 2001)
        with pytest.raises(SettingsError, match="`secret` and `user`"):
            PUBLIC.reply(http, mention, "We are sorry …")
    assert asked[1].url.path == "/v1/private/reviews/63497c66377e522e314f0001/reply"
    assert json.loads(asked[1].content) == {"authorBusinessUserId": SETTINGS["user"], "message": "We are sorry …"}
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("code", "body", "error", "words"),
    [
        (401, {"message": "Invalid API key"}, RefusedError, "check the API key"),
        (404, {"message": "Business unit not found", "errorCode": 1010}, RefusedError, "check the id"),
        (403, {"message": "No"}, RefusedError, "403"),
        (400, {"message": "Invalid business unit id", "errorCode": 1001}, RefusedError, "check the ids"),
        (400, {"fault": "sesame"}, ChangedError, "400"),
        (429, {"message": "Rate limit quota violation."}, TemporaryError, "429"),
        (200, {"reviews": "maintenance"}, ChangedError, "no list"),
    ],
)
def test_a_refusal_says_what_to_do(code: int, body: Any, error: type[EarfulError], words: str) -> None:  # noqa: ANN401
    with client(refusal(code, body, retry_after="60")) as http, pytest.raises(error, match=words) as caught:
        list(fetch(PUBLIC, http, None))
    if isinstance(caught.value, TemporaryError):
        assert caught.value.retry_after == timedelta(seconds=60)


def test_the_recorded_pages_and_refusals(shared: Path) -> None:
    told = recording(shared / "fixtures/trustpilot/business_unit_reviews.json")
    source = Trustpilot(name="t", business_unit="5d2b94b915dd0c0001cab136", key="k")
    mentions, cursor, refused = hear(source, Replay(told[:3], in_order=True))
    assert [each.key.partition(":")[2] for each in mentions] == [
        "63497c66377e522e314f2434",
        "634862469b12f67dfee07d56",
        "634862469b12f67dfee07d56/reply",
        "63481f699b12f67dfee02e0a",
    ]
    assert refused == 0
    assert [each.rating for each in mentions] == [1, 1, None, 1]
    assert mentions[0].said_at == datetime(2022, 10, 14, 17, 12, 38, tzinfo=UTC)
    assert mentions[1].edited_at == datetime(2022, 10, 15, 8, tzinfo=UTC)
    assert mentions[2].said_at == datetime(2022, 10, 14, 9, tzinfo=UTC)
    assert mentions[2].by_brand
    assert (mentions[0].author_id, mentions[0].language) == ("5d343e748c9ca11205e98599", "en")
    assert mentions[0].url == "https://www.trustpilot.com/reviews/63497c66377e522e314f2434"
    assert cursor == "2022-10-14T17:12:38+00:00"
    for exchange, error in ((told[3], RefusedError), (told[4], RefusedError), (told[5], TemporaryError)):
        with pytest.raises(error):
            hear(source, Replay([exchange], in_order=True))

"""Google Business Profile: stars without words, translations, replies in bytes, and tokens from a refresh token."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from connectors.conform.worlds.google_business import GoogleBusinessWorld
from connectors.contract import fetch
from connectors.sources.google_business import FIRST_PAGES, PAGE, REREAD, GoogleBusiness
from pipeline.analysis import Analyst
from pipeline.classifier import Reading
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError
from pipeline.triage.judge import Effort
from tests.connectors.replay import FIXTURES, Replay
from tests.connectors.test_recordings import hear, recording
from tests.connectors.worldly import (
    Town,
    client,
    forgets_nothing_when_killed,
    hears_everything,
    knows_what_is_gone,
    refusal,
)

SETTINGS = json.loads((FIXTURES / "google_business/settings.json").read_text(encoding="utf-8"))
SOURCE = GoogleBusiness.model_validate(SETTINGS)
TOKEN = {"request": {"method": "POST", "url": "https://oauth2.googleapis.com/token"}}
TOKEN |= {"response": {"json": {"access_token": "ya29", "expires_in": 3599}}}


def review(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - a review
    said = {"reviewId": "AbFvOq1", "reviewer": {"displayName": "Ana"}, "starRating": "ONE"}
    times = {"createTime": "2026-10-05T10:00:00Z", "updateTime": "2026-10-05T10:00:00Z"}
    return {**said, **times, **more}


def behind_a_token(answer: httpx.Response) -> Any:  # noqa: ANN401 - a place
    def place(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=TOKEN["response"]["json"]) if request.url.path == "/token" else answer

    return place


def test_a_busy_location_is_heard_whole_and_an_edited_review_again() -> None:
    town = hears_everything(GoogleBusinessWorld(), GoogleBusiness)
    assert town.reach == max(each.edited_at or each.at for each in town.said) - REREAD


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(GoogleBusinessWorld(), GoogleBusiness)


def test_only_what_was_deleted_is_gone() -> None:
    knows_what_is_gone(GoogleBusinessWorld(), GoogleBusiness)


def test_nothing_is_gone_where_the_location_itself_cannot_be_seen() -> None:
    with client(behind_a_token(httpx.Response(404, json={}))) as http, pytest.raises(RefusedError):
        SOURCE.gone(http, ["google_business:2002/AbFvOq1"])


def test_a_first_call_goes_back_some_pages() -> None:
    town = Town(GoogleBusinessWorld(), GoogleBusiness)
    town.say(PAGE * FIRST_PAGES + 60, step=timedelta(minutes=1))
    town.listen()
    assert len(town.heard) == PAGE * FIRST_PAGES
    assert town.reach == min(each.said_at for each in town.heard.values())


def test_stars_without_words_are_a_review_that_asks_for_no_answer() -> None:
    mention = SOURCE.parse(review())
    assert (mention.text, mention.rating, mention.rating_min, mention.rating_max) == ("", 1, 1, 5)
    (analysis,) = Analyst(Effort.FAST).analyse([Reading.of(mention)])
    assert analysis.sentiment == "negative"
    assert not analysis.needs_reply


def test_an_unspecified_rating_is_none_and_no_zero() -> None:
    mention = SOURCE.parse(review(starRating="STAR_RATING_UNSPECIFIED", comment="Words"))
    assert (mention.rating, mention.rating_min, mention.rating_max) == (None, None, None)


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        ("(Translated by Google) Never again\n\n(Original)\nNie wieder", "Nie wieder"),
        ("Nie wieder\n\n(Translated by Google)\nNever again", "Nie wieder"),
        ("Never again", "Never again"),
        ("They said (Original) and sold a copy", "They said (Original) and sold a copy"),
        ("(Translated by Google) One\n\nTwo\n\n(Original)\nEins\n\nZwei", "Eins\n\nZwei"),
        ("I saw (Translated by Google) below it", "I saw (Translated by Google) below it"),
        ("a" + "\n" * 60_000 + "b", "a\n\nb"),  # at once
    ],
)
def test_of_a_translated_review_the_original_is_what_was_said(comment: str, text: str) -> None:
    assert SOURCE.parse(review(comment=comment)).text == text


def test_an_answer_is_no_edit_of_the_review() -> None:
    reply = {"comment": "Sorry", "updateTime": "2026-10-06T08:00:00.000Z"}
    assert SOURCE.parse(review(updateTime="2026-10-06T08:00:00Z", reviewReply=reply)).edited_at is None
    edited = SOURCE.parse(review(updateTime="2026-10-07T08:00:00Z", reviewReply=reply)).edited_at
    assert edited == datetime(2026, 10, 7, 8, tzinfo=UTC)


def test_a_review_is_heard_though_its_stars_or_its_answer_are_strange() -> None:
    starless = review(comment="Words")
    del starless["starRating"]
    assert SOURCE.parse(starless).rating is None
    for reply, answered in (({"updateTime": "2026-10-06T08:00:00Z"}, 1), ({"comment": "Hm"}, 0), ("strange", 0)):
        place = behind_a_token(httpx.Response(200, json={"reviews": [review(reviewReply=reply)]}))
        with client(place) as http:
            (batch, _) = fetch(SOURCE, http, None)
        assert [mention.by_brand for mention in batch.mentions] == [False, True][: 1 + answered]
        assert len(batch.rejected) == 1 - answered


def test_nobody_is_called_a_google_user() -> None:
    for reviewer in ({"displayName": "A Google User"}, {"displayName": "Ana", "isAnonymous": True}, {}, None):
        assert SOURCE.parse(review(reviewer=reviewer)).author is None


def test_a_reply_that_google_does_not_show_is_none() -> None:
    said = {"comment": "Thanks", "updateTime": "2026-10-05T11:00:00Z"}
    for state, shown in ((None, True), ("APPROVED", True), ("PENDING", False), ("REJECTED", False)):
        answer = SOURCE.answer(review(reviewReply={**said, "reviewReplyState": state}))
        assert (answer is not None) is shown


def test_no_picture_of_a_person_is_kept() -> None:
    said = review(reviewer={"displayName": "Ana", "profilePhotoUrl": "https://lh3.example/ana"})
    with client(behind_a_token(httpx.Response(200, json={"reviews": [said]}))) as http:
        (raw,) = [raw for batch in fetch(SOURCE, http, None) for raw in batch.raws]
    assert raw["reviewer"] == {"displayName": "Ana"}


def test_a_reply_is_put_below_the_review_and_counted_in_bytes() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        said = {"comment": "Es tut uns leid …", "updateTime": "2026-10-05T11:00:00Z"}
        return httpx.Response(200, json=TOKEN["response"]["json"] if request.url.path == "/token" else said)

    with client(answer) as http:
        receipt = SOURCE.reply(http, SOURCE.parse(review()), "Es tut uns leid …")
        with pytest.raises(SettingsError, match="4096 bytes"):
            SOURCE.reply(http, SOURCE.parse(review()), "ü" * 2049)
    assert receipt == "accounts/1001/locations/2002/reviews/AbFvOq1/reply"
    assert (asked[1].method, asked[1].url.path) == ("PUT", f"/v4/{receipt}")
    assert json.loads(asked[1].content) == {"comment": "Es tut uns leid …"}
    told = parse_qs(asked[0].content.decode())
    assert told == {
        "grant_type": ["refresh_token"],
        "client_id": [SETTINGS["client_id"]],
        "client_secret": [SETTINGS["client_secret"]],
        "refresh_token": [SETTINGS["refresh_token"]],
    }


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        (refusal(400, {"error": "invalid_grant", "error_description": "Bad"}), RefusedError, "make a new one"),
        (refusal(401, {"error": "invalid_client"}), RefusedError, "make a new one"),
        (behind_a_token(httpx.Response(403, json={"error": {"status": "PERMISSION_DENIED"}})), RefusedError, "right"),
        (behind_a_token(httpx.Response(200, json={"reviews": {}})), ChangedError, "no list"),
    ],
)
def test_a_refusal_says_what_to_do(place: Any, error: type[EarfulError], words: str) -> None:  # noqa: ANN401 - a place
    with client(place) as http, pytest.raises(error, match=words) as caught:
        list(fetch(SOURCE, http, None))
    assert not any(SETTINGS[name] in repr(caught.value) for name in ("client_secret", "refresh_token"))


def test_the_recorded_pages_and_refusals(shared: Path) -> None:
    exchanges = recording(shared / "fixtures/google_business_profile/reviews.json")
    source = GoogleBusiness.model_validate(SETTINGS | {"account": "1", "location": "2"})
    mentions, cursor, refused = hear(source, Replay([TOKEN, *exchanges[:2]], in_order=True))
    assert [each.key for each in mentions] == [
        "google_business:2/AbFvOq1",
        "google_business:2/AbFvOq2",
        "google_business:2/AbFvOq2/reply",
        "google_business:2/AbFvOq3",
    ]
    assert refused == 0
    assert [each.text for each in mentions] == ["Nie wieder, 40 Minuten Wartezeit", "", "Danke!", "ok"]
    assert [each.rating for each in mentions] == [1, 5, None, 3]
    assert mentions[0].said_at == datetime(2026, 9, 23, 10, 0, 0, 123456, tzinfo=UTC)
    assert (mentions[0].edited_at, mentions[1].edited_at) == (None, None)
    assert (mentions[2].by_brand, mentions[2].parent) == (True, mentions[1].key)
    assert cursor == "2026-09-23T10:00:00.123456+00:00"
    assert hear(source, Replay([TOKEN, exchanges[2]], in_order=True))[0] == []
    for exchange, error in ((exchanges[4], RefusedError), (exchanges[5], TemporaryError)):
        with pytest.raises(error):
            hear(source, Replay([TOKEN, exchange], in_order=True))
    replied = Replay([TOKEN, exchanges[3]], in_order=True)
    with client(replied.handle_request) as http:
        source.reply(http, mentions[0], "Es tut uns leid …")
    assert json.loads(replied.asked[-1].content) == json.loads(exchanges[3]["request"]["body"])

"""Google Play: the last seven days, titles before a tab, what was translated, replies, and Google's ways to refuse."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from connectors.conform.worlds.google_play import GooglePlayWorld
from connectors.contract import fetch
from connectors.sources import google_play
from connectors.sources.google_play import GooglePlay
from pipeline.errors import ChangedError, EarfulError, RefusedError, SettingsError, TemporaryError
from tests.connectors.replay import FIXTURES, Replay
from tests.connectors.test_recordings import hear, recording
from tests.connectors.worldly import Town, client, forgets_nothing_when_killed, hears_everything, refusal, sent

SETTINGS = json.loads((FIXTURES / "google_play/settings.json").read_text(encoding="utf-8"))
SOURCE = GooglePlay.model_validate(SETTINGS)
TOKEN = {"request": {"method": "POST", "url": "https://oauth2.googleapis.com/token"}}
TOKEN |= {"response": {"json": {"access_token": "ya29", "expires_in": 3599}}}
WEEK = timedelta(days=7)


def review(text: str = "It crashes.", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a user's comment
    user = {"text": text, "lastModified": {"seconds": "1791194400", "nanos": 0}, "starRating": 1, **more}
    return {"reviewId": "gp:AOqp1", "comments": [{"userComment": user}]}


def behind_a_token(answer: httpx.Response) -> Any:  # noqa: ANN401 - a place
    def place(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=TOKEN["response"]["json"]) if request.url.path == "/token" else answer

    return place


def test_a_busy_app_is_heard_whole_and_an_edited_review_again() -> None:
    town = hears_everything(GooglePlayWorld(), GooglePlay)
    assert town.reach == town.now - WEEK


def test_dying_after_any_page_loses_nothing() -> None:
    forgets_nothing_when_killed(GooglePlayWorld(), GooglePlay)


def test_who_calls_after_more_than_seven_days_is_told_what_google_no_longer_shows() -> None:
    town = Town(GooglePlayWorld(), GooglePlay)
    town.say(3)
    town.listen()
    last = town.now.replace(minute=0, second=0)
    town.now += timedelta(days=6)
    town.listen()
    assert town.gaps == []
    town.now += timedelta(days=20)
    town.say(1)
    town.listen()
    (gap,) = town.gaps
    assert (gap.start, gap.end) == (last + timedelta(days=6), town.now - WEEK)
    assert "7 days" in gap.why
    assert len(town.heard) == 4


def test_a_first_day_before_those_seven_is_a_gap_too() -> None:
    town = Town(GooglePlayWorld(), GooglePlay, {"first_day": date(2026, 9, 1)})
    town.say(2)
    town.listen()
    (gap,) = town.gaps
    assert (gap.start, gap.end) == (datetime(2026, 9, 1, tzinfo=UTC), town.now - WEEK)


def test_a_walk_that_ends_at_its_cap_says_what_it_did_not_read_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google_play, "MOST", 2)
    town = Town(GooglePlayWorld(), GooglePlay)
    town.say(250, step=timedelta(minutes=10))
    town.listen()
    (gap,) = town.gaps
    assert len(town.heard) == 200
    assert (gap.start, gap.end) == (town.now - WEEK, town.now)  # Google promises no order: new ones may be missing
    town.say(1)
    town.listen()
    assert len(town.heard) == 201
    monkeypatch.setattr(google_play, "MOST", 3)
    town.listen()
    assert (len(town.heard), town.gaps) == (251, [])


def test_a_pause_is_kept_between_two_requests() -> None:
    town = Town(GooglePlayWorld(), GooglePlay)
    town.say(150)
    town.listen()
    assert [request.extensions.get("pause") for request in town.asked[1:]] == [google_play.PAUSE] * 2


def test_the_service_account_signs_for_its_scope() -> None:
    town = Town(GooglePlayWorld(), GooglePlay)
    town.listen()
    source = town.source
    assert isinstance(source, GooglePlay)
    account = json.loads(source.service_account.get_secret_value())
    told = parse_qs(sent(town.asked, "POST").content.decode())
    public = load_pem_private_key(account["private_key"].encode(), None).public_key()
    claims = jwt.decode(told["assertion"][0], public, algorithms=["RS256"], audience=account["token_uri"])
    assert claims["iss"] == account["client_email"]
    assert claims["scope"] == "https://www.googleapis.com/auth/androidpublisher"
    assert claims["exp"] - claims["iat"] == 3600


def test_a_key_file_that_is_none_is_named_without_being_told(tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text(SOURCE.service_account.get_secret_value(), encoding="utf-8")
    fine = GooglePlay.model_validate(SETTINGS | {"service_account": str(file)})
    with client(behind_a_token(httpx.Response(200, json={}))) as http:
        assert [batch.mentions for batch in fetch(fine, http, None)] == [[], []]
    broken = json.dumps({"client_email": "sesame", "private_key": "sesame"})
    for wrong in ("sesame.json", "{sesame", '{"client_email": "sesame"}', broken):
        source = GooglePlay.model_validate(SETTINGS | {"service_account": wrong})
        with client(refusal(200, {})) as http, pytest.raises(SettingsError) as caught:
            list(fetch(source, http, None))
        assert "sesame" not in repr(caught.value)


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("\tThis is awesome!", None, "This is awesome!"),
        ("Crashes\tSince the update.", "Crashes", "Since the update."),
        ("Fine", None, "Fine"),
        ("One\ttwo\tthree", "One", "two three"),
    ],
)
def test_a_tab_parts_title_and_text(text: str, title: str | None, body: str) -> None:
    mention = SOURCE.parse(review(text))
    assert (mention.title, mention.text) == (title, body)


def test_of_a_translated_review_the_original_is_what_was_said() -> None:
    assert SOURCE.parse(review("Crashed", originalText="Abgestürzt\tHilfe")).text == "Hilfe"
    assert SOURCE.parse(review("Crashed", originalText="")).text == "Crashed"


def test_a_reply_is_posted_below_the_review() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        said = {"result": {"replyText": "Thanks!", "lastEdited": {"seconds": "1791194400"}}}
        return httpx.Response(200, json=TOKEN["response"]["json"] if request.url.path == "/token" else said)

    with client(answer) as http:
        assert SOURCE.reply(http, SOURCE.parse(review()), "Thanks!").endswith("reviewId=gp%3AAOqp1")
        with pytest.raises(SettingsError, match="350"):
            SOURCE.reply(http, SOURCE.parse(review()), "x" * 351)
    request = sent(asked[1:], "POST")
    assert request.url.path == "/androidpublisher/v3/applications/com.example.hike/reviews/gp:AOqp1:reply"
    assert json.loads(request.content) == {"replyText": "Thanks!"}
    assert request.headers["authorization"] == "Bearer ya29"


@pytest.mark.parametrize(
    ("code", "body", "error", "words"),
    [
        (403, {"error": {"status": "PERMISSION_DENIED"}}, RefusedError, "invite it"),
        (403, {"error": {"errors": [{"reason": "rateLimitExceeded"}]}}, TemporaryError, "quota"),
        (403, {"error": {"details": [{"reason": "SERVICE_DISABLED"}]}}, RefusedError, "switch this interface on"),
        (429, {"error": {"status": "RESOURCE_EXHAUSTED"}}, TemporaryError, "quota"),
        (401, {"error": {"status": "UNAUTHENTICATED"}}, RefusedError, "does not know this token"),
        (400, {"error": "invalid_grant", "error_description": "sesame"}, RefusedError, "make a new one"),
        (400, {"error": {"status": "INVALID_ARGUMENT", "message": "sesame"}}, ChangedError, "not understood"),
        (200, {"reviews": "maintenance"}, ChangedError, "no list"),
        (200, {"reviews": None}, ChangedError, "no list"),
    ],
)
def test_a_refusal_says_what_to_do(code: int, body: Any, error: type[EarfulError], words: str) -> None:  # noqa: ANN401
    place = behind_a_token(httpx.Response(code, json=body))
    with client(place) as http, pytest.raises(error, match=words) as caught:
        list(fetch(SOURCE, http, None))
    assert "sesame" not in repr(caught.value)


def test_the_recorded_pages_and_refusals(shared: Path) -> None:
    exchanges = recording(shared / "fixtures/google_play_publisher/reviews_list_and_reply.json")
    source = GooglePlay.model_validate(SETTINGS | {"package": "com.example.app"})
    mentions, cursor, refused = hear(source, Replay([TOKEN, *exchanges[:2]], in_order=True))
    assert [each.key for each in mentions] == [
        "google_play:gp:AOqpTOExample1",
        "google_play:gp:AOqpTOExample2",
        "google_play:gp:AOqpTOExample2/reply",
        "google_play:gp:AOqpTOExample3",
        "google_play:gp:AOqpTOExample4",
    ]
    assert refused == 0
    assert [each.rating for each in mentions] == [5, 1, None, 2, 3]
    assert [each.author for each in mentions] == ["Jane Bloggs", "José", None, None, "Ann & Bob"]
    assert [each.likes for each in mentions] == [3, 11, None, 0, 0]
    assert mentions[0].said_at == datetime(2024, 9, 24, 1, 6, 40, 123000, tzinfo=UTC)
    assert (mentions[1].title, mentions[1].product_version) == ("Stürzt ständig ab", "4.1.0")
    assert mentions[2].said_at == datetime(2024, 9, 24, 0, 20, tzinfo=UTC)
    assert mentions[3].text == "最新の更新でリストが消えました"
    assert json.loads(cursor or "{}")["newest"] == "2024-09-24T01:06:40.123000+00:00"
    assert hear(source, Replay([TOKEN, exchanges[2]], in_order=True))[0] == []
    errors = [(exchanges[5], RefusedError), (exchanges[6], RefusedError), (exchanges[7], TemporaryError)]
    for exchange, error in errors:
        with pytest.raises(error):
            hear(source, Replay([TOKEN, exchange], in_order=True))
    replied = Replay([TOKEN, exchanges[3]], in_order=True)
    with client(replied.handle_request) as http:
        assert source.reply(http, mentions[4], "Thanks, fewer ads in 4.1!") == mentions[4].url
    assert json.loads(replied.asked[-1].content) == json.loads(exchanges[3]["request"]["body"])

"""How long a host asks us to wait, in every vendor's words; worked out from their documentation."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from connectors.client import open_client, throttled
from connectors.patience import LONGEST_WAIT, asked_to_wait, told_to_rest
from pipeline.errors import TemporaryError
from tests.connectors.answers import URL, answering

LATER = datetime.now(UTC) + timedelta(minutes=10)
EPOCH = int(LATER.timestamp())
FACEBOOK = [{"type": "pages", "call_count": 100, "total_time": 12, "estimated_time_to_regain_access": 10}]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.patience.time.time", lambda: EPOCH - 600)


def answer(status: int = 429, body: str = "", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, text=body, request=httpx.Request("GET", URL))


def seconds(wait: timedelta | None) -> float | None:
    return None if wait is None else wait.total_seconds()


@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": "600"},
        {"retry_after": " 600.0 "},
        {"retry_after": format_datetime(LATER, usegmt=True)},
        {"x_ratelimit_reset": str(EPOCH), "x_ratelimit_remaining": "0"},  # GitHub, Bluesky, Intercom
        {"x_rate_limit_reset": str(EPOCH), "x_rate_limit_remaining": "0"},  # X
        {"x_ratelimit_reset": f"{EPOCH}.5"},  # Discord: epoch seconds as a float
        {"x_ratelimit_reset_after": "600.2"},  # Discord
        {"x_ratelimit_reset": str(EPOCH * 1000)},
        {"x_ratelimit_reset": "600", "x_ratelimit_remaining": "0.0"},  # Reddit: float text, seconds from now
        {"ratelimit_reset": "600", "x_rate_limit_remaining": "0"},  # Zendesk mixes its prefixes
        {"rate_limit_reset": "600"},
        {"x_ratelimit_reset": LATER.isoformat().replace("+00:00", "Z")},  # Mastodon
        {"ratelimit_resettime": LATER.isoformat()},  # Yelp
        {"x_hubspot_ratelimit_interval_milliseconds": "600000"},
        {"zendesk_rate_limit_tickets_index": "total=100; remaining=0; resets=600"},
        {"ratelimit": "limit=100, remaining=0, reset=600"},
        {"ratelimit": '"burst";r=5;t=900, "day";r=0;t=600'},
        {"x_business_use_case_usage": json.dumps({"1066": FACEBOOK})},
        {"x_app_usage": json.dumps({"call_count": 100, "estimated_time_to_regain_access": 10})},
        {"retry_after": "600", "x_ratelimit_reset": "5"},
        {"x_ratelimit_reset": "5", "x_ratelimit_remaining": "3", "x_ratelimit_app_global_day_reset": "600",
         "x_ratelimit_app_global_day_remaining": "0"},  # SurveyMonkey: the day's budget is spent, the minute's is not
        {"x_app_limit_24hour_reset": "600", "x_app_limit_24hour_remaining": "0", "x_rate_limit_reset": "5",
         "x_rate_limit_remaining": "100"},  # X
    ],
)  # fmt: skip
def test_every_header_that_asks_for_ten_minutes_is_understood(headers: dict[str, str]) -> None:
    assert seconds(asked_to_wait(answer(**headers))) == pytest.approx(600, abs=5)


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ({"message": "You are being rate limited.", "retry_after": 64.57, "global": False}, 64.57),  # Discord
        ({"ok": False, "error_code": 429, "parameters": {"retry_after": 9}}, 9),  # Telegram
        ({"items": [], "backoff": 10, "quota_remaining": 5}, 10),  # Stack Exchange
        ({"error_id": 502, "error_message": "too many requests, more requests available in 7 seconds"}, 7),
        ({"retry_after": None, "backoff": "soon"}, None),
        ([1], None),
    ],
)  # fmt: skip
def test_a_body_that_asks_for_patience_is_understood(body: object, wait: float | None) -> None:
    assert seconds(asked_to_wait(answer(429, json.dumps(body)))) == wait
    assert seconds(asked_to_wait(answer(400, json.dumps(body)))) is None, "nobody says that this was throttling"
    assert seconds(throttled(answer(400, json.dumps(body)), "too many requests").retry_after) == wait


def test_a_moment_is_counted_by_the_clock_of_who_names_it() -> None:
    long_ago = {"date": "Wed, 06 May 2020 08:49:37 GMT"}
    for asked in ({"retry_after": "Wed, 06 May 2020 08:50:07 GMT"}, {"x_ratelimit_reset": "1588755007"}):
        assert seconds(asked_to_wait(answer(429, **long_ago, **asked))) == 30


def test_no_wait_is_longer_than_a_day_and_one_that_is_over_is_none() -> None:
    for endless in ("864000", str(EPOCH + 10**8), "Fri, 31 Dec 2199 23:59:59 GMT", "9999-12-31T23:59:59Z"):
        assert asked_to_wait(answer(retry_after=endless)) == LONGEST_WAIT
    for past in ("0", "0.0000001", "-5", "Sun, 06 Nov 1994 08:49:37 GMT", str(EPOCH - 650)):
        assert asked_to_wait(answer(retry_after=past)) is None
        assert asked_to_wait(answer(x_ratelimit_reset=past, x_ratelimit_remaining="0")) is None
    for over in (timedelta(0), -timedelta(hours=1)):
        assert throttled(answer(403), "the quota", over).retry_after is None


@pytest.mark.parametrize("nonsense", ["", "soon", "nan", "inf", "-inf", "1e300", "Thu, 99 Foo 2026", "0x10", "½"])
def test_nonsense_asks_for_nothing(nonsense: str) -> None:
    named = {"ratelimit_reset": nonsense, "zendesk_rate_limit_x": f"remaining={nonsense}; resets={nonsense}"}
    assert asked_to_wait(httpx.Response(429, headers={"retry-after": nonsense.encode()})) is None
    assert (
        asked_to_wait(httpx.Response(429, headers={k.replace("_", "-"): v.encode() for k, v in named.items()})) is None
    )
    usage = {"x-app-usage": nonsense.encode(), "x-hubspot-ratelimit-interval-milliseconds": nonsense.encode()}
    assert asked_to_wait(httpx.Response(429, headers=usage)) is None


def test_facebooks_zero_minutes_are_no_wait_at_all() -> None:
    usage = json.dumps({"1066": [{**FACEBOOK[0], "estimated_time_to_regain_access": 0}]})
    assert asked_to_wait(answer(x_business_use_case_usage=usage)) is None


def test_a_broken_server_that_tells_of_its_limits_does_not_ask_us_to_wait() -> None:
    assert asked_to_wait(answer(503, '{"retry_after": 60}', ratelimit_reset="60")) is None
    assert seconds(asked_to_wait(answer(503, retry_after="60"))) == 60


def test_a_good_answer_tells_that_it_was_the_last_for_a_while() -> None:
    last = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "30"}
    assert seconds(told_to_rest(answer(200, **last))) == 30
    assert seconds(told_to_rest(answer(200, zendesk_rate_limit_x="total=9; remaining=0; resets=30"))) == 30
    for more in (
        {**last, "x_ratelimit_remaining": "1"},
        {"x_ratelimit_reset": "30"},
        {"x_ratelimit_remaining": "0"},
        {},
    ):
        assert told_to_rest(answer(200, **more)) is None


def test_what_a_place_explains_as_throttling_waits_as_its_headers_say() -> None:
    transport, _ = answering(httpx.Response(403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "45"}))
    explain = {"explain": lambda answer: throttled(answer, "the search limit")}
    with open_client(attempts=1, transport=transport) as http, pytest.raises(TemporaryError) as caught:
        http.get(URL, extensions=explain)
    assert caught.value.retry_after == timedelta(seconds=45)

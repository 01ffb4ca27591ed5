"""The client's patience: what is asked again, how long it waits in between, and when it gives up."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread

import httpx
import pytest

from connectors.client import open_client
from connectors.pace import Pace
from pipeline.errors import EarfulError, TemporaryError
from tests.connectors.answers import URL, answering, never, raising, status


def test_temporary_failures_of_a_get_are_tried_again_with_growing_waits() -> None:
    slept: list[float] = []
    transport, asked = answering(status(503), status(503), status(200))
    with open_client(transport=transport, sleep=slept.append) as http:
        assert http.get(URL).status_code == 200
    assert len(asked) == 3
    first, second = slept
    assert 0.5 <= first <= 1
    assert 1 <= second <= 2


def test_after_the_last_attempt_the_error_is_raised() -> None:
    slept: list[float] = []
    transport, asked = answering(status(503))
    with open_client(attempts=2, transport=transport, sleep=slept.append) as http, pytest.raises(TemporaryError):
        http.get(URL)
    assert (len(asked), len(slept)) == (2, 1)


def test_what_is_not_temporary_is_asked_once() -> None:
    for code in (400, 401, 403, 404, 410, 451):
        transport, asked = answering(status(code))
        with open_client(transport=transport, sleep=never) as http, pytest.raises(EarfulError):
            http.get(URL)
        assert len(asked) == 1


@pytest.mark.parametrize(
    ("failure", "times"), [(httpx.ConnectError, 3), (httpx.ConnectTimeout, 3), (httpx.ReadTimeout, 1)]
)
def test_a_post_is_only_repeated_if_it_never_arrived(failure: type[Exception], times: int) -> None:
    slept: list[float] = []
    transport = raising(failure("lost"))
    with open_client(transport=transport, sleep=slept.append) as http, pytest.raises(TemporaryError):
        http.post(URL)
    assert len(slept) == times - 1


def test_a_refused_post_is_not_repeated() -> None:
    transport, asked = answering(status(503))
    with open_client(transport=transport, sleep=never) as http, pytest.raises(TemporaryError):
        http.post(URL)
    assert len(asked) == 1


def test_retry_after_wins_over_our_own_waits() -> None:
    slept: list[float] = []
    transport, _ = answering(status(429, retry_after="7"), status(200))
    with open_client(transport=transport, sleep=slept.append) as http:
        http.get(URL)
    assert slept == [7]


@pytest.mark.parametrize("told", ["0", "0.01", "Sun, 06 Nov 1994 08:49:37 GMT"])
def test_a_host_that_asks_for_no_time_is_not_asked_again_at_once(told: str) -> None:
    slept: list[float] = []
    transport, _ = answering(status(429, retry_after=told))
    with open_client(transport=transport, sleep=slept.append) as http, pytest.raises(TemporaryError):
        http.get(URL)
    first, second = slept
    assert 0.5 <= first <= 1
    assert 1 <= second <= 2


def test_a_longer_retry_after_than_our_patience_is_raised_at_once() -> None:
    transport, asked = answering(status(429, retry_after="3600"))
    with open_client(transport=transport, sleep=never) as http, pytest.raises(TemporaryError) as caught:
        http.get(URL)
    assert caught.value.retry_after == timedelta(hours=1)
    assert len(asked) == 1


def test_all_waits_of_one_request_together_stay_within_patience() -> None:
    slept: list[float] = []
    transport, _ = answering(status(429, retry_after="4"))
    with (
        open_client(attempts=10, patience=timedelta(seconds=10), transport=transport, sleep=slept.append) as http,
        pytest.raises(TemporaryError),
    ):
        http.get(URL)
    assert slept == [4, 4]


def asked_to_wait(**headers: str) -> timedelta | None:
    transport, _ = answering(status(429, **headers))
    with open_client(attempts=1, transport=transport) as http, pytest.raises(TemporaryError) as caught:
        http.get(URL)
    return caught.value.retry_after


def test_every_way_to_ask_for_patience_is_understood() -> None:
    later = datetime.now(UTC) + timedelta(minutes=10)
    for headers in (
        {"retry_after": "600"},
        {"retry_after": " 600.0 "},
        {"retry_after": format_datetime(later, usegmt=True)},
        {"x_ratelimit_reset": later.isoformat().replace("+00:00", "Z")},
        {"x_ratelimit_reset": str(int(later.timestamp()))},
        {"x_ratelimit_reset": "600"},
        {"retry_after": "600", "x_ratelimit_reset": "5"},
    ):
        wait = asked_to_wait(**headers)
        assert wait is not None
        assert wait.total_seconds() == pytest.approx(600, abs=5), headers


def test_nonsense_in_retry_after_is_no_wait() -> None:
    for nonsense in ("", "soon", "nan", "inf", "-inf", "1e300", "Thu, 99 Foo 2026"):
        assert asked_to_wait(retry_after=nonsense) is None, nonsense
    assert asked_to_wait(retry_after="-5") is None
    assert asked_to_wait(retry_after="Sun, 06 Nov 1994 08:49:37 GMT") is None, "long past"


def test_a_reset_time_says_nothing_where_nothing_was_throttled() -> None:
    transport, _ = answering(status(503, x_ratelimit_reset="600"))
    with open_client(attempts=1, transport=transport) as http, pytest.raises(TemporaryError) as caught:
        http.get(URL)
    assert caught.value.retry_after is None


def test_a_polite_pause_is_kept_between_two_requests_to_one_host() -> None:
    slept: list[float] = []
    transport, _ = answering(status(200))
    with open_client(transport=transport, sleep=slept.append) as http:
        for host in ("one.example", "two.example", "one.example"):
            http.get(f"https://{host}/", extensions={"pause": 1.0})
        http.get("https://one.example/")
    assert len(slept) == 1
    assert 0 < slept[0] <= 1


def test_all_threads_of_a_process_keep_one_pause_between_them() -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    pace = Pace(sleep, lambda: clock[0])
    transport, _ = answering(status(200))

    def work() -> None:
        with open_client(transport=transport, gate=pace) as http:
            for _ in range(3):
                http.get(URL, extensions={"pause": 2.0})

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock[0] == 11 * 2.0, "twelve requests, eleven pauses"

"""Circuits: a host that fails and fails is left alone, and one that asks for time gets it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.circuits import FAILURES, FIRST_REST, LONGEST_REST, Circuits
from connectors.client import open_client
from pipeline.circuit import Circuit
from pipeline.errors import EarfulError, RefusedError, TemporaryError
from tests.connectors.answers import URL, answering, raising, status

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOST = "example.org"


class Clock:
    """A clock that goes on only when it is told to, and when somebody sleeps."""

    def __init__(self) -> None:
        self.at = NOON
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuits(clock: Clock) -> Circuits:
    return Circuits(clock.now)


@pytest.fixture
def ask(clock: Clock, circuits: Circuits) -> Callable[..., EarfulError | None]:
    """Asks a host once, which answers so; what was raised. Whether it was asked at all is in `asked`."""

    def ask_once(answer: httpx.Response | httpx.MockTransport, url: str = URL, **more: object) -> EarfulError | None:
        transport = answer if isinstance(answer, httpx.MockTransport) else answering(answer)[0]
        options = {"attempts": 1, "sleep": clock.sleep, "circuits": circuits, "transport": transport} | more
        with open_client(**options) as http:  # type: ignore[arg-type] - options of one test
            try:
                http.get(url)
            except EarfulError as error:
                return error
        return None

    return ask_once


def never_asked() -> httpx.MockTransport:
    return raising(AssertionError("the host was asked"))


def break_it(ask: Callable[..., EarfulError | None]) -> None:
    for _ in range(FAILURES):
        assert isinstance(ask(status(502)), TemporaryError)


def test_a_host_that_fails_five_times_in_a_row_is_left_alone_for_a_minute(
    clock: Clock, circuits: Circuits, ask: Callable[..., EarfulError | None]
) -> None:
    break_it(ask)
    clock.at += timedelta(seconds=20)
    refusal = ask(never_asked())
    assert isinstance(refusal, TemporaryError)
    assert refusal.retry_after == timedelta(seconds=40)
    assert str(refusal) == (
        "GET example.org/v1/things: example.org is left alone until 22 Nov 12:01:00 UTC after 5 failures in a row "
        "(GET example.org/v1/things: 502 Bad Gateway); nobody: Earful tries again by itself"
    )
    assert ask(status(200), "https://other.example/") is None, "the others are asked"
    assert [circuit.host for circuit in circuits.changed()] == [HOST]


def test_one_answer_in_between_and_nothing_is_held_against_a_host(
    circuits: Circuits, ask: Callable[..., EarfulError | None]
) -> None:
    for answer in [status(502)] * 4 + [status(404)] + [status(502)] * 4:
        ask(answer)
    assert ask(status(200)) is None
    assert circuits.changed() == [Circuit(host=HOST, failures=0)], "nothing to remember"


def test_lost_connections_count_and_refusals_do_not(ask: Callable[..., EarfulError | None]) -> None:
    for _ in range(FAILURES):
        assert isinstance(ask(status(403)), RefusedError)
    for _ in range(FAILURES):
        assert isinstance(ask(raising(httpx.ConnectError("lost"))), TemporaryError)
    assert "left alone" in str(ask(never_asked()))


def test_the_tries_of_one_request_count_and_end_when_the_host_is_left_alone(
    clock: Clock, ask: Callable[..., EarfulError | None]
) -> None:
    transport, asked = answering(status(500))
    ask(transport, attempts=10, patience=timedelta(hours=1))
    assert len(asked) == FAILURES
    assert len(clock.slept) == FAILURES - 1


def test_each_trial_that_fails_doubles_the_rest_up_to_an_hour(
    clock: Clock, ask: Callable[..., EarfulError | None]
) -> None:
    break_it(ask)
    rest = FIRST_REST
    for _ in range(10):
        clock.at += rest - timedelta(seconds=1)
        assert "left alone" in str(ask(never_asked()))
        clock.at += timedelta(seconds=1)
        assert "500 Internal" in str(ask(status(500))), "its rest is over: one request tries"
        rest = min(2 * rest, LONGEST_REST)


def test_a_trial_that_succeeds_ends_it(clock: Clock, ask: Callable[..., EarfulError | None]) -> None:
    break_it(ask)
    clock.at += FIRST_REST
    assert ask(status(200)) is None
    for _ in range(FAILURES - 1):
        assert "502" in str(ask(status(502))), "it counts from nought again"


def test_a_host_that_asks_for_an_hour_is_left_alone_for_an_hour(
    clock: Clock, ask: Callable[..., EarfulError | None]
) -> None:
    ask(status(429, retry_after="3600"))
    clock.at += timedelta(minutes=40)
    refusal = ask(never_asked())
    assert isinstance(refusal, TemporaryError)
    assert refusal.retry_after == timedelta(minutes=20)
    clock.at += timedelta(minutes=20)
    assert ask(status(200)) is None


def test_a_host_that_asks_for_seconds_is_waited_for(clock: Clock, ask: Callable[..., EarfulError | None]) -> None:
    ask(status(429, retry_after="7"))
    assert ask(status(200)) is None
    assert clock.slept == [7]


def test_a_request_that_slept_or_waited_for_its_turn_looks_again_whether_the_host_may_be_asked(
    clock: Clock, circuits: Circuits, ask: Callable[..., EarfulError | None]
) -> None:
    def told_meanwhile(_: float) -> None:
        circuits.failed(HOST, "429", timedelta(hours=1))

    transport, asked = answering(status(500))
    assert "left alone until 22 Nov 13:00:00" in str(ask(transport, attempts=3, sleep=told_meanwhile))
    assert len(asked) == 1, "its second attempt was not made"
    clock.at += timedelta(hours=1)
    with (
        open_client(
            transport=never_asked(), circuits=circuits, gate=lambda _, seconds: told_meanwhile(seconds)
        ) as http,
        pytest.raises(TemporaryError, match="left alone until 22 Nov 14:00:00"),
    ):
        http.get(URL, extensions={"pause": 1.0})


def test_no_turn_is_taken_for_a_host_that_is_left_alone(circuits: Circuits) -> None:
    circuits.failed(HOST, "429", timedelta(hours=1))
    turns: list[str] = []
    with (
        open_client(transport=never_asked(), circuits=circuits, gate=lambda host, _: turns.append(host)) as http,
        pytest.raises(TemporaryError, match="left alone"),
    ):
        http.get(URL, extensions={"pause": 1.0})
    assert turns == []


@pytest.mark.parametrize("strange", [httpx.TooManyRedirects("in circles"), httpx.LocalProtocolError("no header")])
def test_a_trial_that_ends_in_a_lasting_error_is_over(
    clock: Clock, ask: Callable[..., EarfulError | None], strange: Exception
) -> None:
    break_it(ask)
    clock.at += FIRST_REST
    assert not isinstance(ask(raising(strange)), TemporaryError)
    assert ask(status(200)) is None, "nobody waits for how the trial ends"


def test_the_wait_that_one_key_is_told_does_not_concern_the_host(
    circuits: Circuits, ask: Callable[..., EarfulError | None]
) -> None:
    def quota(_: httpx.Response) -> EarfulError:
        return TemporaryError("the quota of this key", timedelta(hours=9))

    transport, _ = answering(status(403))
    with open_client(transport=transport, circuits=circuits) as http, pytest.raises(TemporaryError, match="quota"):
        http.get(URL, extensions={"explain": quota})
    assert ask(status(200)) is None


def test_after_the_last_request_that_a_limit_allows_the_next_one_waits(
    clock: Clock, ask: Callable[..., EarfulError | None]
) -> None:
    spent = {"x_ratelimit_remaining": "0"}
    assert ask(status(200, **spent, x_ratelimit_reset="20")) is None
    assert ask(status(200, **spent, x_ratelimit_reset="600")) is None
    assert clock.slept == [20]
    refusal = ask(never_asked())
    assert isinstance(refusal, TemporaryError)
    assert refusal.retry_after == timedelta(minutes=10)
    assert "its limit is used up" in str(refusal)


def test_what_was_found_out_outlives_the_process(clock: Clock, ask: Callable[..., EarfulError | None]) -> None:
    fresh = Circuits(clock.now)
    fresh.learn([Circuit(host=HOST, failures=6, open_until=NOON + timedelta(minutes=2), why="503")])
    assert "after 6 failures in a row (503)" in str(ask(never_asked(), circuits=fresh))
    assert fresh.changed() == [], "nothing new"
    clock.at += timedelta(minutes=2)
    assert ask(status(200), circuits=fresh) is None
    fresh.learn([Circuit(host=HOST, failures=6, open_until=NOON + timedelta(hours=2), why="503")])
    assert ask(status(200), circuits=fresh) is None, "what this process found out later is newer"
    assert fresh.changed() == [Circuit(host=HOST, failures=0)]
    assert fresh.changed() == []


def test_a_secret_path_and_a_query_are_in_no_reason(circuits: Circuits, ask: Callable[..., EarfulError | None]) -> None:
    ask(status(500))
    with (
        open_client(attempts=1, transport=answering(status(500))[0], circuits=circuits) as http,
        pytest.raises(TemporaryError),
    ):
        http.post("https://hooks.example/T0/sesame", extensions={"secret_path": True})
    assert "sesame" not in repr(circuits.changed())


def test_two_ports_are_two_hosts(ask: Callable[..., EarfulError | None]) -> None:
    for _ in range(FAILURES):
        ask(status(500), "http://example.org:8080/")
    assert "example.org:8080 is left alone" in str(ask(never_asked(), "http://example.org:8080/"))
    assert ask(status(200), "http://example.org:8081/") is None

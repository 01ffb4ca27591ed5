"""Sending: one alert that cannot go out holds up no other, whatever is wrong with it."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors.sinks.file import FileSink
from connectors.sinks.webhook import Webhook
from flows import send as sending
from flows.send import GIVE_UP_AFTER, LEASE, RENEWED_EVERY
from flows.setup import Setup
from pipeline.errors import EarfulError, RefusedError, TemporaryError
from pipeline.route import Alert
from storage.outbox import Fate
from storage.store import Store
from tests.flows.one_source import Clock
from tests.flows.senders import an_alert, die_at, known, put, refusing, run_and_die, send_to, titles, waiting
from tests.town import Town


@pytest.mark.parametrize(("error", "said"), [(RefusedError("422"), "422"), (ValueError("hush"), "ValueError at ")])
def test_a_grave_alert_goes_out_in_the_same_run_however_many_others_are_refused(
    town: Town, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    asked = refusing(monkeypatch, error)
    monkeypatch.setattr("flows.send.overtaken", lambda *_: False)
    put(town, *(an_alert(town, f"end-{number}", case=f"C-{number}", kind="solved") for number in range(20)))
    monkeypatch.setattr("flows.send.BACK_OFF", (timedelta(hours=1),))
    assert str(send_to(town, "desk")).startswith(said)
    assert len(asked) == 20
    put(town, an_alert(town, "grave", urgency="critical"))
    assert send_to(town, "desk") is None
    assert asked[20:] == ["grave"]
    put(town, an_alert(town, "later"), an_alert(town, "grave-2", urgency="critical"))
    assert str(send_to(town, "desk")).startswith(said)
    assert asked[21:] == ["grave-2", "later"]
    assert len(town.hooks) == 2


def test_a_sink_that_is_down_is_not_asked_for_every_alert_that_waits(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = refusing(monkeypatch, TemporaryError("503"))
    put(town, *(an_alert(town, f"alert-{number}") for number in range(20)))
    assert isinstance(send_to(town, "desk"), TemporaryError)
    assert len(asked) == GIVE_UP_AFTER


def test_an_error_nobody_foresaw_is_a_developers_and_the_next_alert_goes_out(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = FileSink.send

    def strange(sink: FileSink, http: httpx.Client, alert: Alert) -> str:
        if alert.key == "a":
            raise KeyError("hush")
        return usual(sink, http, alert)

    monkeypatch.setattr(FileSink, "send", strange)
    put(town, an_alert(town, "a", "log"), an_alert(town, "b", "log"))
    assert str(send_to(town, "log")).startswith("KeyError at ")
    assert [alert["key"] for alert in town.logged()] == ["b"]
    assert waiting(town) == {"a": EarfulError.who_acts}
    with town.store() as store:
        (delivery,) = store.waiting(town.setup().now() + timedelta(days=1))
    assert delivery.error == "KeyError"


def test_what_was_sent_when_the_run_died_goes_again_with_its_key_and_is_counted(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    put(town, an_alert(town, "a"), an_alert(town, "b"))
    die_at(monkeypatch, "mark_sent")
    run_and_die(town, "desk")
    assert send_to(town, "desk") is None  # the other alert; this one is still held by who died
    assert [key for key, _ in town.hooks] == ["a", "b"]
    clock.now += LEASE
    assert known(town, "a").unsure(clock.now)
    assert send_to(town, "desk") is None
    assert [key for key, _ in town.hooks] == ["a", "b", "a"]
    with town.store() as store:
        assert [one.key for one in store.unsure_since(clock.now)] == ["a"]


def test_that_it_may_have_gone_out_twice_is_told_of_a_sink_that_knows_no_keys_only(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    put(town, an_alert(town, "a"))
    die_at(monkeypatch, "mark_sent")
    run_and_die(town, "desk")
    clock.now += LEASE
    assert send_to(town, "desk") is None
    assert titles(town) == {}
    monkeypatch.setattr(Webhook, "honours_key", False)
    assert titles(town) == {"log": ["Hike: 1 alert for desk may have gone out twice"]}


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (httpx.ReadTimeout("?"), 1),
        (httpx.Response(504), 1),
        (httpx.Response(503), 0),
        (httpx.ConnectError("?"), 0),
        (httpx.ProxyError("503"), 0),
    ],
)
def test_an_answer_that_is_lost_leaves_it_unsure_and_a_refusal_does_not(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock, error: Exception | httpx.Response, times: int
) -> None:
    def asked(request: httpx.Request) -> httpx.Response:
        del request
        if isinstance(error, Exception):
            raise error
        return error

    transport = httpx.MockTransport(asked)
    monkeypatch.setattr(Setup, "http", lambda *_: sending_client(transport))
    put(town, an_alert(town, "a"))
    assert isinstance(send_to(town, "desk"), TemporaryError)
    clock.now += timedelta(hours=1)
    delivery = known(town, "a")
    assert (delivery.given, delivery.attempts, delivery.unsure(clock.now)) == (1, 1 - times, bool(times))


def sending_client(transport: httpx.BaseTransport) -> httpx.Client:
    from connectors.client import open_client  # noqa: PLC0415 - what Setup.http opens

    return open_client(attempts=1, transport=transport)


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not what() and time.monotonic() < end:
        time.sleep(0.01)
    assert what()


def test_however_slow_a_sink_is_nobody_else_gets_the_alert_meanwhile(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(sending, "RENEWED_EVERY", timedelta(milliseconds=5))
    monkeypatch.setattr(sending, "LONGEST_SEND", timedelta(seconds=30))
    usual = Webhook.send
    stolen: list[Alert] = []

    def slow(sink: Webhook, http: httpx.Client, alert: Alert) -> str:
        for _ in range(5):
            clock.now += RENEWED_EVERY * 2
            wait_for(lambda: known(town, "a").next_at == clock.now + LEASE)
            with town.store() as store:
                stolen.extend(store.claim("desk", clock.now, LEASE, 1))
        return usual(sink, http, alert)

    monkeypatch.setattr(Webhook, "send", slow)
    put(town, an_alert(town, "a"))
    assert send_to(town, "desk") is None
    assert stolen == []
    delivery = known(town, "a")
    assert (delivery.fate, delivery.given, delivery.attempts) == (Fate.SENT, 1, 1)


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_renewal_that_was_kept_though_the_answer_was_lost_keeps_the_alert(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock, *, ends_well: bool
) -> None:
    monkeypatch.setattr(sending, "RENEWED_EVERY", timedelta(milliseconds=5))
    monkeypatch.setattr(sending, "LONGEST_SEND", timedelta(seconds=30))
    renew, usual, lost = Store.renew, Webhook.send, []

    def losing(store: Store, *held: Any) -> bool:  # noqa: ANN401 - as renew
        renewed = renew(store, *held)
        if renewed and len(lost) < 2:
            lost.append(held)
            raise TemporaryError("the database did not answer")
        return renewed

    def slow(sink: Webhook, http: httpx.Client, alert: Alert) -> str:
        wait_for(lambda: len(lost) == 2)
        clock.now += RENEWED_EVERY
        if ends_well:
            wait_for(lambda: known(town, "a").next_at == clock.now + LEASE)
            return usual(sink, http, alert)
        raise RefusedError("410")

    monkeypatch.setattr(Store, "renew", losing)
    monkeypatch.setattr(Webhook, "send", slow)
    put(town, an_alert(town, "a"))
    assert (send_to(town, "desk") is None) is ends_well
    delivery = known(town, "a")
    assert (delivery.attempts, delivery.error) == (1, None if ends_well else "410")


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_run_that_slept_until_another_took_its_alert_undoes_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock, *, ends_well: bool
) -> None:
    usual = FileSink.send

    def asleep(sink: FileSink, http: httpx.Client, alert: Alert) -> str:
        monkeypatch.setattr(FileSink, "send", usual)
        clock.now += LEASE
        assert send_to(town, "log") is None  # the other run
        if ends_well:
            return usual(sink, http, alert)
        raise TemporaryError("503")

    monkeypatch.setattr(FileSink, "send", asleep)
    put(town, an_alert(town, "a", "log"))
    assert isinstance(send_to(town, "log"), TemporaryError) is not ends_well
    assert [alert["key"] for alert in town.logged()] == ["a"]
    delivery = known(town, "a")
    assert (delivery.fate, delivery.error, delivery.given, delivery.attempts) == (Fate.SENT, None, 2, 1)


@pytest.mark.parametrize(("status", "method"), [(200, "mark_sent"), (410, "mark_failed")])
def test_a_database_that_is_away_when_a_try_ends_is_waited_for(
    town: Town, monkeypatch: pytest.MonkeyPatch, status: int, method: str
) -> None:
    monkeypatch.setattr(sending, "MARKED_WITHIN", (0, 0))
    usual, tried = getattr(Store, method), []

    def away(*told: Any, **more: Any) -> object:  # noqa: ANN401 - as either
        tried.append(told)
        if len(tried) < 3:
            raise TemporaryError("the database did not answer")
        return usual(*told, **more)

    monkeypatch.setattr(Store, method, away)
    town.broken["/hook"] = status
    put(town, an_alert(town, "a"))
    error = send_to(town, "desk")
    assert isinstance(error, RefusedError) is (status == 410)
    delivery = known(town, "a")
    assert (delivery.given, delivery.attempts) == (1, 1)
    assert (delivery.fate is Fate.SENT) is (status == 200)

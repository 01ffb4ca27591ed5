"""Dead letters: when an alert is given up, who is told, and what becomes of one that a person sends again."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.sinks.webhook import Webhook
from flows import send as sending
from flows.send import DEAD_AFTER, DEAD_TRIES, LEASE, orphans
from flows.watch import troubles
from pipeline.errors import RefusedError, TemporaryError
from pipeline.route import Alert
from storage.outbox import Fate
from tests.flows.one_source import Clock
from tests.flows.senders import Killed, an_alert, known, put, refusing, run_and_die, send_to, titles, waiting
from tests.town import Town

NEVER = datetime(2026, 3, 14, tzinfo=UTC)


def fail_until(town: Town, clock: Clock, tries: int, age: timedelta) -> Exception | None:
    """How the last of so many tries ended, at the end of that time."""
    made, ended = clock.now, None
    for number in range(1, tries + 1):
        clock.now = made + age * number / tries
        ended = send_to(town, "desk")
    return ended


def test_after_three_days_and_ten_tries_an_alert_is_dead_and_only_that_run_says_so(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    asked = refusing(monkeypatch, RefusedError("POST 127.0.0.1: 410; the operator must act: make another"))
    monkeypatch.setattr(sending, "BACK_OFF", (timedelta(seconds=1),))
    put(town, an_alert(town, "a"))
    error = fail_until(town, clock, DEAD_TRIES, DEAD_AFTER)
    assert isinstance(error, RefusedError)
    for words in ("desk: 1 alert is a dead letter now", "for 3 days", "`earful alerts send`", "410"):
        assert words in str(error)
    delivery = known(town, "a")
    assert (delivery.fate, delivery.given, delivery.who_acts) == (Fate.DEAD, DEAD_TRIES, "the operator")
    clock.now += timedelta(days=1)
    assert send_to(town, "desk") is None
    assert len(asked) == DEAD_TRIES


@pytest.mark.parametrize(
    ("tries", "age"), [(DEAD_TRIES - 1, DEAD_AFTER * 2), (DEAD_TRIES * 2, DEAD_AFTER - timedelta(seconds=1))]
)
def test_before_that_it_goes_on_waiting_for_the_operator(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock, tries: int, age: timedelta
) -> None:
    refusal = RefusedError("410")
    refusing(monkeypatch, refusal)
    monkeypatch.setattr(sending, "BACK_OFF", (timedelta(seconds=1),))
    put(town, an_alert(town, "a"))
    assert fail_until(town, clock, tries, age) is refusal
    assert waiting(town) == {"a": "the operator"}


def test_of_one_that_nobody_answered_for_the_operator_must_act_in_the_end(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    refusing(monkeypatch, TemporaryError(f"POST 127.0.0.1: 503; {TemporaryError.who_acts}"))
    monkeypatch.setattr(sending, "BACK_OFF", (timedelta(seconds=1),))
    put(town, an_alert(town, "a"))
    clock.now += DEAD_AFTER
    for _ in range(DEAD_TRIES):
        send_to(town, "desk")
        clock.now += timedelta(minutes=1)
    delivery = known(town, "a")
    assert (delivery.fate, delivery.error, delivery.who_acts) == (Fate.DEAD, "POST 127.0.0.1: 503", "the operator")


def test_one_whose_answers_were_lost_keeps_its_error_and_goes_out_once_the_place_is_mended(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(sending, "BACK_OFF", (timedelta(seconds=1),))
    put(town, an_alert(town, "a"))
    with monkeypatch.context() as hanging:
        asked = refusing(hanging, TemporaryError("no whole answer", unsure=True))
        fail_until(town, clock, DEAD_TRIES * 2, DEAD_AFTER)
        assert (known(town, "a").fate, known(town, "a").error) == (Fate.DEAD, "no whole answer")
        assert len(asked) == DEAD_TRIES * 2
        with town.store() as store:
            store.send_again([an_alert(town, "a")], clock.now)
        send_to(town, "desk")
        assert known(town, "a").fate is Fate.WAITING  # its tries count anew
    clock.now += timedelta(hours=1)
    assert send_to(town, "desk") is None
    assert [key for key, _ in town.hooks] == ["a"]
    assert known(town, "a").unsure(clock.now)


def test_an_alert_that_kills_whoever_sends_it_holds_up_no_other_and_dies_in_the_end(
    town: Town, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    usual, asked = Webhook.send, []

    def deadly(sink: Webhook, http: httpx.Client, alert: Alert) -> str:
        asked.append(alert.key)
        if alert.key == "a":
            raise Killed
        return usual(sink, http, alert)

    monkeypatch.setattr(Webhook, "send", deadly)
    put(town, an_alert(town, "a"))
    run_and_die(town, "desk")
    put(town, an_alert(town, "b"))
    clock.now += DEAD_AFTER
    for _ in range(DEAD_TRIES - 1):
        run_and_die(town, "desk")
        clock.now += LEASE
    assert [key for key, _ in town.hooks] == ["b"]
    error = send_to(town, "desk")
    assert "1 alert is a dead letter" in str(error)
    assert "whoever sends it dies" in str(known(town, "a").error)
    assert asked.count("a") == DEAD_TRIES


def test_that_an_alert_died_is_told_once_through_another_sink(town: Town, clock: Clock) -> None:
    text = town.settings.read_text("utf-8").replace('[watch]\nsinks = ["log"]', '[watch]\nsinks = ["log", "desk"]')
    town.settings.write_text(text, encoding="utf-8")
    put(town, an_alert(town, "a"), an_alert(town, "b"))
    with town.store() as store:
        store.mark_failed(an_alert(town, "a"), "410", "the operator", clock.now, dead_at=clock.now)
        told = list(troubles(town.setup(), store, clock.now))
    assert [(one.sink, one.title) for one in told] == [
        ("log", "Hike: 1 alert for desk reached nobody, and will not be tried again")
    ]
    assert "410; the operator must act\nearful alerts --dead" in told[0].text
    later = clock.now + timedelta(minutes=1)
    with town.store() as store:
        (again,) = troubles(town.setup(), store, clock.now)
        assert again.key == told[0].key
        store.mark_failed(an_alert(town, "b"), "410", "the operator", later, dead_at=later)
        (more,) = troubles(town.setup(), store, later)
    assert more.key != told[0].key
    assert "2 alerts for desk" in more.title


def test_a_second_death_of_the_same_alert_is_told_again_and_that_of_our_own_words_never(
    town: Town, clock: Clock
) -> None:
    put(town, an_alert(town, "a"), an_alert(town, "w", kind="watch"))
    keys = []
    with town.store() as store:
        store.mark_failed(an_alert(town, "w"), "410", "the operator", clock.now, dead_at=clock.now)
        assert list(troubles(town.setup(), store, clock.now)) == []
        for _ in range(2):
            store.send_again([an_alert(town, "a")], clock.now)
            clock.now += timedelta(hours=9)
            store.mark_failed(an_alert(town, "a"), "410", "the operator", clock.now, dead_at=clock.now)
            keys += [one.key for one in troubles(town.setup(), store, clock.now)]
    assert len(set(keys)) == 2


def test_a_critical_alert_that_failed_is_told_at_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    put(town, an_alert(town, "a", urgency="critical"), an_alert(town, "b"))

    def refuse(*_: object) -> str:
        raise RefusedError("410; the operator must act: make another")

    monkeypatch.setattr(Webhook, "send", refuse)
    send_to(town, "desk")
    assert titles(town) == {"log": ["Hike: 1 critical alert for desk could not be sent"]}


def test_dead_letters_of_a_sink_that_is_named_no_more_fail_no_run(town: Town) -> None:
    put(town, an_alert(town, "a", "gone"), an_alert(town, "b", "gone"))
    assert [state.message for state in orphans(town.setup())] == [
        '2 alerts wait for "gone", which is no sink any more; name a sink so again in the settings'
    ]
    with town.store() as store:
        store.mark_failed(an_alert(town, "a", "gone"), "410", "the operator", NEVER, dead_at=NEVER)
        store.drop(an_alert(town, "b", "gone"), "dropped: that desk is closed", NEVER)
    assert orphans(town.setup()) == []

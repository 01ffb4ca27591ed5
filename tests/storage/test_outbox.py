from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pipeline.route import Alert
from storage.store import Store

Tell = Callable[..., Alert]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
LEASE = timedelta(minutes=5)


def test_alerts_are_given_out_oldest_first_each_to_one_sender(store: Store, tell: Tell) -> None:
    alerts = [tell(f"A-{minute}", made_at=NOON + timedelta(minutes=minute)) for minute in range(4)]
    store.put_alerts([*reversed(alerts), tell("A-9", "mail")])
    now = NOON + timedelta(minutes=2)
    assert store.claim("chat", now, LEASE, 2) == alerts[:2]
    assert store.claim("chat", now, LEASE, 9) == alerts[2:3]
    assert store.claim("chat", now, LEASE, 9) == []
    assert store.claim("mail", now, LEASE, 9) == [tell("A-9", "mail")]


def test_an_alert_whose_sender_died_is_given_out_again_after_the_lease(store: Store, tell: Tell) -> None:
    store.put_alerts([tell()])
    assert store.claim("chat", NOON, LEASE, 1)
    assert store.claim("chat", NOON + LEASE - timedelta(seconds=1), LEASE, 1) == []
    assert store.claim("chat", NOON + LEASE, LEASE, 1) == [tell()]


def test_a_sent_alert_never_goes_out_again(store: Store, tell: Tell) -> None:
    store.put_alerts([tell()])
    store.claim("chat", NOON, LEASE, 1)
    store.mark_sent(tell(), "200 ok\x00", NOON)
    store.mark_failed(tell(), "too late to say so", "nobody", NOON)
    store.put_alerts([tell(title="The same again")])
    assert store.claim("chat", NOON + timedelta(days=9), LEASE, 1) == []
    assert store.sent_since(NOON) == [tell()]
    assert store.sent_since(NOON + LEASE) == []
    assert store.counts().alerts == {"chat": (0, 1)}


def test_a_failed_alert_waits_until_its_next_try_and_says_who_must_act(store: Store, tell: Tell) -> None:
    store.put_alerts([tell(case="C-1"), tell(sink="mail", case="C-1", made_at=NOON + LEASE)])
    store.claim("chat", NOON, LEASE, 1)
    assert store.attempts(tell()) == 0
    store.mark_failed(tell(), "POST chat.test: 403\ud800", "the operator", NOON + timedelta(hours=1))
    assert store.attempts(tell()) == 1
    assert store.claim("chat", NOON + timedelta(minutes=59), LEASE, 1) == []

    assert store.stuck(NOON) == []
    assert [alert.sink for alert in store.stuck(NOON + LEASE)] == ["chat"]
    waiting = store.waiting(NOON + LEASE)[0]
    assert (waiting.error, waiting.who_acts, waiting.attempts) == ("POST chat.test: 403\ufffd", "the operator", 1)
    assert [one.alert.sink for one in store.alerts_of("C-1")] == ["chat", "mail"]

    assert store.claim("chat", NOON + timedelta(hours=1), LEASE, 1)
    store.mark_sent(tell(), "ok", NOON + timedelta(hours=1))
    told = store.alerts_of("C-1")[0]
    assert (told.attempts, told.error, told.who_acts, told.receipt) == (2, None, None, "ok")


def test_the_same_alert_to_two_sinks_is_two_alerts_and_twice_to_one_is_one(store: Store, tell: Tell) -> None:
    store.put_alerts([tell(), tell(), tell(sink="mail")])
    store.put_alerts([])
    assert store.counts().alerts == {"chat": (1, 0), "mail": (1, 0)}


def test_an_alert_put_once_is_known_whether_it_waits_or_went_out(store: Store, tell: Tell) -> None:
    store.put_alerts([tell("A-1"), tell("A-2")])
    store.mark_sent(tell("A-1"), "200", NOON)
    assert store.put_before(["A-1", "A-2", "A-3"]) == {"A-1", "A-2"}
    assert store.put_before([]) == set()

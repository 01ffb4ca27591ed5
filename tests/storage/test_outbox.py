from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from pipeline.analysis import Analysis
from pipeline.case import Case
from pipeline.mention import Mention
from pipeline.route import Alert
from storage.outbox import LONGEST_PAUSE, Fate
from storage.store import Store

Tell = Callable[..., Alert]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
LEASE = timedelta(minutes=5)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


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
    (known,) = store.known("A-1", "chat")
    assert (known.given, known.attempts, known.held(NOON), known.unsure(NOON)) == (1, 0, True, False)
    assert store.mark_failed(tell(), "POST chat.test: 403\ud800", "the operator", NOON + timedelta(hours=1))
    (known,) = store.known("A-1", "chat")
    assert (known.given, known.attempts, known.held(NOON), known.unsure(NOON)) == (1, 1, False, False)
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


def test_that_a_case_is_solved_waits_for_what_was_to_be_told_of_it_before(store: Store, tell: Tell) -> None:
    opened = tell("A-1", case="C-1")
    end = tell("A-0", case="C-1", kind="solved", made_at=NOON)
    later = tell("A-2", case="C-1", made_at=NOON + LEASE)
    store.put_alerts([end, opened, later, tell("A-3", "mail", case="C-1"), tell("A-4", case="C-2", kind="solved")])
    assert [alert.key for alert in store.claim("chat", NOON, LEASE, 9)] == ["A-1", "A-4"]
    store.mark_failed(opened, "503", "nobody", NOON + 9 * LEASE)
    assert [alert.key for alert in store.claim("chat", NOON + LEASE, LEASE, 1)] == ["A-2"]
    assert end not in store.claim("chat", NOON + 8 * LEASE, LEASE, 9)
    store.mark_sent(opened, "ok", NOON + 8 * LEASE)
    assert end in store.claim("chat", NOON + 20 * LEASE, LEASE, 9)


def test_what_was_never_tried_goes_first_then_what_is_critical_and_that_it_is_over_last(
    store: Store, tell: Tell
) -> None:
    ends = [tell(f"A-{number}", case=f"C-{number}", kind="solved") for number in range(3)]
    refused = [tell("A-r"), tell("A-s", urgency="critical")]
    store.put_alerts([*ends, *refused])
    for alert in (*ends[:2], *refused):
        store.mark_failed(alert, "422", "the operator", NOON)
    later = NOON + LEASE
    store.put_alerts([tell("A-new", made_at=later), tell("A-grave", urgency="critical", made_at=later)])
    given = [store.claim("chat", later, LEASE, 1)[0].key for _ in range(7)]
    assert given == ["A-grave", "A-new", "A-s", "A-r", "A-0", "A-1", "A-2"]
    assert [alert.key for alert in store.claim("chat", later + LEASE, LEASE, 3)] == ["A-grave", "A-s", "A-new"]


def test_of_what_was_never_given_out_and_what_killed_its_sender_the_first_goes_first(store: Store, tell: Tell) -> None:
    store.put_alerts([tell("A-deadly", urgency="critical")])
    store.claim("chat", NOON, LEASE, 1)
    store.put_alerts([tell("A-new", made_at=NOON + LEASE)])
    assert [store.claim("chat", NOON + LEASE, LEASE, 1)[0].key for _ in range(2)] == ["A-new", "A-deadly"]


def test_senders_at_once_never_hold_the_same_alert(store: Store, tell: Tell) -> None:
    store.put_alerts([tell(f"A-{number:02}") for number in range(60)])
    ready = Barrier(4)

    def take(_: int) -> list[str]:
        ready.wait()
        taken: list[str] = []
        while some := store.claim("chat", NOON, LEASE, 2):
            taken += [alert.key for alert in some]
        return taken

    with ThreadPoolExecutor(4) as senders:
        taken = [key for keys in senders.map(take, range(4)) for key in keys]
    assert len(taken) == len(set(taken)) == 60


def test_a_lease_that_is_renewed_goes_on_and_one_that_was_lost_cannot_be(store: Store, tell: Tell) -> None:
    store.put_alerts([tell()])
    store.claim("chat", NOON, LEASE, 1)
    assert store.renew(tell(), NOON + LEASE, NOON + 2 * LEASE)
    assert store.claim("chat", NOON + 2 * LEASE - SECOND, LEASE, 1) == []
    assert store.claim("chat", NOON + 2 * LEASE, LEASE, 1) == [tell()]
    assert not store.renew(tell(), NOON + 2 * LEASE, NOON + 9 * LEASE)
    assert store.claim("chat", NOON + 3 * LEASE, LEASE, 1) == [tell()]


def test_one_whose_lease_was_lost_does_not_put_back_what_another_sends(store: Store, tell: Tell) -> None:
    store.put_alerts([tell()])
    store.claim("chat", NOON, LEASE, 1)
    store.claim("chat", NOON + LEASE, LEASE, 1)
    dead = NOON + LEASE
    assert not store.mark_failed(tell(), "late", "nobody", NOON, held_until=NOON + LEASE, dead_at=dead)
    (known,) = store.known("A-1")
    assert (known.fate, known.attempts, known.error, known.next_at) == (Fate.WAITING, 0, None, NOON + 2 * LEASE)
    assert store.mark_failed(tell(), "503", "nobody", NOON, held_until=NOON + 2 * LEASE)


@pytest.mark.parametrize("meanwhile", ["waits", "dies", "is dropped"])
def test_a_receipt_counts_however_late_it_comes(store: Store, tell: Tell, meanwhile: str) -> None:
    store.put_alerts([tell()])
    store.claim("chat", NOON, LEASE, 1)
    store.claim("chat", NOON + LEASE, LEASE, 1)
    if meanwhile == "dies":
        store.mark_failed(tell(), "503", "the operator", NOON, dead_at=NOON + LEASE)
    elif meanwhile == "is dropped":
        assert not store.drop(tell(), "dropped: told by phone", NOON + 2 * LEASE - SECOND)  # it is being sent
        assert store.drop(tell(), "dropped: told by phone", NOON + 2 * LEASE)
    store.mark_sent(tell(), "200", NOON + 3 * LEASE)
    (known,) = store.known("A-1")
    assert (known.fate, known.receipt, known.error, known.sent_at) == (Fate.SENT, "200", None, NOON + 3 * LEASE)
    store.mark_sent(tell(), "200 again", NOON + 4 * LEASE)
    assert store.known("A-1") == [known]


def test_an_alert_whose_sender_died_is_counted_as_perhaps_sent_twice(store: Store, tell: Tell) -> None:
    store.put_alerts([tell("A-1"), tell("A-2"), tell("A-3")])
    store.claim("chat", NOON, LEASE, 2)
    store.mark_failed(tell("A-2"), "503", "nobody", NOON + LEASE)
    later = NOON + LEASE
    assert [one.unsure(later) for one in store.waiting(later)] == [True, False, False]
    for alert in store.claim("chat", later, LEASE, 9):
        store.mark_sent(alert, "ok", later)
    assert [alert.key for alert in store.unsure_since(later)] == ["A-1"]
    assert store.unsure_since(later + SECOND) == []


def test_what_may_have_gone_out_twice_comes_in_the_order_it_was_sent(store: Store, tell: Tell) -> None:
    alerts = [tell("A-1"), tell("A-2", made_at=NOON + SECOND)]
    store.put_alerts(alerts)
    assert store.claim("chat", NOON + SECOND, LEASE, 2) == alerts
    assert store.claim("chat", NOON + HOUR, LEASE, 2) == alerts  # who had them died
    for later, alert in enumerate(reversed(alerts)):
        store.mark_sent(alert, "ok", NOON + HOUR + later * SECOND)
    assert store.unsure_since(NOON) == [*reversed(alerts)]


def test_the_error_of_a_try_is_known_until_one_has_no_end(store: Store, tell: Tell) -> None:
    store.put_alerts([tell()])
    store.claim("chat", NOON, LEASE, 1)
    store.mark_failed(tell(), "503", "nobody", NOON)
    errors = []
    for number in range(2):
        store.claim("chat", NOON + number * LEASE, LEASE, 1)
        errors.append(store.known("A-1")[0].error)
    assert errors == ["503", None]


def test_a_failure_of_which_only_the_answer_is_missing_counts_as_perhaps_sent(store: Store, tell: Tell) -> None:
    store.put_alerts([tell()])
    store.claim("chat", NOON, LEASE, 1)
    store.mark_failed(tell(), "no whole answer", "nobody", NOON + HOUR, unsure=True)
    assert store.claim("chat", NOON + HOUR - SECOND, LEASE, 1) == []
    (known,) = store.known("A-1")
    assert known.unsure(NOON)
    assert store.claim("chat", NOON + HOUR, LEASE, 1)
    store.mark_sent(tell(), "ok", NOON + HOUR)
    assert store.unsure_since(NOON) == [tell()]


def test_a_clock_that_was_ahead_and_is_set_right_holds_up_nothing_for_long(store: Store, tell: Tell) -> None:
    ahead = NOON + timedelta(days=7)
    store.put_alerts([tell("A-held"), tell("A-failed"), tell("A-paused")])
    assert len(store.claim("chat", ahead, LEASE, 3)) == 3
    store.mark_failed(tell("A-failed"), "503", "nobody", ahead)
    store.mark_failed(tell("A-paused"), "429", "nobody", NOON + LONGEST_PAUSE)
    store.put_alerts([tell("A-made", made_at=ahead)])
    assert {alert.key for alert in store.claim("chat", NOON, LEASE, 9)} == {"A-made", "A-held", "A-failed"}
    assert store.claim("chat", NOON, LEASE, 9) == []


def test_clocks_that_differ_by_less_than_a_lease_take_nothing_from_each_other(store: Store, tell: Tell) -> None:
    store.put_alerts([tell()])
    assert store.claim("chat", NOON + LEASE - SECOND, LEASE, 1)
    assert store.claim("chat", NOON, LEASE, 1) == []
    assert store.claim("chat", NOON + 2 * (LEASE - SECOND), LEASE, 1) == []


def test_the_longest_pause_is_kept_by_a_clock_that_is_behind(store: Store, tell: Tell) -> None:
    store.put_alerts([tell()])
    store.claim("chat", NOON, LEASE, 1)
    store.mark_failed(tell(), "429", "nobody", NOON + LONGEST_PAUSE)
    assert store.claim("chat", NOON - timedelta(minutes=4), LEASE, 1) == []


def test_a_dead_letter_is_given_out_no_more_until_it_is_to_be_sent_again(store: Store, tell: Tell) -> None:
    store.put_alerts([tell(), tell("A-2")])
    store.claim("chat", NOON, LEASE, 1)
    store.mark_failed(tell(), "POST chat.test: 403", "the operator", NOON, dead_at=NOON)
    assert [alert.key for alert in store.claim("chat", NOON + HOUR, LEASE, 9)] == ["A-2"]
    (dead,) = store.deliveries(Fate.DEAD)
    assert (dead.alert, dead.error, dead.who_acts, dead.dead_at) == (
        tell(),
        "POST chat.test: 403",
        "the operator",
        NOON,
    )
    assert (store.counts().alerts, store.counts().dead) == ({"chat": (1, 0)}, {"chat": 1})
    assert [alert.key for alert in store.stuck(NOON + HOUR)] == ["A-2"]
    store.put_alerts([tell()])
    assert len(store.deliveries(Fate.DEAD)) == 1

    assert store.send_again([tell()], NOON + HOUR) == 1
    (again,) = store.known("A-1")
    assert (again.fate, again.attempts, again.given, again.alert) == (Fate.WAITING, 0, 0, tell())
    assert store.counts().dead == {}
    assert store.claim("chat", NOON + HOUR, LEASE, 9) == [tell()]


def test_only_what_nobody_has_in_hand_is_sent_again(store: Store, tell: Tell) -> None:
    store.put_alerts([tell("A-held"), tell("A-paused"), tell("A-sent")])
    store.claim("chat", NOON, LEASE, 3)
    store.mark_failed(tell("A-paused"), "no whole answer", "nobody", NOON + HOUR, unsure=True)
    store.mark_sent(tell("A-sent"), "ok", NOON)
    everything = [tell("A-held"), tell("A-paused"), tell("A-sent"), tell("A-unknown")]
    assert store.send_again(everything, NOON) == 1
    (paused,) = store.known("A-paused")
    assert (paused.next_at, paused.unsure(NOON)) == (NOON, True)  # that it may be out is not forgotten
    assert [alert.key for alert in store.claim("chat", NOON, LEASE, 9)] == ["A-paused"]


def test_a_dropped_alert_keeps_the_reason_and_counts_as_neither_sent_nor_dead(store: Store, tell: Tell) -> None:
    store.put_alerts([tell("A-1"), tell("A-2"), tell("A-3")])
    store.mark_failed(tell("A-1"), "403", "the operator", NOON, dead_at=NOON)
    store.mark_sent(tell("A-3"), "ok", NOON)
    assert [store.drop(tell(key), "dropped: told by phone", NOON) for key in ("A-1", "A-2", "A-3")] == [
        True,
        True,
        False,
    ]
    assert not store.drop(tell("A-1"), "dropped: again", NOON)
    assert {one.receipt for one in store.deliveries(Fate.DROPPED)} == {"dropped: told by phone"}
    counts = store.counts()
    assert (counts.alerts, counts.dead) == ({"chat": (0, 1)}, {})
    assert store.sent_since(NOON) == [tell("A-3")]
    assert store.send_again([tell("A-1")], NOON) == 0
    assert store.claim("chat", NOON + HOUR, LEASE, 9) == []


def test_deliveries_of_one_fate_come_in_an_order_a_person_reads(store: Store, tell: Tell) -> None:
    for number in range(3):
        at = NOON + number * HOUR
        store.put_alerts([tell(f"A-{fate}-{number}", made_at=at) for fate in ("waits", "sent", "dead")])
        store.put_alerts([tell("A-mail", "mail", made_at=NOON)])
        store.mark_sent(tell(f"A-sent-{number}"), "ok", at)
        store.mark_failed(tell(f"A-dead-{number}"), "403", "the operator", at, dead_at=at)

    def keys(fate: Fate, sink: str | None = "chat", limit: int = 9) -> list[str]:
        return [one.alert.key for one in store.deliveries(fate, sink=sink, limit=limit)]

    assert keys(Fate.WAITING) == ["A-waits-0", "A-waits-1", "A-waits-2"]
    assert keys(Fate.SENT, limit=2) == ["A-sent-2", "A-sent-1"]
    assert keys(Fate.DEAD) == ["A-dead-2", "A-dead-1", "A-dead-0"]
    assert keys(Fate.WAITING, sink=None, limit=2) == ["A-mail", "A-waits-0"]


def test_what_is_critical_and_failed_is_known_at_once(store: Store, tell: Tell) -> None:
    store.put_alerts([tell("A-1", urgency="critical"), tell("A-2", urgency="critical"), tell("A-3")])
    assert store.urgent() == []
    for key in ("A-2", "A-3"):
        store.mark_failed(tell(key), "403", "the operator", NOON + HOUR)
    assert [one.alert.key for one in store.urgent()] == ["A-2"]


def test_a_dead_alert_holds_up_no_news_that_its_case_is_solved(store: Store, tell: Tell) -> None:
    opened, end = tell("A-1", case="C-1"), tell("A-2", case="C-1", kind="solved")
    store.put_alerts([opened, end])
    assert store.claim("chat", NOON, LEASE, 9) == [opened]
    store.mark_failed(opened, "403", "the operator", NOON, dead_at=NOON)
    assert store.claim("chat", NOON, LEASE, 9) == [end]


def test_a_sink_whose_only_alert_is_dead_has_not_heard_of_the_case(store: Store, tell: Tell) -> None:
    both = [tell("A-1", case="C-1"), tell("A-2", "mail", case="C-1")]
    store.put_alerts(both)
    for alert in both:
        store.claim(alert.sink, NOON, LEASE, 1)
    store.mark_failed(both[0], "403", "the operator", NOON, dead_at=NOON)
    store.mark_failed(both[1], "no whole answer", "the operator", NOON, unsure=True, dead_at=NOON)
    assert store.told("C-1", ["chat", "mail"]) == ["mail"]  # that one may have arrived
    store.drop(both[0], "dropped: told by phone", NOON)
    assert store.told("C-1", ["chat", "mail"]) == ["mail"]
    store.put_alerts([tell("A-3", case="C-1")])
    assert store.told("C-1", ["chat", "mail"]) == ["chat", "mail"]


def test_it_is_known_which_sinks_heard_of_a_case(store: Store, tell: Tell) -> None:
    store.put_alerts([tell("A-1", case="C-1"), tell("A-2", case="C-1"), tell("A-3", "mail", case="C-2")])
    assert store.told("C-1", ["mail", "chat"]) == ["chat"]
    assert store.told("C-1", []) == []


def test_what_its_author_deleted_is_in_no_dead_letter_and_goes_out_with_none(
    store: Store, tell: Tell, say: Callable[..., Mention], judge: Callable[..., Analysis], complain: Callable[..., Case]
) -> None:
    store.save("forum", [say()], [{}], [], None, heard_at=NOON)
    store.save_analyses([judge()])
    told = tell(case="C-1", text="My shoes fell apart.", who="ann")
    assert store.write(complain(), judge(), [told])
    store.claim("chat", NOON, LEASE, 1)
    store.mark_failed(told, "403", "the operator", NOON, dead_at=NOON)
    store.note_checked("forum", ["forum:1"], ["forum:1"], at=NOON)
    store.send_again([told], NOON)
    (again,) = store.claim("chat", NOON, LEASE, 1)
    assert (again.text, again.who) == ("(deleted by its author)", None)

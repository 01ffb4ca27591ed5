from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.circuit import Circuit
from pipeline.reply import Reply, reply_key
from storage.store import Store

Make = Callable[..., Any]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def test_a_host_is_remembered_while_it_fails_and_forgotten_once_it_is_well(store: Store) -> None:
    down = Circuit(host="b.test", failures=5, open_until=NOON, why="GET b.test/x: 503")
    shaky = Circuit(host="a.test", failures=1)
    store.keep_circuits([down, shaky])
    assert store.circuits() == [shaky, down]
    worse = down.model_copy(update={"failures": 6, "open_until": NOON + timedelta(minutes=2), "why": "timed out\x00"})
    store.keep_circuits([worse, shaky.model_copy(update={"failures": 0}), Circuit(host="c.test", failures=0)])
    assert store.circuits() == [worse.model_copy(update={"why": "timed out"})]
    store.keep_circuits([])
    assert len(store.circuits()) == 1


def answer(text: str = "Sorry!", at: datetime = NOON) -> Reply:
    return Reply(key=reply_key("forum:1", text), mention_key="forum:1", text=text, ordered_at=at)


def test_the_same_answer_ordered_twice_is_one_with_one_fate(store: Store) -> None:
    assert store.order_reply(answer()) == answer()
    store.mark_reply_failed(answer().key, "GET x.test: 503")
    store.mark_replied(answer().key, "https://x.test/9", NOON + timedelta(hours=1))
    again = store.order_reply(answer(at=NOON + timedelta(days=1)))
    assert (again.ordered_at, again.sent_at) == (NOON, NOON + timedelta(hours=1))
    assert (again.receipt, again.error) == ("https://x.test/9", None)


def test_a_new_try_forgets_how_the_last_ended(store: Store) -> None:
    store.order_reply(answer())
    store.mark_reply_failed(answer().key, "403")
    later = answer(at=NOON + timedelta(hours=1))
    assert store.order_reply(later).error == "403"
    assert store.order_reply(answer(at=NOON + timedelta(hours=2))) == later
    assert store.order_reply(answer(at=NOON + timedelta(hours=3)), again=True) == later
    assert store.replies_to("forum:1") == [answer(at=NOON + timedelta(hours=3))]


def test_with_the_answer_its_case_is_answered_and_pages_end_but_only_once(
    store: Store, say: Make, complain: Make, judge: Make, tell: Make
) -> None:
    store.save("forum", [say("forum:1"), say("forum:2")], [{}, {}], [], None, heard_at=NOON)
    store.save_analyses([judge("forum:1"), judge("forum:2")])
    store.write(complain(mention="forum:1"), judge("forum:1"), [tell("A-1", "pager", case="C-1")])
    store.order_reply(answer())
    store.mark_replied(answer().key, "9", NOON, settling=["pager", "mail"])
    case = store.case("C-1")
    assert case is not None
    assert case.answered_at == NOON
    assert [one.alert.kind for one in store.alerts_of("C-1")] == ["case", "solved"]
    back = case.model_copy(update={"answered_at": None})
    assert store.write(back, judge("forum:2"), [], was=case)
    store.mark_replied(answer().key, "9", NOON + timedelta(hours=1), settling=["pager"])
    assert store.case("C-1") == back


def test_what_is_out_stays_out_whatever_is_said_later(store: Store) -> None:
    store.order_reply(answer())
    store.mark_replied(answer().key, "9", NOON)
    store.mark_reply_failed(answer().key, "late")
    store.mark_replied(answer().key, "10", NOON + timedelta(1))
    assert [(one.receipt, one.error) for one in store.replies_to("forum:1")] == [("9", None)]


def test_the_answers_to_a_mention_come_oldest_first(store: Store) -> None:
    later, first = answer("Any news?", NOON + timedelta(hours=1)), answer("So\ud800rry!")
    store.order_reply(later)
    store.order_reply(first)
    assert [one.text for one in store.replies_to("forum:1")] == ["So\ufffdrry!", "Any news?"]
    assert store.replies_to("forum:2") == []

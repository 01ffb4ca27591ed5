from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, get_ident
from time import sleep
from types import SimpleNamespace

import pytest
from sqlalchemy import event, inspect, select, update

from pipeline.analysis import Analysis
from pipeline.case import Case, CaseState
from pipeline.correction import Question, corrections
from pipeline.mention import Mention
from pipeline.reply import Reply, reply_key
from pipeline.route import Alert, alert_key
from storage.store import Store
from storage.tables import METADATA

Say = Callable[..., Mention]
Judge = Callable[..., Analysis]
Complain = Callable[..., Case]
Tell = Callable[..., Alert]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
SECRET = "zebra"
"""A word that only the deleted mention says."""


def hear(store: Store, *mentions: Mention, at: datetime = NOON) -> int:
    return store.save("forum", mentions, [{"text": one.text} for one in mentions], [], None, heard_at=at).new


def delete(store: Store, *keys: str, settling: tuple[str, ...] = ()) -> None:
    store.save("forum", [], [], [], "9", heard_at=LATER, gone=keys, settling=settling)


def everything(store: Store) -> str:
    """All that is in the database, as one text."""
    with store._read() as connection:  # noqa: SLF001 - looks behind the store
        tables = [METADATA.tables[name] for name in inspect(connection).get_table_names() if name in METADATA.tables]
        return "\n".join(str(row) for table in tables for row in connection.execute(select(table)))


@pytest.fixture
def told(store: Store, say: Say, judge: Judge, complain: Complain, tell: Tell) -> Store:
    """A complaint that was judged, corrected, opened as a case, told to two sinks and answered."""
    mention = say(text=f"My {SECRET} shoes fell apart.", title=SECRET, author=SECRET, url=f"https://x.test/{SECRET}")
    hear(store, mention, say("forum:2", text="Mine too.", said_at=NOON + timedelta(hours=1)))
    store.save_analyses([judge(), judge("forum:2")])
    store.correct(corrections(judge(), [], {Question.LANE: "experience"}, by="Ann", at=NOON))
    store.save("forum", [], [], [strange("1")], None, heard_at=NOON)
    store.save_analyses([judge()])
    quoting = {"case": "C-1", "text": f"My {SECRET} shoes", "who": SECRET, "url": f"https://x.test/{SECRET}"}
    alerts = [
        tell(alert_key("C-1", "opened", sink), sink, said_at=NOON, why=[f'because of "{SECRET}"'], **quoting)
        for sink in ("chat", "desk")
    ]
    seen = store.analysis("forum:1")
    assert seen is not None
    assert store.write(complain(author=SECRET, fingerprint=SECRET), seen, alerts)
    store.mark_sent(alerts[0], "ok", NOON)
    answer = Reply(key=reply_key("forum:1", SECRET), mention_key="forum:1", text=f"Dear {SECRET}", ordered_at=NOON)
    store.order_reply(answer)
    assert SECRET in everything(store)
    return store


def strange(place: str) -> SimpleNamespace:
    return SimpleNamespace(item=f'{{"text": "{SECRET}"}}', place=place, reason="no time")


def test_nothing_of_what_was_deleted_is_left_but_what_was_done(told: Store) -> None:
    delete(told, "forum:1", "forum:never-heard")
    assert SECRET not in everything(told)
    assert told.mention("forum:1") is None
    assert told.mention("forum:2") is not None
    assert told.corrections("forum:1") == []
    assert told.cursor("forum") == "9"
    case = told.case("C-1")
    assert case is not None
    assert (case.state, case.closed_at, case.closed_because) == (CaseState.CLOSED, LATER, "deleted by its author")
    sent, waits = sorted(told.alerts_of("C-1"), key=lambda one: one.alert.sink)
    assert (sent.sent_at, sent.receipt, sent.attempts) == (NOON, "ok", 1)
    assert waits.sent_at is None
    for one in (sent, waits):
        assert one.alert.text == "(deleted by its author)"
        assert (one.alert.who, one.alert.url, one.alert.why) == (None, None, [])
        assert one.alert.title == "A complaint"
    assert [alert.text for alert in told.claim("desk", LATER, timedelta(1), 9)] == ["(deleted by its author)"]
    assert [(reply.text, reply.error) for reply in told.replies_to("forum:1")] == [("", "deleted by its author")]


def test_the_file_of_sqlite_holds_no_trace_of_it(tmp_path: Path, say: Say) -> None:
    file = tmp_path / "earful.db"
    with Store(f"sqlite:///{file}") as store:
        store.migrate()
        hear(store, say(text=SECRET * 500), say("forum:2"))
    assert SECRET.encode() in file.read_bytes()
    with Store(f"sqlite:///{file}") as store:
        delete(store, "forum:1")
    assert not (tmp_path / "earful.db-wal").exists()
    assert SECRET.encode() not in file.read_bytes()


def test_a_case_in_which_others_spoke_goes_on_and_keeps_what_they_said(
    told: Store, judge: Judge, complain: Complain, tell: Tell
) -> None:
    case = told.case("C-1")
    assert case is not None
    again = tell("A-again", case="C-1", text="Mine too.", said_at=NOON + timedelta(hours=1))
    assert told.write(case, judge("forum:2"), [again], was=case)
    delete(told, "forum:1")
    left = told.case("C-1")
    assert left is not None
    assert (left.state, left.fingerprint) == (CaseState.OPEN, "")
    texts = {delivery.alert.key: delivery.alert.text for delivery in told.alerts_of("C-1")}
    assert texts.pop("A-again") == "Mine too."
    assert set(texts.values()) == {"(deleted by its author)"}
    delete(told, "forum:2")
    last = told.case("C-1")
    assert last is not None
    assert (last.state, last.author) == (CaseState.CLOSED, None)
    assert complain().key == last.key


def test_a_case_that_was_answered_is_not_closed_for_it(told: Store, judge: Judge, complain: Complain) -> None:
    case = told.case("C-1")
    assert case is not None
    assert told.write(case.model_copy(update={"answered_at": NOON}), judge("forum:2"), [], was=case)
    delete(told, "forum:1", "forum:2")
    left = told.case("C-1")
    assert left is not None
    assert (left.state, left.answered_at, left.author) == (CaseState.OPEN, NOON, None)
    assert complain().author is not None


def test_sinks_that_hold_a_page_of_the_case_hear_that_it_is_over(told: Store) -> None:
    delete(told, "forum:1", settling=("desk", "another"))
    over = [one.alert for one in told.alerts_of("C-1") if one.alert.kind == "solved"]
    assert [(alert.sink, alert.why, alert.text) for alert in over] == [("desk", ["deleted by its author"], "")]
    delete(told, "forum:1", settling=("desk",))
    assert len([one for one in told.alerts_of("C-1") if one.alert.kind == "solved"]) == 1


def test_the_brands_answer_inside_a_review_goes_with_it_and_one_that_stands_by_itself_stays(
    store: Store, say: Say
) -> None:
    inside = say("forum:1/reply", text="Sorry!", parent="forum:1", by_brand=True)
    raws = [{"text": SECRET}, {"text": SECRET}, {"text": "Sorry again!"}]
    alone = say("forum:7", text="Sorry again!", parent="forum:1", by_brand=True)
    store.save("forum", [say(), inside, alone], raws, [], None, heard_at=NOON)
    delete(store, "forum:1")
    assert set(store.mentions(["forum:1", "forum:1/reply", "forum:7"])) == {"forum:7"}
    assert SECRET not in everything(store)


def test_what_is_shown_again_after_it_was_deleted_is_heard_anew(told: Store, say: Say) -> None:
    delete(told, "forum:1")
    assert told.unanalysed("v1", 9) == []
    assert hear(told, say(text="Posted again."), at=LATER) == 1
    assert [mention.text for mention in told.unanalysed("v1", 9)] == ["Posted again."]


def test_an_analysis_or_a_case_step_of_what_was_deleted_meanwhile_is_dropped(
    store: Store, say: Say, judge: Judge, complain: Complain
) -> None:
    hear(store, say())
    store.unanalysed("v1", 9)
    delete(store, "forum:1")
    assert store.save_analyses([judge()]) == 0
    assert not store.write(complain(), judge(), [])
    assert store.counts().cases == 0


def test_a_case_in_which_only_the_brands_own_words_are_left_waits_for_nobody(
    told: Store, say: Say, judge: Judge
) -> None:
    case = told.case("C-1")
    assert case is not None
    hear(told, say("forum:8", parent="forum:1", by_brand=True))
    told.save_analyses([judge("forum:8")])
    assert told.write(case, judge("forum:8"), [], was=case)
    delete(told, "forum:1")
    left = told.case("C-1")
    assert left is not None
    assert (left.state, left.closed_because) == (CaseState.CLOSED, "deleted by its author")
    assert told.mention("forum:8") is not None


def test_of_two_mentions_said_at_one_time_only_the_deleted_ones_alert_loses_its_words(
    told: Store, say: Say, judge: Judge, tell: Tell
) -> None:
    case = told.case("C-1")
    assert case is not None
    hear(told, say("forum:8", text="Mine fell apart on the same day."))
    told.save_analyses([judge("forum:8")])
    again = tell("A-again", case="C-1", text="Mine fell apart on the same day.", said_at=NOON)
    assert told.write(case, judge("forum:8"), [again], was=case)
    delete(told, "forum:1")
    texts = {delivery.alert.key: delivery.alert.text for delivery in told.alerts_of("C-1")}
    assert texts.pop("A-again") == "Mine fell apart on the same day."
    assert set(texts.values()) == {"(deleted by its author)"}


def test_an_alert_made_before_it_was_kept_whom_it_quotes_is_known_by_when_that_was_said(told: Store) -> None:
    with told._write() as connection:  # noqa: SLF001 - as an older Earful left it
        connection.execute(update(METADATA.tables["alert"]).values(mention_key=None))
    delete(told, "forum:1")
    assert SECRET not in everything(told)


def test_what_another_source_heard_is_not_for_this_one_to_delete(told: Store, say: Say) -> None:
    told.save("other", [say("forum:5", source="other")], [{}], [], None, heard_at=NOON)
    answer = Reply(key=reply_key("forum:5", "Sorry!"), mention_key="forum:5", text="Sorry!", ordered_at=NOON)
    told.order_reply(answer)
    page = told.save("forum", [], [], [], None, heard_at=LATER, gone=["forum:5", "forum:2"])
    assert page.gone == 1
    assert told.mention("forum:5") is not None
    assert [reply.text for reply in told.replies_to("forum:5")] == ["Sorry!"]
    assert told.save("other", [], [], [], None, heard_at=LATER, gone=["forum:5"]).gone == 1


def test_a_strange_item_goes_with_its_key_whether_its_place_names_what_it_is_in_or_not(store: Store) -> None:
    strangers = [strange("x.test/1"), strange("2"), strange("12"), strange("x.test/3")]
    for number, one in enumerate(strangers):
        one.item += str(number)
    store.save("forum", [], [], strangers, None, heard_at=NOON)
    delete(store, "forum:x.test/1", "forum:x.test/2")
    assert {one.place for one in store.rejected()} == {"12", "x.test/3"}


def test_one_who_deletes_and_one_who_writes_of_the_same_mention_wait_for_each_other(
    told: Store, judge: Judge, complain: Complain
) -> None:
    """The one stops where it has locked the mention, until the other is at its first statement."""
    locked, begun = Event(), Event()

    def slow(*said: object) -> None:
        if "mention.source" in str(said[2]) and get_ident() == deleting[0] and not locked.is_set():
            locked.set()
            begun.wait(5)
            sleep(0.3)

    def started(*_: object) -> None:
        if get_ident() != deleting[0]:
            begun.set()

    deleting: list[int] = []

    def deletes() -> None:
        deleting.append(get_ident())
        delete(told, "forum:2")

    engine = told._engine  # noqa: SLF001 - to see where it is
    event.listen(engine, "after_cursor_execute", slow)
    event.listen(engine, "before_cursor_execute", started)
    with ThreadPoolExecutor(1) as pool:
        gone = pool.submit(deletes)
        assert locked.wait(5)
        written = told.write(complain("C-2", "forum:2"), judge("forum:2"), [])
        gone.result()
    assert not written
    assert told.case("C-2") is None
    assert told.mention("forum:2") is None


def test_a_page_that_cannot_be_saved_deletes_nothing(store: Store, say: Say) -> None:
    hear(store, say())
    unstorable = say("forum:2").model_copy(update={"author_reach": 2**70})
    with pytest.raises(Exception, match=r"too large|out of range"):
        store.save("forum", [unstorable], [{}], [], "9", heard_at=LATER, gone=["forum:1"])
    assert store.mention("forum:1") is not None


def test_more_than_one_statement_can_hold_is_deleted_whole(store: Store, say: Say) -> None:
    many = [say(f"forum:{number}") for number in range(2500)]
    hear(store, *many)
    delete(store, *(mention.key for mention in many))
    assert store.counts().mentions == 0

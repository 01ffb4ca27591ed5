from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pipeline.analysis import Analysis
from pipeline.mention import Mention
from storage.store import Store

Say = Callable[..., Mention]
Judge = Callable[..., Analysis]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def hear(store: Store, *mentions: Mention) -> None:
    store.save("forum", mentions, [{}] * len(mentions), [], None, heard_at=NOON)


def hours(say: Say, number: int) -> list[Mention]:
    return [say(f"forum:{hour}", said_at=NOON + timedelta(hours=hour)) for hour in range(number)]


def keys(mentions: list[Mention]) -> list[str]:
    return [mention.key for mention in mentions]


def test_what_is_to_be_judged_comes_oldest_first_and_then_nothing_is_left(store: Store, say: Say, judge: Judge) -> None:
    hear(store, *reversed(hours(say, 3)))
    assert keys(store.unanalysed("v1", 2)) == ["forum:0", "forum:1"]
    assert store.save_analyses([judge("forum:1"), judge("forum:0")]) == 2
    assert keys(store.unanalysed("v1", 2)) == ["forum:2"]
    store.save_analyses([judge("forum:2")])
    assert store.unanalysed("v1", 2) == []


def test_a_new_version_judges_the_past_again_after_what_was_never_judged(store: Store, say: Say, judge: Judge) -> None:
    hear(store, *hours(say, 4))
    store.save_analyses([judge("forum:0", "v1"), judge("forum:1", "v3"), judge("forum:2", "v2")])
    assert keys(store.unanalysed("v2", 9)) == ["forum:3", "forum:0", "forum:1"]
    assert keys(store.unanalysed("v2", 2)) == ["forum:3", "forum:0"]
    assert keys(store.unanalysed("v2", 9, past=False)) == ["forum:3"]
    assert (store.behind("v2"), store.behind("v3")) == (2, 2)
    store.save_analyses([judge(f"forum:{number}", "v2") for number in range(4)])
    assert store.unanalysed("v2", 9) == []
    assert store.counts().by_lane == {"service": 4}


def test_of_the_past_what_was_said_last_is_judged_again_first_for_it_may_open_a_case(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, *hours(say, 3))
    store.save_analyses([judge(f"forum:{number}") for number in range(3)])
    assert keys(store.unanalysed("v2", 9)) == ["forum:2", "forum:1", "forum:0"]


def test_the_judgement_of_words_that_were_edited_meanwhile_is_not_kept(store: Store, say: Say, judge: Judge) -> None:
    hear(store, *hours(say, 2))
    given = store.unanalysed("v1", 9)
    hear(store, say("forum:0", text="It was mended."))
    assert store.save_analyses([judge(mention.key) for mention in given]) == 1
    assert keys(store.unanalysed("v1", 9)) == ["forum:0"]
    assert store.save_analyses([judge("forum:0")]) == 1


def test_the_judgement_of_a_mention_nobody_heard_is_dropped(store: Store, judge: Judge) -> None:
    assert store.save_analyses([judge("forum:none")]) == 0
    assert store.analysis("forum:none") is None


def test_the_same_judgement_made_twice_is_handled_once_and_a_new_one_again(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say())
    store.save_analyses([judge()])
    store.mark_handled([judge()])
    store.save_analyses([judge()])
    assert store.unhandled(NOON, 9) == []
    store.save_analyses([judge(version="v2")])
    assert store.unhandled(NOON, 9) == [(say(), judge(version="v2"))]


def test_a_report_reads_what_was_said_from_its_start_to_before_its_end_in_order(
    store: Store, say: Say, judge: Judge
) -> None:
    mentions = [say(f"forum:{n}", said_at=NOON + timedelta(minutes=n // 2), brand="ab"[n % 2]) for n in range(1200)]
    hear(store, *mentions)
    store.save_analyses([judge(mention.key) for mention in mentions[:-2]])
    start, end = NOON + timedelta(minutes=10), NOON + timedelta(minutes=590)

    read = [mention.key for mention, analysis in store.judged(start, end) if analysis.mention_key == mention.key]

    assert len(read) == len(set(read)) == 1160
    assert set(read) == {f"forum:{n}" for n in range(20, 1180)}
    times = [mention.said_at for mention, _ in store.judged(start, end)]
    assert times == sorted(times)
    assert {mention.brand for mention, _ in store.judged(start, end, "a")} == {"a"}
    assert store.unjudged(start, end) == 0
    assert store.unjudged(start, NOON + timedelta(days=1)) == 2
    assert store.unjudged(start, NOON + timedelta(days=1), "b") == 1


def test_a_reader_of_a_report_may_write_meanwhile(store: Store, say: Say, judge: Judge) -> None:
    hear(store, *hours(say, 3))
    store.save_analyses([judge(f"forum:{number}") for number in range(3)])
    for mention, _ in store.judged(NOON, NOON + timedelta(days=1)):
        hear(store, say(mention.key, likes=1))
    assert {mention.likes for mention in store.mentions(["forum:0", "forum:1", "forum:2"]).values()} == {1}

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.analysis import Analysis
from pipeline.mention import Mention
from storage.store import Store

Say = Callable[..., Mention]
Judge = Callable[..., Analysis]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR, LEASE = timedelta(hours=1), timedelta(minutes=5)


def hear(store: Store, say: Say, number: int) -> None:
    said = [say(f"forum:{hour}", said_at=NOON + hour * HOUR) for hour in range(number)]
    store.save("forum", said, [{}] * number, [], None, heard_at=NOON)


def taken(store: Store, judge: str, limit: int = 9, *, version: str = "v1", now: datetime = NOON) -> set[str]:
    return {mention.key for mention in store.take(judge, version, limit, now=now, lease=LEASE)}


def test_two_judges_are_never_given_the_same_mention(store: Store, say: Say) -> None:
    hear(store, say, 5)
    assert taken(store, "ann", 2) == {"forum:0", "forum:1"}
    assert taken(store, "bob", 2) == {"forum:2", "forum:3"}
    assert taken(store, "eve") == {"forum:4"}
    assert taken(store, "joe") == set()


def test_taking_again_and_giving_back_frees_what_a_judge_had(store: Store, say: Say) -> None:
    hear(store, say, 4)
    assert taken(store, "ann", 2) == taken(store, "ann", 2) == {"forum:0", "forum:1"}
    store.give_back("ann")
    with store.judge() as bob:
        assert taken(store, bob) == {"forum:0", "forum:1", "forum:2", "forum:3"}
    assert len(taken(store, "eve")) == 4


def test_what_a_dead_judge_had_is_given_out_when_its_lease_is_over(store: Store, say: Say) -> None:
    hear(store, say, 2)
    taken(store, "dead")
    assert taken(store, "ann", now=NOON + LEASE - timedelta(seconds=1)) == set()
    assert len(taken(store, "ann", now=NOON + LEASE)) == 2


def test_a_clock_that_is_set_back_holds_nothing_up_for_long(store: Store, say: Say) -> None:
    hear(store, say, 2)
    taken(store, "ahead", now=NOON + HOUR)
    assert len(taken(store, "ann", now=NOON)) == 2


def test_the_past_is_given_out_once_as_well_after_what_was_never_judged(store: Store, say: Say, judge: Judge) -> None:
    hear(store, say, 4)
    store.save_analyses([judge(f"forum:{number}", "v1") for number in range(3)])
    assert taken(store, "ann", 2, version="v2") == {"forum:3", "forum:2"}
    assert taken(store, "bob", 2, version="v2") == {"forum:1", "forum:0"}


def test_the_judgement_of_words_edited_while_they_were_in_hand_is_not_kept(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say, 2)
    assert len(taken(store, "ann")) == 2
    store.save("forum", [say("forum:0", text="It was mended.")], [{}], [], None, heard_at=NOON)
    assert store.save_analyses([judge("forum:0"), judge("forum:1")]) == 1
    assert taken(store, "ann") == {"forum:0"}


def test_stretches_hold_what_this_version_has_not_judged_each_once_said_last_first(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say, 7)
    store.save_analyses([judge("forum:1", "v2"), judge("forum:2", "v1"), judge("forum:3", "v3")])
    stretches = store.stretches(NOON, NOON + 6 * HOUR, 2, "v2")
    parts = [
        {mention.key for mention in store.take_stretch(str(number), stretch, "v2", 9, now=NOON, lease=LEASE)}
        for number, stretch in enumerate(stretches)
    ]
    assert parts == [{"forum:5"}, {"forum:3", "forum:4"}, {"forum:0", "forum:2"}]
    assert len(store.stretches(NOON, NOON + 6 * HOUR, 2, None)) == 3
    assert store.stretches(NOON + 9 * HOUR, NOON + 99 * HOUR, 2, None) == []


def test_of_many_said_at_one_moment_each_is_in_one_stretch(store: Store, say: Say) -> None:
    said = [say(f"forum:{number}", said_at=NOON) for number in range(10)]
    store.save("forum", said, [{}] * 10, [], None, heard_at=NOON)
    stretches = store.stretches(NOON, NOON + HOUR, 3, "v1")
    parts = [store.take_stretch(str(n), one, "v1", 9, now=NOON, lease=LEASE) for n, one in enumerate(stretches)]
    paged = [sorted(mention.key for page in store.pages(one, 2) for mention in page) for one in stretches]
    assert paged == [sorted(mention.key for mention in part) for part in parts]
    assert sorted(map(len, parts)) == [1, 3, 3, 3]
    assert len({mention.key for part in parts for mention in part}) == 10


def test_a_stretch_given_to_the_same_judge_again_is_the_same(store: Store, say: Say) -> None:
    hear(store, say, 3)
    (stretch,) = store.stretches(NOON, NOON + 9 * HOUR, 9, "v1")
    once, again = (store.take_stretch("ann", stretch, "v1", 9, now=NOON, lease=LEASE) for _ in range(2))
    assert sorted(once, key=str) == sorted(again, key=str)
    assert store.take_stretch("bob", stretch, "v1", 9, now=NOON, lease=LEASE) == []


def test_however_much_is_said_in_a_stretch_later_it_is_given_out_in_small_parts(
    store: Store, say: Say, judge: Judge
) -> None:
    hear(store, say, 2)
    (stretch,) = store.stretches(NOON, NOON + 9 * HOUR, 2, "v1")
    hear(store, say, 7)
    assert [[mention.key for mention in page] for page in store.pages(stretch, 3)] == [
        ["forum:0", "forum:1", "forum:2"], ["forum:3", "forum:4", "forum:5"], ["forum:6"],
    ]  # fmt: skip
    sizes = []
    while some := store.take_stretch("ann", stretch, "v1", 3, now=NOON, lease=LEASE):
        sizes.append(store.save_analyses([judge(mention.key) for mention in some]))
    assert sizes == [3, 3, 1]


def test_who_says_that_it_still_judges_keeps_what_it_has_in_hand(store: Store, say: Say) -> None:
    hear(store, say, 2)
    taken(store, "ann", 1)
    taken(store, "bob", 1)
    store.keep_in_hand("ann", now=NOON + LEASE, lease=LEASE)
    assert taken(store, "eve", now=NOON + 2 * LEASE - timedelta(seconds=1)) == {"forum:1"}
    assert taken(store, "joe", now=NOON + 2 * LEASE) == {"forum:0"}


def test_a_batch_that_is_deleted_before_it_is_read_does_not_end_the_judging(
    store: Store, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear(store, say, 3)
    claim = Store._claim  # noqa: SLF001 - what lies between it and the reading is no door

    def deleting(self: Store, *told: object) -> int:
        found = claim(self, *told)  # type: ignore[arg-type]
        if self.mention("forum:0"):
            self.note_checked("forum", ["forum:0"], ["forum:0"], at=NOON)
        return found

    monkeypatch.setattr(Store, "_claim", deleting)
    assert taken(store, "ann", 1) == {"forum:1"}

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pipeline.mention import Mention
from pipeline.visit import Visit
from storage.store import Store

Say = Callable[..., Mention]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)


def hear(store: Store, *mentions: Mention, at: datetime = NOON) -> None:
    store.save("forum", mentions, [{}] * len(mentions), [], None, heard_at=at)


def test_mentions_are_checked_the_longest_unchecked_first_while_they_are_young(store: Store, say: Say) -> None:
    for day in range(5):
        hear(store, say(f"forum:{day}"), at=NOON + timedelta(days=day))
    hear(store, say("forum:0/reply", parent="forum:0", by_brand=True), at=NOON)
    store.save("other", [say("other:1", source="other")], [{}], [], None, heard_at=NOON)

    def due(day: int, limit: int = 9) -> list[str]:
        since, before = NOON + timedelta(days=1), NOON + timedelta(days=day)
        return store.unchecked("forum", heard_since=since, checked_before=before, limit=limit)

    assert due(9) == ["forum:1", "forum:2", "forum:3", "forum:4"]
    assert due(9, 2) == ["forum:1", "forum:2"]
    assert due(3) == ["forum:1", "forum:2"]
    store.note_checked("forum", ["forum:1"], [], at=NOON + timedelta(days=8))
    assert due(9) == ["forum:2", "forum:3", "forum:4", "forum:1"]
    assert due(8) == ["forum:2", "forum:3", "forum:4"]


def test_what_a_check_finds_deleted_is_counted_with_the_last_visit(store: Store, say: Say) -> None:
    hear(store, say(), say("forum:2"))
    for hour in range(2):
        start = NOON + timedelta(hours=hour)
        store.note_visit(Visit(source="forum", started_at=start, ended_at=start, gone=1))
    assert store.note_checked("forum", ["forum:1", "forum:2"], ["forum:2", "forum:3"], at=LATER) == 1
    assert [visit.gone for visit in store.visits(NOON)] == [1, 2]
    assert store.last_visits()["forum"].gone == 3
    assert store.mention("forum:2") is None
    assert store.unchecked("forum", heard_since=NOON, checked_before=LATER, limit=9) == []


def test_what_was_missed_with_too_many_others_is_known_until_it_is_found_or_deleted(store: Store, say: Say) -> None:
    hear(store, say(), say("forum:2"))
    store.note_missed(["forum:1", "forum:2"], at=NOON, again_after=NOON + timedelta(hours=1))
    store.note_missed(["forum:1"], at=LATER, again_after=LATER)
    assert store.missed(["forum:1", "forum:2", "forum:3"], NOON) == {"forum:1", "forum:2"}
    assert store.missed(["forum:1"], NOON - timedelta(hours=1)) == set()
    due = {"heard_since": NOON, "limit": 9}
    assert store.unchecked("forum", checked_before=NOON + timedelta(hours=1), **due) == []
    store.note_checked("forum", ["forum:2"], [], at=LATER)
    assert store.missed(["forum:1", "forum:2"], LATER) == {"forum:1"}

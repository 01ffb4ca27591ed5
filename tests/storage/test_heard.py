from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from pipeline.analysis import Analysis
from pipeline.mention import Mention
from pipeline.visit import Visit
from storage.heard import Strange
from storage.store import Store

Say = Callable[..., Mention]
Judge = Callable[..., Analysis]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def hear(store: Store, *mentions: Mention, cursor: str | None = None, at: datetime = NOON) -> int:
    raws = [{"id": mention.key, "text": mention.text} for mention in mentions]
    return store.save("forum", mentions, raws, [], cursor, heard_at=at).new


def strange(item: str, place: str = "line 7") -> Strange:
    return SimpleNamespace(item=item, place=place, reason="the field 'text' is missing")


def test_the_same_page_twice_is_the_page_once(store: Store, say: Say) -> None:
    page = [say("forum:1"), say("forum:2")]
    assert hear(store, *page, cursor="2") == 2
    assert hear(store, *page, cursor="2") == 0
    assert store.counts().mentions == 2
    assert store.cursor("forum") == "2"


def test_of_one_key_twice_in_a_page_the_last_counts(store: Store, say: Say) -> None:
    assert hear(store, say(text="first"), say(text="last")) == 1
    assert store.mentions(["forum:1", "forum:none"]) == {"forum:1": say(text="last")}
    assert store.raw("forum:1") == {"id": "forum:1", "text": "last"}


def test_more_than_one_statement_can_hold_is_saved_whole(store: Store, say: Say) -> None:
    many = [say(f"forum:{number}") for number in range(2500)]
    assert hear(store, *many) == 2500
    assert hear(store, *many, say("forum:new")) == 1
    assert len(store.mentions(mention.key for mention in many)) == 2500


def test_an_empty_page_moves_the_cursor_and_one_without_a_cursor_does_not(store: Store, say: Say) -> None:
    assert store.cursor("forum") is None
    assert hear(store, cursor="a") == 0
    hear(store, say(), cursor=None)
    assert store.cursor("forum") == "a"
    assert store.cursor("another") is None


def test_a_page_that_cannot_be_saved_leaves_nothing_behind(store: Store, say: Say) -> None:
    unstorable = say("forum:2").model_copy(update={"author_reach": 2**70})
    with pytest.raises(Exception, match=r"too large|out of range"):
        store.save("forum", [say(), unstorable], [{}, {}], [strange("{}")], "9", heard_at=NOON)
    assert store.cursor("forum") is None
    assert store.counts().mentions == 0
    assert store.rejected() == []


@pytest.mark.parametrize(
    "change", [{"text": "They were replaced."}, {"title": "Solved"}, {"rating": 5.0}, {"rating_max": 10.0}]
)
def test_an_edit_replaces_the_words_and_drops_the_analysis(
    store: Store, say: Say, judge: Judge, change: dict[str, object]
) -> None:
    hear(store, say(rating=1.0))
    store.save_analyses([judge()])
    store.mark_handled([judge()])
    assert store.unanalysed("v1", 9) == []

    later = say(**({"rating": 1.0, "edited_at": NOON + timedelta(hours=1), "url": "https://x.test/1"} | change))
    assert hear(store, later) == 0

    assert store.mention("forum:1") == later
    assert store.analysis("forum:1") is None
    assert store.raw("forum:1") == {"id": "forum:1", "text": later.text}
    assert store.unanalysed("v1", 9) == [later]
    store.save_analyses([judge()])
    assert [mention.key for mention, _ in store.unhandled(NOON, 9)] == ["forum:1"]


def test_an_older_wording_heard_late_changes_nothing(store: Store, say: Say) -> None:
    newest = say(text="new", edited_at=NOON + timedelta(hours=2))
    hear(store, newest)
    hear(store, say(text="old", edited_at=NOON + timedelta(hours=1)))
    assert store.mention("forum:1") == newest


def test_counts_are_refreshed_without_another_judgement(store: Store, say: Say, judge: Judge) -> None:
    hear(store, say(likes=1, replies=4))
    store.save_analyses([judge()])
    hear(store, say(likes=7, author_reach=900))
    assert store.mention("forum:1") == say(likes=7, replies=4, author_reach=900)
    assert store.analysis("forum:1") == judge()


def test_when_it_was_said_and_first_heard_never_changes(store: Store, say: Say) -> None:
    hear(store, say())
    moved = say(said_at=NOON + timedelta(days=1), text="edited")
    hear(store, moved, at=NOON + timedelta(days=2))
    known = store.mention("forum:1")
    assert known is not None
    assert (known.text, known.said_at) == ("edited", NOON)


def test_an_item_nobody_could_read_is_kept_once_with_its_reason(store: Store) -> None:
    for at in (NOON, NOON + timedelta(hours=1)):
        store.save("forum", [], [], [strange('{"a": 1}'), strange("\x00\ud800", "\x00")], None, heard_at=at)
    store.save("another", [], [], [strange('{"a": 1}')], None, heard_at=NOON - timedelta(days=1))
    kept = store.rejected(NOON)
    assert sorted((one.item, one.place, one.heard_at) for one in kept) == [
        ('{"a": 1}', "line 7", NOON),
        ("\ufffd", "", NOON),
    ]
    assert {one.reason for one in kept} == {"the field 'text' is missing"}
    assert len(store.rejected()) == 3
    assert len(store.rejected(limit=1)) == 1


def test_the_last_visits_say_when_a_source_was_last_well_and_last_had_anything_new(store: Store) -> None:
    def visit(hour: int, new: int = 0, error: str | None = None, source: str = "forum") -> Visit:
        start = NOON + timedelta(hours=hour)
        return Visit(source=source, started_at=start, ended_at=start + timedelta(minutes=1), new=new, error=error)

    for one in (visit(0, new=3), visit(1), visit(2, error="403\x00"), visit(0, source="mail", error="down")):
        store.note_visit(one)

    standing = store.last_visits()
    assert standing["forum"].visit == visit(2, error="403")
    assert standing["forum"].success_at == visit(1).ended_at
    assert standing["forum"].new_at == visit(0).ended_at
    assert (standing["forum"].visits, standing["forum"].new) == (3, 3)
    assert standing["mail"].success_at is standing["mail"].new_at is None
    assert store.visits(NOON + timedelta(hours=1)) == [visit(1), visit(2, error="403")]
    assert store.visits(NOON, NOON + timedelta(hours=1)) == [visit(0, new=3), visit(0, source="mail", error="down")]

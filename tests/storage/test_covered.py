from datetime import UTC, datetime, timedelta

from pipeline.coverage import Coverage, Gap, Walk
from pipeline.visit import Visit
from storage.store import Store

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def page(store: Store, walk: Walk | None, *, cursor: str | None = None, at: datetime = NOON) -> None:
    store.save("forum", [], [], [], cursor, heard_at=at, walk=walk)


def visit(hour: int, error: str | None = None) -> Visit:
    start = NOON + hour * HOUR
    return Visit(source="forum", started_at=start, ended_at=start + timedelta(minutes=1), error=error)


def whole(hour: int, reach: int, *gaps: Gap) -> Walk:
    return Walk(NOON + hour * HOUR, NOON + hour * HOUR, NOON + reach * HOUR, gaps)


def test_coverage_comes_out_as_it_was_told(store: Store) -> None:
    told = [whole(1, 0), whole(4, 3, Gap(NOON + HOUR, NOON + 3 * HOUR, "cap\x00")), whole(6, 4)]
    known = Coverage()
    for one in told:
        known = known.after(one)
        page(store, one)
    found = store.coverage()["forum"]
    assert found.complete == known.complete
    assert [gap.why for gap in found.unheard] == ["cap"]
    assert store.coverage().keys() == {"forum"}
    page(store, Walk(NOON, NOON, None, [Gap(None, NOON - HOUR, "retention")]))
    assert store.coverage()["forum"].unheard[0].start is None


def test_a_page_that_tells_nothing_leaves_the_coverage_as_it_is(store: Store) -> None:
    page(store, None, cursor="1")
    assert store.coverage() == {}
    assert not store.broken_off("forum")


def test_a_failed_visit_leaves_a_gap_that_the_next_good_one_closes(store: Store) -> None:
    store.note_visit(visit(0, "down"))
    assert store.coverage() == {}
    page(store, whole(1, 0))
    store.note_visit(visit(2, "GET x.test: 403"))
    store.note_visit(visit(3, "GET x.test: 500"))
    gap = store.coverage()["forum"].unheard
    assert [(one.start, one.end, one.why) for one in gap] == [(NOON + HOUR, NOON + 3 * HOUR, "GET x.test: 500")]
    page(store, whole(4, 1))
    store.note_visit(visit(4))
    assert store.coverage()["forum"].unheard == ()
    assert len(store.coverage()["forum"].complete) == 1


def test_a_walk_broke_off_if_it_moved_the_place_and_never_came_to_its_end(store: Store) -> None:
    page(store, whole(0, 0), cursor="1", at=NOON)
    assert store.broken_off("forum") == NOON
    page(store, Walk(NOON + HOUR, NOON + HOUR), cursor="2", at=NOON + HOUR)
    assert store.broken_off("forum") == NOON + HOUR
    page(store, Walk(NOON + 2 * HOUR, NOON + 2 * HOUR), at=NOON + 2 * HOUR)
    assert store.broken_off("forum") == NOON + HOUR
    store.end_walk("forum")
    assert store.broken_off("forum") is None
    page(store, None, cursor="3")  # of no walk
    assert store.broken_off("forum") is None
    assert store.broken_off("another") is None
    assert store.cursor("forum") == "3"


def test_it_stays_known_why_nobody_can_look_up_what_was_deleted_until_it_can_be(store: Store) -> None:
    store.note_look_up("forum", "down", NOON)  # of a source never visited there is nothing to say
    store.note_visit(visit(0))
    store.note_look_up("forum", "down", NOON)
    store.note_visit(visit(1))
    store.note_look_up("forum", "still down\x00", NOON + HOUR)
    store.note_visit(visit(2))
    last = store.last_visits()["forum"].visit
    assert (last.unchecked, last.unchecked_at) == ("still down", NOON)
    store.note_look_up("forum", None, NOON + 2 * HOUR)
    store.note_visit(visit(3))
    last = store.last_visits()["forum"].visit
    assert (last.unchecked, last.unchecked_at) == (None, None)


def test_of_a_source_that_is_asked_otherwise_nothing_is_claimed(store: Store) -> None:
    page(store, whole(1, 0))
    store.forget_coverage("forum")
    assert store.coverage() == {}


def test_old_visits_are_forgotten_but_not_when_a_source_was_last_well_and_had_anything_new(store: Store) -> None:
    def note(source: str, hour: int, *, new: int = 0, error: str | None = None) -> None:
        start = NOON + hour * HOUR
        store.note_visit(Visit(source=source, started_at=start, ended_at=start, new=new, error=error))

    for hour in range(3):
        note("forum", hour, new=1)
    note("forum", 3)
    note("forum", 4)
    note("forum", 5, error="down")
    note("forum", 6, error="down")
    note("quiet", 0, new=5)
    note("removed", 1)
    before = store.last_visits()
    assert store.prune_visits(NOON + 6 * HOUR) == 4
    after = store.last_visits()
    for source in ("forum", "quiet", "removed"):
        for fact in ("visit", "success_at", "new_at"):
            assert getattr(after[source], fact) == getattr(before[source], fact)
    assert [one.started_at for one in store.visits(NOON) if one.source == "forum"] == [
        NOON + 2 * HOUR,
        NOON + 4 * HOUR,
        NOON + 6 * HOUR,
    ]
    assert store.prune_visits(NOON + 6 * HOUR) == 0

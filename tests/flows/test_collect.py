"""One source's walk, its place, its gaps and its deletions, with a source made for it and a store of its own."""

from datetime import date, datetime

import pytest

from connectors.contract import Page
from flows.collect import bring_home, go_back
from flows.setup import Setup
from pipeline.coverage import Gap
from pipeline.errors import RefusedError, TemporaryError
from pipeline.mention import Mention
from pipeline.visit import Visit
from storage.store import Store
from tests.flows.one_source import HOUR, NOON, Clock, Town, say


def gaps(setup: Setup) -> list[tuple[datetime | None, datetime, str]]:
    with setup.store() as store:
        return [(gap.start, gap.end, gap.why) for gap in store.coverage()["town"].unheard]


def test_a_gap_told_on_any_page_is_one_of_the_whole_walk(setup: Setup, source: Town, clock: Clock) -> None:
    say(
        Page([{"id": 1}], gaps=[Gap(NOON - 2 * HOUR, NOON - HOUR, "cap")]),
        Page([{"id": 2}], cursor="2", reach=NOON - 9 * HOUR),
    )
    assert bring_home(setup, source).new == 2
    assert gaps(setup) == [(NOON - 2 * HOUR, NOON - HOUR, "cap")]
    clock.tick()
    say(Page([], cursor="3", reach=NOON - 3 * HOUR))
    bring_home(setup, source)
    assert gaps(setup) == []
    with setup.store() as store:
        assert store.coverage()["town"].since == NOON - 9 * HOUR
    assert [since for since, _ in Town.walks] == [None, "2"]


def test_what_a_walk_read_before_it_broke_off_is_no_gap_once_the_next_has_gone_on(
    setup: Setup, source: Town, clock: Clock
) -> None:
    say(Page([], cursor="1", reach=NOON - HOUR))
    bring_home(setup, source)
    clock.tick(8)
    say(Page([{"id": 1}], cursor="2"), TemporaryError("GET town.test: 503"))
    with pytest.raises(TemporaryError):
        bring_home(setup, source)
    assert gaps(setup) == [(NOON, NOON + 8 * HOUR, "GET town.test: 503")]
    clock.tick()
    say(Page([{"id": 2}], cursor="3", reach=NOON + 6 * HOUR))
    bring_home(setup, source)
    assert gaps(setup) == []
    clock.tick(8)
    say(Page([], cursor="4", reach=clock.now - HOUR))  # nothing broke off: what it does not reach, nobody read
    bring_home(setup, source)
    assert [gap[:2] for gap in gaps(setup)] == [(NOON + 9 * HOUR, NOON + 16 * HOUR)]


def test_what_a_page_left_out_stays_a_gap_though_the_next_walk_goes_on(
    setup: Setup, source: Town, clock: Clock
) -> None:
    say(Page([], cursor="1", reach=NOON - HOUR))
    bring_home(setup, source)
    clock.tick(8)
    left_out = Gap(NOON + 2 * HOUR, NOON + 3 * HOUR, "cap")
    say(Page([{"id": 1}], cursor="2", gaps=[left_out]), TemporaryError("GET town.test: 503"))
    with pytest.raises(TemporaryError):
        bring_home(setup, source)
    clock.tick()
    say(Page([{"id": 2}], cursor="3", reach=NOON + 6 * HOUR))
    bring_home(setup, source)
    assert gaps(setup) == [(left_out.start, left_out.end, "cap")]


def test_a_walk_that_came_to_its_end_is_gone_on_from_by_none_whatever_it_told(
    setup: Setup, source: Town, clock: Clock
) -> None:
    say(Page([], cursor="1", reach=NOON - HOUR))
    bring_home(setup, source)
    for cursor, page in (("2", Page([])), ("3", Page([], gaps=[Gap(None, NOON + 2 * HOUR, "taken away")]))):
        clock.tick()
        say(Page([{"id": cursor}], cursor=cursor, gaps=page.gaps))
        bring_home(setup, source)
    clock.tick()
    say(Page([], cursor="4", reach=NOON + 2 * HOUR))
    bring_home(setup, source)
    assert gaps(setup) == [(NOON, NOON + 2 * HOUR, "taken away")]


def test_of_a_source_that_is_asked_something_else_nothing_is_claimed_from_before(
    setup: Setup, source: Town, clock: Clock
) -> None:
    say(Page([], cursor="1", reach=NOON - 9 * HOUR))
    bring_home(setup, source)
    clock.tick()
    say(Page([], cursor="1", reach=NOON))
    bring_home(setup, source.model_copy(update={"phrase": "hike shoes"}))
    with setup.store() as store:
        assert store.coverage()["town"].since == NOON


def test_going_back_to_a_day_leaves_the_place_and_closes_gaps(setup: Setup, source: Town, clock: Clock) -> None:
    say(Page([], cursor="1", reach=NOON - HOUR))
    bring_home(setup, source)
    clock.tick()
    say(Page([{"id": 7}], cursor="2", reach=NOON - 99 * HOUR))
    visit, walk = go_back(setup, source, date(2026, 3, 10))
    assert (visit.new, walk.reach, walk.gaps) == (1, NOON - 99 * HOUR, ())
    say(Page([], cursor="3", reach=NOON))
    bring_home(setup, source)
    assert Town.walks == [(None, None), (None, date(2026, 3, 10)), ("1", None)]
    with setup.store() as store:
        assert store.coverage()["town"].since == NOON - 99 * HOUR
        assert len(store.visits(NOON)) == 2  # going back is no sign of how the source is heard today


def test_what_a_source_shows_as_deleted_is_deleted_with_the_page_and_counted(
    setup: Setup, source: Town, clock: Clock
) -> None:
    say(Page([{"id": 1}, {"id": 2}], cursor="1"))
    bring_home(setup, source)
    clock.tick()
    with setup.store() as store:
        other = Mention(key="other:1", source="town", kind="post", text="?", said_at=NOON)
        store.save("town", [other], [{}], [], None, heard_at=NOON)
    say(Page([{"id": 3}], cursor="2", gone=["town:1", "town:never", "other:1"]))
    assert bring_home(setup, source).gone == 1
    with setup.store() as store:
        assert set(store.mentions(["town:1", "town:2", "town:3", "other:1"])) == {"town:2", "town:3", "other:1"}
        assert [visit.gone for visit in store.visits(NOON)] == [0, 1]


def test_a_visit_that_cannot_be_noted_hides_nothing_that_the_source_said(
    setup: Setup, source: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Store, __: Visit) -> None:
        raise TemporaryError("the database did not answer")

    monkeypatch.setattr(Store, "note_visit", broken)
    say(RefusedError("GET town.test: 403; the operator must act"))
    with pytest.raises(RefusedError, match="403"):
        bring_home(setup, source)
    assert "town: the visit is not noted: TemporaryError" in caplog.text
    say(Page([], cursor="1"))
    with pytest.raises(TemporaryError, match="database"):
        bring_home(setup, source)

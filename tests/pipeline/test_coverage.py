from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.coverage import MOST, UNASKED, Coverage, Gap, Stretch, Unheard, Walk

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour: float) -> datetime:
    return NOON + hour * HOUR


def walk(
    began: float,
    reach: float | None = None,
    gaps: Sequence[tuple[float | None, float]] = (),
    *,
    resumed: float | None = None,
    back: bool = False,
) -> Walk:
    """A walk that tells what it read half a minute after it began."""
    told = [Gap(None if start is None else at(start), at(end), "cap") for start, end in gaps]
    ended = at(began) + timedelta(seconds=30)
    since = None if resumed is None else at(resumed)
    return Walk(at(began), ended, None if reach is None else at(reach), told, since, back)


def known(*walks: Walk) -> Coverage:
    coverage = Coverage()
    for one in walks:
        coverage = coverage.after(one)
    return coverage


def heard(coverage: Coverage) -> list[tuple[float, float]]:
    return [((one.start - NOON) / HOUR, (one.end - NOON) / HOUR) for one in coverage.complete]


def unheard(coverage: Coverage) -> list[tuple[float | None, float, str]]:
    return [
        (None if one.start is None else (one.start - NOON) / HOUR, (one.end - NOON) / HOUR, one.why)
        for one in coverage.unheard
    ]


def test_walks_that_overlap_are_one_stretch() -> None:
    coverage = known(walk(2, reach=0), walk(4, reach=1.5), walk(6, reach=4))
    assert heard(coverage) == [(0, 6)]
    assert coverage.unheard == ()
    assert coverage.since == at(0)


def test_a_walk_that_tells_no_reach_claims_nothing() -> None:
    assert known(walk(2)) == Coverage()
    assert heard(known(walk(2, reach=0), walk(4))) == [(0, 2)]


def test_time_that_no_walk_reached_back_to_is_a_gap_until_one_does() -> None:
    coverage = known(walk(2, reach=0), walk(9, reach=8))
    assert unheard(coverage) == [(2, 8, UNASKED)]
    assert coverage.since == at(8)
    assert heard(coverage.after(walk(10, reach=1))) == [(0, 10)]
    assert coverage.after(walk(10, reach=1)).unheard == ()


def test_a_walk_that_goes_on_where_one_broke_off_joins_what_that_one_read() -> None:
    assert heard(known(walk(2, reach=0), walk(9, reach=8, resumed=8))) == [(0, 9)]
    told = known(walk(2, reach=0), walk(9, reach=8, gaps=[(3, 4)], resumed=8))
    assert heard(told) == [(0, 3), (4, 9)]
    assert unheard(told) == [(3, 4, "cap")]
    failed = known(walk(2, reach=0)).broken(at(7), at(7), "x.test: 503")
    assert heard(failed.after(walk(9, reach=6, resumed=7))) == [(0, 9)]
    assert failed.after(walk(9, reach=6, resumed=7)).unheard == ()


def test_what_a_walk_had_read_that_broke_off_is_no_more_than_until_it_began_and_nothing_a_page_left_out() -> None:
    late = known(walk(2, reach=0), walk(9, reach=8, resumed=5))
    assert (heard(late), unheard(late)) == ([(0, 5), (8, 9)], [(5, 8, UNASKED)])
    left_out = known(walk(1, reach=0), walk(5, gaps=[(2, 3)])).broken(at(5), at(5), "x.test: 503")
    assert unheard(left_out) == [(1, 2, "x.test: 503"), (2, 3, "cap"), (3, 5, "x.test: 503")]
    after = left_out.after(walk(6, reach=5, resumed=5))
    assert (heard(after), unheard(after)) == ([(0, 2), (3, 6)], [(2, 3, "cap")])
    all_of_it = known(walk(1, reach=0), walk(5, reach=4, gaps=[(None, 5)]), walk(6, reach=5, resumed=5))
    assert (heard(all_of_it), unheard(all_of_it)) == ([(0, 1), (5, 6)], [(1, 5, "cap")])


def test_a_failure_that_a_good_walk_left_unread_is_not_filled_by_a_later_one_that_goes_on() -> None:
    lost = known(walk(2, reach=0)).broken(at(7), at(7), "x.test: 503").after(walk(9, reach=7))
    cut = lost.after(walk(10, gaps=[(7, 9)]))
    assert heard(cut.after(walk(12, reach=11, resumed=11))) == [(0, 2), (9, 12)]


def test_a_walk_back_to_a_day_takes_nothing_back_that_others_heard() -> None:
    before = known(walk(20, reach=10))
    told = before.after(walk(21, reach=0, gaps=[(0, 15)], back=True))
    assert (heard(told), unheard(told)) == ([(10, 21)], [(0, 10, "cap")])
    assert heard(before.after(walk(21, reach=0, gaps=[(0, 5)], back=True))) == [(5, 21)]
    assert heard(before.after(walk(21, reach=5, gaps=[(None, 5)], back=True))) == [(5, 21)]


def test_a_clock_that_was_ahead_once_claims_nothing_of_what_is_still_to_come() -> None:
    ahead = known(walk(1, reach=0), walk(9000, reach=1, gaps=[(8000, 9000)]))
    again = ahead.after(Walk(at(2), at(2), at(1)))
    assert heard(again) == [(0, 2)]
    assert again.unheard == ()
    failed = ahead.broken(at(5), at(5), "x.test: 503")
    assert heard(failed) == [(0, 5)]
    assert unheard(failed.broken(at(7), at(7), "x.test: 503")) == [(5, 7, "x.test: 503"), (8000, 9000, "cap")]
    assert heard(known(Walk(at(9), at(8), at(7)))) == [(7, 8)]


def test_since_when_all_is_heard_is_nobodys_to_say_while_the_last_walk_left_something_out() -> None:
    coverage = known(walk(2, reach=0), walk(5, reach=1, gaps=[(4, 5)]))
    assert (coverage.since, coverage.until) == (None, at(4))
    assert known(walk(2, reach=0)).broken(at(3), at(3), "x.test: 503").since is None
    assert coverage.after(walk(6, reach=5)).since == at(5)


def test_a_gap_is_as_old_as_the_one_it_goes_on_from_but_not_as_one_that_is_over() -> None:
    first = known(walk(2, reach=0), walk(9, reach=8, gaps=[(2, 8)]))
    grown = first.after(walk(10, reach=9, gaps=[(2, 9)]))
    assert {one.first_at for one in grown.unheard} == {first.unheard[0].first_at}
    over = first.after(walk(10, reach=8))
    assert over.lasting(over.unheard[0])
    new = over.after(walk(20, reach=19, gaps=[(7, 19)]))
    assert [one.first_at for one in new.unheard] == [over.unheard[0].first_at, at(20) + timedelta(seconds=30)]
    part = over.after(walk(20, reach=8, gaps=[(3, 4)]))
    assert {one.first_at for one in part.unheard} == {over.unheard[0].first_at}


def test_a_gap_takes_back_what_an_earlier_walk_claimed_until_it_is_read_again() -> None:
    coverage = known(walk(4, reach=0), walk(6, reach=2, gaps=[(3, 5)]))
    assert heard(coverage) == [(0, 3), (5, 6)]
    assert unheard(coverage) == [(3, 5, "cap")]
    partly = coverage.after(walk(7, reach=4))
    assert unheard(partly) == [(3, 4, "cap")]
    assert heard(partly.after(walk(8, reach=3))) == [(0, 8)]


def test_a_gap_that_nobody_knows_the_beginning_of_ends_where_all_is_heard() -> None:
    assert unheard(known(walk(2, reach=1, gaps=[(None, 1)]))) == [(None, 1, "cap")]
    later = known(walk(2, reach=0), walk(9, reach=8, gaps=[(None, 8)]))
    assert unheard(later) == [(2, 8, "cap")]
    assert known(walk(2, reach=0), walk(4, reach=2, gaps=[(None, 1)])).unheard == ()


def test_a_failure_leaves_the_time_since_the_last_good_walk_unheard_until_the_next() -> None:
    good = known(walk(2, reach=0))
    failed = good.broken(at(3), at(3), "x.test: 500").broken(at(4), at(4), "x.test: 403")
    assert unheard(failed) == [(2, 4, "x.test: 403")]
    assert failed.unheard[0].first_at == at(3)
    assert failed.unheard[0].broken
    assert failed.unheard[0].told_at == at(4)
    assert failed.after(walk(5, reach=1.5)).unheard == ()
    assert Coverage().broken(at(3), at(3), "x.test: 500") == Coverage()


def test_a_gap_lasts_once_a_later_walk_went_well_and_left_it() -> None:
    coverage = known(walk(2, reach=0), walk(9, reach=8, gaps=[(2, 8)]))
    assert not coverage.lasting(coverage.unheard[0])
    again = coverage.after(walk(10, reach=9, gaps=[(2, 9)]))
    assert not again.lasting(again.unheard[0])
    assert again.unheard[0].first_at == coverage.unheard[0].first_at
    left = coverage.after(walk(10, reach=9))
    assert left.lasting(left.unheard[0])


def test_what_is_missing_of_a_time_is_told_with_its_reasons() -> None:
    coverage = known(walk(6, reach=2, gaps=[(3, 4)]))
    assert coverage.missing(at(0), at(6)) == [Gap(at(0), at(2), UNASKED), Gap(at(3), at(4), "cap")]
    assert coverage.missing(at(4), at(5)) == []
    assert known(walk(6, reach=2, gaps=[(None, 2)])).missing(at(0), at(6)) == [Gap(at(0), at(2), "cap")]


def test_of_too_many_stretches_the_oldest_are_claimed_no_more() -> None:
    coverage = known(*(walk(2 * number + 1, reach=2 * number) for number in range(MOST)))
    assert len(coverage.complete) + len(coverage.unheard) == MOST
    assert coverage.complete[-1].end == at(2 * MOST - 1)
    assert coverage.complete[0].start > at(0)


hours = st.integers(0, 40).map(at)
gaps = st.lists(st.builds(Gap, st.none() | hours, hours, st.just("cap")), max_size=3)
steps = st.one_of(st.tuples(st.none() | hours, gaps, st.none() | hours), st.none())
walks = st.lists(steps, max_size=8).map(
    lambda told: [
        began if one is None else Walk(began, began, *one[:1], [gap for gap in one[1] if gap.end <= began], one[2])
        for began, one in zip(map(at, range(10, 99, 4)), told, strict=False)
    ]
)
"""Walks, and times at which one broke off."""
HOURS = range(-2, 60)


def told_of(steps: Sequence[Walk | datetime]) -> Coverage:
    coverage = Coverage()
    for one in steps:
        coverage = coverage.after(one) if isinstance(one, Walk) else coverage.broken(one, one, "x.test: 503")
    return coverage


def covers(pieces: Sequence[Stretch | Unheard | Gap], hour: int) -> bool:
    moment = at(hour + 0.5)
    return any((one.start or moment) <= moment < one.end for one in pieces)


def between(start: datetime | None, end: datetime) -> set[int]:
    return {hour for hour in HOURS if (start is None or start <= at(hour)) and at(hour) < end}


class Hours:
    """The same, thought hour by hour: which are heard whole, which were left out, in which one broke off."""

    def __init__(self) -> None:
        self.whole: set[int] = set()
        self.left_out: set[int] = set()
        self.broken: set[int] = set()

    def end(self) -> datetime | None:
        return at(max(self.whole) + 1) if self.whole else None

    def breaks_off(self, began: datetime) -> None:
        end = self.end()
        if end is not None:
            self.broken |= between(end, began) - self.left_out

    def is_walked(self, one: Walk) -> None:
        named = {hour for gap in one.gaps for hour in between(gap.start, gap.end)}
        read = set() if one.reach is None else between(one.reach, one.began)
        end = self.end()
        if one.resumed is not None and one.reach is not None and end is not None:
            read |= between(end, min(one.reach, one.resumed, one.began)) - self.left_out
        read -= named
        # Of a gap without a beginning nobody says that it was looked for behind what is heard.
        gone = {hour for gap in one.gaps for hour in between(gap.start or self._last(gap.end), gap.end)}
        self.whole = self.whole - gone | read
        self.left_out = self.left_out - read | gone
        self.broken -= read | gone
        if one.reach is not None:
            self.left_out, self.broken = self.left_out | self.broken, set()
        if self.whole:
            self.left_out |= set(range(min(self.whole), max(self.whole))) - self.whole - self.broken

    def _last(self, end: datetime) -> datetime | None:
        before = self.whole & between(None, end)
        return at(max(before) + 1) if before else None


@example([Walk(at(10), at(10), at(0)), Walk(at(14), at(14), at(19), resumed=at(19)), at(18)])  # clocks that were ahead
@given(walks)
def test_what_is_heard_and_what_is_not_is_what_the_walks_told_hour_by_hour(told: list[Walk | datetime]) -> None:
    coverage, hourly = told_of(told), Hours()
    for one in told:
        hourly.is_walked(one) if isinstance(one, Walk) else hourly.breaks_off(one)
    assert {hour for hour in HOURS if covers(coverage.complete, hour)} == hourly.whole
    assert {hour for hour in HOURS if covers(coverage.unheard, hour)} == hourly.left_out | hourly.broken
    assert {hour for hour in HOURS if covers([one for one in coverage.unheard if one.broken], hour)} == hourly.broken


@given(walks)
def test_no_two_stretches_overlap_and_all_are_in_order(told: list[Walk | datetime]) -> None:
    coverage = told_of(told)
    pieces = sorted([*coverage.complete, *coverage.unheard], key=lambda one: (one.start or at(-99), one.end))
    assert all(before.end <= (later.start or at(-99)) for before, later in pairwise(pieces))
    assert all((one.start or at(-99)) < one.end for one in pieces)
    assert list(coverage.complete) == sorted(coverage.complete, key=lambda one: one.start)


@given(walks, walks)
def test_a_walk_back_to_a_day_only_adds(told: list[Walk | datetime], others: list[Walk | datetime]) -> None:
    coverage = told_of(told)
    for one in others:
        if isinstance(one, Walk):
            again = coverage.after(Walk(one.began, at(60), one.reach, one.gaps, back=True))
            assert all(covers(again.complete, hour) for hour in HOURS if covers(coverage.complete, hour))
            lost = {hour for hour in HOURS if covers(coverage.unheard, hour) and not covers(again.unheard, hour)}
            assert all(covers(again.complete, hour) for hour in lost)
            coverage = again


@given(walks, st.randoms(use_true_random=False))
def test_walks_without_gaps_may_be_told_in_any_order(told: list[Walk | datetime], chance: Random) -> None:
    plain = [Walk(one.began, at(60), one.reach) for one in told if isinstance(one, Walk)]
    mixed = list(plain)
    chance.shuffle(mixed)
    assert heard(known(*mixed)) == heard(known(*plain))
    assert sorted(unheard(known(*mixed))) == sorted(unheard(known(*plain)))


@given(walks)
def test_telling_the_same_again_changes_nothing_that_is_heard(told: list[Walk | datetime]) -> None:
    last = next((one for one in reversed(told) if isinstance(one, Walk)), None)
    if last is not None:
        once = told_of([*told, last])
        assert heard(once.after(last)) == heard(once)

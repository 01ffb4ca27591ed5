"""Paging by time: strange times neither end a walk in silence nor make it jump."""

from typing import Any

import pytest

from connectors.paging import Found, Hidden, by_time
from pipeline.errors import ChangedError

PAGE = 10


def walked(said: list[dict[str, Any]]) -> set[int]:
    """What is found in a place that gives its newest first, by a true time, and tells another of some."""

    def ask(end: int | None, number: int) -> Found:
        left = [each for each in said if end is None or each["true"] <= end]
        start = (number - 1) * PAGE
        return Found(left[start : start + PAGE], len(left) > start + PAGE)

    walk = by_time(
        ask, second=lambda each: each.get("told"), native=lambda each: each["id"], deepest=5, hidden=list[Hidden]()
    )
    return {each["id"] for page in walk for each in page}


def test_one_time_that_is_far_too_old_passes_over_nothing() -> None:
    said: list[dict[str, Any]] = [{"id": n, "true": n, "told": n} for n in range(100, 0, -1)]
    said[4]["told"] = 1
    said[15]["told"] = None
    assert walked(said) == set(range(1, 101))


def test_a_first_page_without_any_time_is_no_silent_end() -> None:
    said = [{"id": n, "true": n} for n in range(20)]
    with pytest.raises(ChangedError, match="tells its time"):
        walked(said)
    assert walked(said[:PAGE]) == set(range(PAGE))  # the only page needs no way on


@pytest.mark.parametrize("place", [8, 9, 19])
def test_a_time_that_is_far_too_old_passes_over_nothing_where_it_ends_a_page_either(place: int) -> None:
    said: list[dict[str, Any]] = [{"id": n, "true": n, "told": n} for n in range(100, 0, -1)]
    said[place]["told"] = 1
    assert walked(said) == set(range(1, 101))


def test_a_second_that_repeats_itself_is_told_and_what_is_older_is_read() -> None:
    def ask(end: int | None, _: int) -> Found:
        stuck = [{"id": n, "at": 100} for n in range(PAGE)]
        return Found(stuck, more=True) if end is None or end >= 100 else Found([{"id": 99, "at": 50}], more=False)

    hidden = list[Hidden]()
    walk = by_time(ask, second=lambda each: each["at"], native=lambda each: each["id"], deepest=50, hidden=hidden)
    assert [each["id"] for page in walk for each in page] == [*range(PAGE), 99]
    assert hidden == [(100, 101)]


@pytest.mark.parametrize("deepest", [1, 2, 50])
def test_of_a_place_that_only_repeats_itself_all_that_is_older_is_hidden(deepest: int) -> None:
    hidden = list[Hidden]()
    same = Found([{"id": n, "at": 100} for n in range(PAGE)], more=True)
    walk = by_time(
        lambda *_: same,
        second=lambda each: each["at"],
        native=lambda each: each["id"],
        deepest=deepest,
        hidden=hidden,
    )
    assert [each["id"] for page in walk for each in page] == list(range(PAGE))
    start, end = hidden[-1]
    assert start is None
    assert end < 100

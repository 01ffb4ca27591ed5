from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.report.gaps import Listening
from pipeline.visit import Visit

START = datetime(2026, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def visit(day: float, error: str | None = None, source: str = "forum") -> Visit:
    began = START + day * DAY
    who = "the operator" if error else None
    return Visit(source=source, started_at=began, ended_at=began, error=error, who_acts=who)


def listening(said: Callable[..., Any], *days: float, allowed: float = 3) -> Listening:
    heard = Listening(START, START + 30 * DAY, {"forum": allowed * DAY})
    for number, day in enumerate(days):
        heard.hear(said(number, START + day * DAY)[0])
    return heard


def test_the_longest_silence_is_told_with_both_its_ends(said: Callable[..., Any]) -> None:
    gap = listening(said, 1, 2, 8, 12, *range(13, 30)).gaps([], {"forum": "Trail forum"})[0]
    assert (gap.silent_from, gap.silent_until) == (START + 2 * DAY, START + 8 * DAY)
    assert gap.label == "Trail forum"


def test_usual_silence_is_no_gap(said: Callable[..., Any]) -> None:
    assert listening(said, *range(0, 30, 3)).gaps([visit(1)], {}) == []


def test_silence_that_lasts_to_the_end_or_began_before_the_start_counts(said: Callable[..., Any]) -> None:
    ended = listening(said, *range(20)).gaps([], {})[0]
    assert (ended.silent_from, ended.silent_until) == (START + 19 * DAY, START + 30 * DAY)
    began = listening(said, -5, *range(1, 30)).gaps([], {})[0]
    assert (began.silent_from, began.silent_until) == (START - 5 * DAY, START + 1 * DAY)


def test_silence_before_the_period_is_not_of_it(said: Callable[..., Any]) -> None:
    assert listening(said, -20, -1, *range(1, 30)).gaps([], {}) == []


def test_a_source_never_heard_was_silent_all_along() -> None:
    gap = Listening(START, START + 30 * DAY, {"news": DAY}).gaps([], {})[0]
    assert (gap.silent_from, gap.silent_until) == (START, START + 30 * DAY)


def test_failed_visits_say_who_must_act_and_what_went_wrong_last(said: Callable[..., Any]) -> None:
    visits = [visit(1, "GET a.example/x: 500"), visit(5, "GET a.example/x: 403"), visit(9), visit(40, "later")]
    gap = listening(said, *range(30)).gaps(visits, {})[0]
    assert (gap.visits, gap.failed) == (3, 2)
    assert gap.error == "GET a.example/x: 403"
    assert gap.who_acts == "the operator"
    assert gap.failed_at == START + 5 * DAY
    assert gap.silent_from is None

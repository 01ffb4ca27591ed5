from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.coverage import Coverage, Stretch, Unheard
from pipeline.report.gaps import Listening, unheard
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


def test_what_a_source_told_is_missing_is_of_every_period_it_touches() -> None:
    def gap(start: float | None, end: float) -> Unheard:
        return Unheard(None if start is None else START + start * DAY, START + end * DAY, "cap", START, START)

    coverage = {"forum": Coverage(unheard=(gap(None, -3), gap(-2, 1), gap(4, 5), gap(29, 31), gap(31, 32)))}
    found = unheard(coverage | {"app": Coverage()}, {"forum": "Trail forum"}, START, START + 30 * DAY)
    assert [one.end for one in found] == [START + 1 * DAY, START + 5 * DAY, START + 31 * DAY]
    assert {(one.source, one.label, one.why) for one in found} == {("forum", "Trail forum", "cap")}
    assert unheard(coverage, {}, START - 9 * DAY, START - 5 * DAY)[0].start is None


def test_that_a_source_was_not_called_since_is_told_of_those_that_are_listened_to() -> None:
    heard = Stretch(START, START + 20 * DAY, START)
    failed = Unheard(START + 20 * DAY, START + 24 * DAY, "x.test: 503", START, START, broken=True)
    coverage = {"forum": Coverage((heard,)), "app": Coverage((heard,), (failed,)), "removed": Coverage((heard,))}
    labels, end, now = {"forum": "Forum", "app": "App", "new": "New"}, START + 30 * DAY, START + 31 * DAY
    found = [(one.source, one.start, one.end, one.why) for one in unheard(coverage, labels, START, end, as_of=now)]
    assert found == [
        ("app", failed.start, failed.end, "x.test: 503"),
        ("app", failed.end, now, "the source was not called since"),
        ("forum", heard.end, now, "the source was not called since"),
    ]
    assert unheard({"forum": Coverage((heard,))}, labels, START, end, as_of=heard.end + DAY / 48) == []
    assert unheard({"forum": Coverage((heard,))}, labels, START, START + 10 * DAY, as_of=now) == []

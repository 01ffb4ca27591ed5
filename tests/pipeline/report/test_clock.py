from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.case import Case, CaseState
from pipeline.report import measure
from pipeline.report.clock import answers, concerns, standing, urgent
from pipeline.report.figures import Standing
from pipeline.triage import Category, Lane, Urgency

NOON = datetime(2026, 10, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def case(key: str = "C-1", **fields: Any) -> Case:  # noqa: ANN401 - any field of a case
    known: dict[str, Any] = {
        "key": key,
        "first_mention": f"forum:{key}",
        "brand": "Hike",
        "source": "forum",
        "author": "ann",
        "thread": None,
        "fingerprint": "",
        "category": Category.DELIVERY,
        "urgency": Urgency.NORMAL,
        "grave": [],
        "route": "everything else",
        "team": "support",
        "opened_at": NOON,
        "reply_by": NOON + 4 * HOUR,
        "last_said_at": NOON,
    }
    return Case.model_validate(known | fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Standing.WAITING),
        ({"reply_by": NOON + HOUR}, Standing.OVERDUE),
        ({"answered_at": NOON + HOUR}, Standing.IN_TIME),
        ({"answered_at": NOON + 2 * HOUR, "reply_by": NOON + HOUR}, Standing.LATE),
        ({"state": CaseState.CLOSED, "closed_at": NOON + HOUR}, Standing.CLOSED),
        ({"answered_at": NOON + 9 * HOUR, "state": CaseState.CLOSED, "closed_at": NOON + 9 * HOUR}, Standing.WAITING),
    ],
)
def test_a_case_stands_where_it_stood_at_that_moment(fields: dict[str, Any], expected: Standing) -> None:
    assert standing(case(**fields), as_of=NOON + 3 * HOUR) is expected


def test_grave_cases_come_first_then_the_open_ones_then_the_most_urgent() -> None:
    cases = [
        case("C-high-done", urgency=Urgency.HIGH, answered_at=NOON + HOUR),
        case("C-calm"),
        case("C-late", reply_by=NOON + HOUR),
        case("C-critical", urgency=Urgency.CRITICAL, reply_by=NOON + HOUR),
        case("C-waiting", urgency=Urgency.HIGH),
        case("C-grave", grave=["injury"], answered_at=NOON + HOUR),
    ]
    order = [found.key for found in urgent(cases, as_of=NOON + 3 * HOUR)]
    assert order == ["C-grave", "C-critical", "C-late", "C-waiting", "C-high-done"]


def test_how_the_clock_was_kept_counts_every_case_once() -> None:
    cases = [
        case("C-1", answered_at=NOON + HOUR),
        case("C-2", answered_at=NOON + 3 * HOUR, reply_by=NOON + 2 * HOUR),
        case("C-3", reply_by=NOON + HOUR),
        case("C-4", reply_by=NOON + 30 * HOUR),
    ]
    found = answers(cases, as_of=NOON + 10 * HOUR)
    assert (found.opened, found.waiting, found.overdue) == (4, 1, 1)
    assert (found.in_time.count, found.in_time.total) == (1, 2)
    assert found.first_reply == 2 * HOUR


def test_a_case_brought_along_without_an_answer_belongs_to_the_period() -> None:
    within = {"start": NOON + 24 * HOUR, "end": NOON + 48 * HOUR, "as_of": NOON + 48 * HOUR}
    assert concerns(case(), **within)
    assert not concerns(case(answered_at=NOON + HOUR), **within)
    assert not concerns(case(opened_at=NOON + 60 * HOUR, last_said_at=NOON + 60 * HOUR), **within)


def test_what_was_said_in_the_period_belongs_to_it_even_if_heard_later() -> None:
    late = case(opened_at=NOON + 900 * HOUR, last_said_at=NOON, reply_by=NOON + 904 * HOUR)
    assert concerns(late, start=NOON - HOUR, end=NOON + HOUR, as_of=NOON + HOUR)


def test_a_call_quotes_the_words_that_opened_the_case(said: Callable[..., Any]) -> None:
    pairs = [said(1, NOON, key="forum:C-1", lane=Lane.SERVICE, needs_reply=True, text="Where is my parcel?")]
    within: dict[str, Any] = {"start": NOON - HOUR, "end": NOON + 9 * HOUR, "labels": {"forum": "Forum"}}
    report = measure(
        pairs, cases=[case(), *(case(f"C-x{n}") for n in range(40))], zone=ZoneInfo("UTC"), brand="Hike", **within
    )
    assert report.calls[0].standing is Standing.OVERDUE
    assert report.calls[0].source == "Forum"
    assert report.calls[0].quote is not None
    assert report.calls[0].quote.text == "Where is my parcel?"
    assert (len(report.calls), report.more_calls) == (25, 16)


def test_a_case_answered_before_we_heard_of_it_says_nothing_of_the_clock() -> None:
    before = case("C-1", answered_at=NOON - HOUR)
    after = case("C-2", answered_at=NOON + 2 * HOUR)
    kept = answers([before, after], as_of=NOON + 9 * HOUR)
    assert (kept.opened, kept.in_time.count, kept.in_time.total) == (2, 1, 1)
    assert kept.first_reply == 2 * HOUR

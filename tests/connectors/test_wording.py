"""Wording: the same words for every sink, and nothing in them that cannot be seen."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.wording import byline, facts, footer, line, link, moment, reasons, reference, title, visible
from pipeline.route import Alert
from pipeline.triage import Urgency

AT = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
BARE = Alert(key="k", sink="s", title="", made_at=AT)


def test_a_time_means_the_same_to_everyone() -> None:
    assert moment(AT.astimezone(timezone(timedelta(hours=9)))) == "Sun 22 Nov 2026, 14:30 UTC"


def test_reordering_marks_controls_and_half_characters_are_taken_out() -> None:
    assert visible("a\u202eb\u2066c\x00d\x1be\x9bf\ud83dg\ufeff\u2028") == "abcdef\ufffdg"


def test_joined_emoji_and_honest_direction_marks_stay() -> None:
    for text in ["👩‍👩‍👧‍👦", "שלום\u200f!", "a\tb\nc"]:
        assert visible(text) == text


@given(st.text(alphabet=st.characters(), min_size=1))
def test_a_reference_fits_into_a_tag_a_query_and_a_header(case: str) -> None:
    known = reference(BARE.model_copy(update={"case": case}))
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,32}", known)
    assert known == reference(BARE.model_copy(update={"case": case}))


def test_a_case_is_referred_to_by_its_own_key_and_an_alert_about_none_by_its() -> None:
    assert reference(BARE.model_copy(update={"case": "C-7H2QK4MZ5P"})) == "C-7H2QK4MZ5P"
    assert reference(BARE.model_copy(update={"key": "alert_0123456789abcdef01234567"})).startswith("alert_0123")


@given(st.text(alphabet=st.characters()), st.integers(1, 50))
def test_a_line_is_one_line_within_its_limit(text: str, limit: int) -> None:
    said = line(text, limit)
    assert len(said) <= limit
    assert len(said.splitlines()) <= 1


def test_what_is_not_known_is_left_out_but_a_case_says_so_of_its_author() -> None:
    assert (byline(BARE), facts(BARE), link(BARE)) == (["author unknown"], [], None)
    assert byline(BARE.model_copy(update={"kind": "watch"})) == []
    assert title(BARE, 150) == "An alert without a title"
    assert footer(BARE) == "Earful · k"


def test_the_deadline_stands_first() -> None:
    alert = BARE.model_copy(update={"reply_by": AT, "team": "Parcels", "urgency": Urgency.HIGH})
    assert facts(alert) == [("Reply by", "Sun 22 Nov 2026, 14:30 UTC"), ("Team", "Parcels"), ("Urgency", "high")]


def test_many_reasons_become_a_few_and_say_how_many_were_left_out() -> None:
    told = reasons(BARE.model_copy(update={"why": [f"reason {number}" for number in range(12)]}))
    assert len(told) == 10
    assert told[-1] == "and 3 more"


@pytest.mark.parametrize("url", ["https://x.example/?q=1#a", "HTTP://X.example", "https://пример.рф/1"])
def test_a_web_address_is_a_link(url: str) -> None:
    assert link(BARE.model_copy(update={"url": url})) == url


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "https://", "https://a b", 'https://a"b', "x"]
)
def test_anything_else_is_none(url: str) -> None:
    assert link(BARE.model_copy(update={"url": url})) is None

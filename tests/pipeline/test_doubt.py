"""What is doubted, and what is not."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.analysis import Analysis, Analyst
from pipeline.classifier import Reading
from pipeline.doubt import Glance, doubt
from pipeline.mention import Mention
from pipeline.triage.judge import Effort

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def said(stars: float | None = None, *, by_brand: bool = False) -> Mention:
    given = {"rating": stars, "rating_min": 1, "rating_max": 5, "by_brand": by_brand}
    return Mention.model_validate(
        {"key": "forum:1", "source": "forum", "kind": "review", "text": "Hm.", "said_at": NOON} | given
    )


def judged(lane: str, waits: float | None = 0.0, **told: object) -> Analysis:
    blank = dict.fromkeys(("complaint_probability", "sentiment_score", "category", "urgency", "stage", "touchpoint"))
    usual = {
        "mention_key": "forum:1",
        "version": "v1",
        "versions": {},
        "language": "en",
        "lane": lane,
        "lane_probabilities": {"service": waits, "experience": None if waits is None else 1 - waits, "noise": 0.0},
        "needs_reply": False,
        "complaint": False,
        "sentiment": "neutral",
        "factor": None,
        "grave": [],
        "reasons": [],
    }
    return Analysis.model_validate(blank | usual | told)


@pytest.mark.parametrize(
    ("mention", "analysis", "why"),
    [
        (said(), judged("experience", 0.2), ("experience, but service at 20%",)),
        (said(), judged("experience", 0.19), None),
        (said(), judged("service", 0.5), None),
        (said(), judged("noise", 0.1, complaint=True, complaint_probability=0.7), ("noise, but a complaint at 70%",)),
        (said(), judged("experience", 0.1, complaint=True), None),
        (said(1), judged("experience", sentiment="positive"), ("few stars, but positive words",)),
        (said(5), judged("experience", sentiment="negative"), ("many stars, but negative words",)),
        (said(3), judged("experience", sentiment="negative"), None),
        (said(5), judged("experience", sentiment="positive"), None),
        (
            said(1),
            judged("unscored", None, needs_reply=True, complaint=None, sentiment="negative"),
            ("its words cannot be read, and it gives few stars",),
        ),
        (said(5), judged("unscored", None, complaint=None, sentiment="positive"), None),
        (said(1, by_brand=True), judged("experience", 0.4, sentiment="positive"), None),
    ],
)
def test_a_judgement_is_doubted_where_something_speaks_against_it(
    mention: Mention, analysis: Analysis, why: tuple[str, ...] | None
) -> None:
    found = doubt(Glance.of(mention, analysis), 4)
    assert (None if found is None else found.why) == why


@given(waits=st.floats(0, 1), cost=st.floats(0.01, 1000))
def test_it_pays_to_look_exactly_where_a_miss_would_cost_more(waits: float, cost: float) -> None:
    found = doubt(Glance.of(said(), judged("experience", waits)), cost)
    assert (found is not None) == (waits >= 1 / (1 + cost))
    assert found is None or found.at_stake == pytest.approx(waits * cost)


@given(waits=st.floats(0, 1), cost=st.floats(1, 1000))
def test_where_somebody_is_to_reply_nobody_waits_in_vain_and_less_is_at_stake(waits: float, cost: float) -> None:
    unheard = doubt(Glance.of(said(5), judged("experience", waits, sentiment="negative")), cost)
    heard = doubt(Glance.of(said(5), judged("service", waits, sentiment="negative", needs_reply=True)), cost)
    assert unheard is not None
    assert heard is not None
    assert heard.at_stake == pytest.approx(1 - waits)
    assert unheard.at_stake == pytest.approx(waits * cost)


@given(waits=st.floats(0, 1), low=st.floats(0.01, 1000), high=st.floats(0.01, 1000))
def test_whoever_fears_misses_more_looks_at_no_less(waits: float, low: float, high: float) -> None:
    low, high = sorted((low, high))
    if doubt(Glance.of(said(), judged("noise", waits)), low) is not None:
        assert doubt(Glance.of(said(), judged("noise", waits)), high) is not None


@given(text=st.text(max_size=200), stars=st.none() | st.floats(1, 5))
def test_any_judgement_of_any_text_can_be_asked_about(text: str, stars: float | None) -> None:
    mention = said(stars).model_copy(update={"text": text})
    found = doubt(Glance.of(mention, Analyst(Effort.FAST).analyse([Reading.of(mention)])[0]))
    assert found is None or (found.why and 0 <= found.at_stake <= 4)

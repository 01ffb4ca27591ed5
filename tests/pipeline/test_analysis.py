import gc
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.analysis import _UNCOLLECTED, Analysis, Analyst
from pipeline.classifier import Reading
from pipeline.mention import MentionKind
from pipeline.sentiment import Feeling
from pipeline.triage import Category, Lane, Urgency
from pipeline.triage.model import shipped

SPANISH = "Las zapatillas llegaron rotas y nadie contesta el teléfono de la tienda"
MENTIONS = [
    "My order never arrived and nobody answers my emails. I want a refund!",
    "Love these shoes, the best I ever had",
    "Hiring: store manager in Leeds, apply now https://t.co/abc",
    "@HikeHelp how do I change the address of my order?",
    SPANISH,
    "",
    "😡😡😡",
]
LABELS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32))


def judged(text: str, **more: Any) -> Analysis:  # noqa: ANN401 - whatever fields a reading has
    return Analyst().analyse([Reading(key="k", text=text, **more)])[0]


def test_whoever_is_still_judging_is_not_disturbed_by_who_is_done_and_the_collector_comes_back() -> None:
    assert gc.isenabled()
    with _UNCOLLECTED:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(Analyst().analyse, [Reading(key="k", text="?")]).result()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_two_who_judge_at_once_leave_the_collector_on_whoever_ends_first() -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(_UNCOLLECTED)
    second.enter_context(_UNCOLLECTED)
    first.close()
    assert not gc.isenabled()
    second.close()
    assert gc.isenabled()


def test_a_broken_promise_is_a_service_complaint_with_its_reasons() -> None:
    found = judged(MENTIONS[0])
    assert (found.lane, found.complaint, found.sentiment) == (Lane.SERVICE, True, Feeling.NEGATIVE)
    assert found.needs_reply
    assert found.category is not None
    assert found.urgency is not None
    assert found.factor is None
    assert {reason.field for reason in found.reasons} >= {"lane", "complaint", "sentiment", "category"}


def test_praise_is_experience_and_needs_no_reply() -> None:
    found = judged(MENTIONS[1])
    assert (found.lane, found.complaint, found.sentiment) == (Lane.EXPERIENCE, False, Feeling.POSITIVE)
    assert not found.needs_reply
    assert found.factor is not None
    assert found.category is None
    assert found.urgency is None


def test_an_advert_is_noise() -> None:
    assert judged(MENTIONS[2]).lane is Lane.NOISE


def test_another_language_is_unscored_and_not_guessed_at() -> None:
    found = judged(SPANISH, language="en")
    assert (found.language, found.lane, found.sentiment) == ("es", Lane.UNSCORED, Feeling.UNSCORED)
    assert found.lane_probabilities == {"service": None, "experience": None, "noise": None}
    assert (found.complaint, found.complaint_probability, found.sentiment_score) == (None, None, None)
    assert not found.needs_reply
    assert found.reasons == []


def test_the_stars_speak_where_the_words_cannot_and_a_low_rating_wants_a_look() -> None:
    low = judged(SPANISH, rating=1, rating_min=1)
    assert (low.lane, low.sentiment, low.sentiment_score) == (Lane.UNSCORED, Feeling.NEGATIVE, -1)
    assert low.needs_reply
    assert [(reason.field, reason.text) for reason in low.reasons] == [("sentiment", "1 of 5 stars")]
    high = judged(SPANISH, rating=5, rating_min=1)
    assert (high.sentiment, high.needs_reply) == (Feeling.POSITIVE, False)
    assert judged(SPANISH, rating=3, rating_min=1).sentiment is Feeling.NEUTRAL


def test_nothing_said_is_unscored() -> None:
    for nothing in ("", "   ", "?!", "...", "\x00"):
        found = judged(nothing)
        assert (found.lane, found.sentiment, found.sentiment_score) == (Lane.UNSCORED, Feeling.UNSCORED, None)


def test_stars_without_words_speak_for_the_feeling_and_ask_for_nothing() -> None:
    assert judged("", rating=5, kind=MentionKind.REVIEW).sentiment is Feeling.POSITIVE
    low = judged("", rating=1, kind=MentionKind.REVIEW)
    assert (low.lane, low.sentiment, low.needs_reply) == (Lane.UNSCORED, Feeling.NEGATIVE, False)


def test_emoji_alone_are_judged() -> None:
    assert judged("😡😡😡").sentiment is Feeling.NEGATIVE
    assert judged("😍😍").sentiment is Feeling.POSITIVE


def test_a_grave_signal_goes_first_whatever_the_lane() -> None:
    found = judged("Lovely colour, but the sole came off on the stairs and I broke my wrist")
    assert "injury" in found.grave
    assert found.needs_reply
    assert (found.lane, found.category, found.urgency) == (Lane.SERVICE, Category.SAFETY_LEGAL, Urgency.CRITICAL)
    reason = next(reason for reason in found.reasons if reason.field == "grave")
    assert "broke my wrist" in reason.text


def test_an_account_taken_over_by_a_stranger_goes_first() -> None:
    found = judged("@HikeHelp my account was hacked and I cannot log in, the password was changed")
    assert found.grave
    assert (found.lane, found.urgency, found.needs_reply) == (Lane.SERVICE, Urgency.CRITICAL, True)


def test_a_hole_at_the_brand_is_critical_and_keeps_the_category_of_those_who_can_close_it() -> None:
    found = judged("@HikeHelp I logged into my account and can see somebody else's home address and orders")
    assert found.grave == ["data_leak"]
    assert found.urgency is Urgency.CRITICAL
    assert found.category is not Category.SAFETY_LEGAL


def test_reasons_point_at_the_words_in_title_and_text() -> None:
    reading = Reading(
        key="k", title="Fell apart", text="The sole came off after TWO days… 😡 refund please!", kind=MentionKind.REVIEW
    )
    found = Analyst().analyse([reading])[0]
    spans = [reason for reason in found.reasons if reason.start is not None]
    assert spans
    for reason in spans:
        assert reading.words[reason.start : reason.end] == reason.text


def test_stars_are_named_as_a_reason_beside_the_words() -> None:
    found = judged("It is what it is", rating=1, rating_min=1, kind=MentionKind.REVIEW)
    stars = [reason for reason in found.reasons if reason.field == "sentiment" and reason.start is None]
    assert [reason.text for reason in stars] == ["1 of 5 stars"]
    assert stars[0].weight > 0


@given(
    text=st.text(max_size=300),
    title=st.none() | st.text(max_size=30),
    rating=LABELS,
    kind=st.sampled_from(MentionKind),
    language=st.none() | st.text(max_size=5),
)
@example(text="\ud800 \x00 ¬ not ¬", title=None, rating=None, kind=MentionKind.POST, language=None)
@example(text="السلام 😀 \u202e abc", title="\u200d", rating=1e30, kind=MentionKind.REVIEW, language="xx")
def test_any_text_at_all_is_answered_in_range(
    text: str, title: str | None, rating: float | None, kind: MentionKind, language: str | None
) -> None:
    reading = Reading(key="k", text=text, title=title, rating=rating, kind=kind, language=language)
    found = Analyst().analyse([reading])[0]
    assert set(found.lane_probabilities) == {"service", "experience", "noise"}
    if found.lane is not Lane.UNSCORED and not found.grave:
        assert sum(chance or 0 for chance in found.lane_probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert 0 <= (found.complaint_probability or 0) <= 1
    score = found.sentiment_score or 0
    assert -1 <= score <= 1
    assert score <= 0 if found.sentiment is Feeling.NEGATIVE else True
    assert score >= 0 if found.sentiment is Feeling.POSITIVE else True
    assert (found.category is not None) == (found.urgency is not None) == (found.lane is Lane.SERVICE)
    assert (found.factor is not None) == (found.lane is Lane.EXPERIENCE)
    for reason in found.reasons:
        if reason.start is not None:
            assert reading.words[reason.start : reason.end] == reason.text


@given(st.lists(st.sampled_from(MENTIONS) | st.text(max_size=60), max_size=6))
def test_one_by_one_equals_all_at_once(texts: list[str]) -> None:
    readings = [Reading(key=str(at), text=text) for at, text in enumerate(texts)]
    analyst = Analyst()
    assert analyst.analyse(readings) == [analyst.analyse([reading])[0] for reading in readings]


def test_many_threads_say_what_one_says() -> None:
    readings = [Reading(key=str(at), text=f"{text} {at}") for at, text in enumerate(MENTIONS * 20)]
    alone = Analyst().analyse(readings)
    shipped.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda reading: Analyst().analyse([reading])[0], readings))
    assert together == alone


def test_an_analyst_survives_pickling_and_names_its_weights() -> None:
    analyst = Analyst()
    again = pickle.loads(pickle.dumps(analyst))
    assert again.version == analyst.version
    assert shipped().digest[:12] in analyst.version
    found = again.analyse([Reading(key="k", text="hello there")])[0]
    assert (found.version, found.versions) == (analyst.version, analyst.versions)


@pytest.mark.parametrize("text", ["refund " * 14_286, "a" * 100_000, "@" * 100_000, "😡" * 100_000, "не" * 50_000])
def test_a_hundred_thousand_characters_take_less_than_a_second(text: str) -> None:
    Analyst().analyse([Reading(key="warm", text="hello")])
    started = time.perf_counter()
    Analyst().analyse([Reading(key="k", text=text)])
    assert time.perf_counter() - started < 1

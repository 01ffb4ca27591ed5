import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.analysis import Analyst
from pipeline.classifier import Reading
from pipeline.mention import MentionKind
from pipeline.triage.judge import SURE, Effort, Triage, blended
from pipeline.triage.model import HEADS, shipped
from pipeline.triage.second import LARGE, SMALL, named
from pipeline.triage.without import MOST, without

TEXTS = (
    "Ordered two weeks ago and still no sign of it. Anybody there?",
    "Best coffee in town, and the staff know my name",
    "We are hiring! Apply now link",
    "It keeps logging me out since the update",
    "hmm",
)


def readings(*texts: str) -> list[Reading]:
    return [Reading(key=str(at), text=text) for at, text in enumerate(texts)]


def chances() -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(1e-4, 1.0), min_size=3, max_size=3).map(lambda raw: [one / sum(raw) for one in raw])


@given(chances(), chances(), st.floats(0, 1))
def test_a_blend_is_a_distribution_between_its_two_opinions(one: list[float], other: list[float], trust: float) -> None:
    mixed = blended(one, other, trust)
    assert sum(mixed) == pytest.approx(1.0)
    assert blended(one, other, 0.0) == one
    assert blended(one, other, 1.0) == pytest.approx(other, abs=1e-6)
    if np.argmax(one) == np.argmax(other):
        assert np.argmax(mixed) == np.argmax(one)


def test_fast_never_asks_accurate_always_and_auto_where_the_first_is_not_sure() -> None:
    said = readings(*TEXTS)
    fast, auto = (Triage(effort).chances(said) for effort in (Effort.FAST, Effort.AUTO))
    accurate = Triage(Effort.ACCURATE, classifier=str(SMALL)).chances(said)  # the small one alone, as in auto
    differ = [own != {head: other[head] for head in HEADS} for own, other in zip(fast, accurate, strict=True)]
    assert all(differ), "a second opinion moves every number a little"
    for own, between, slow in zip(fast, auto, accurate, strict=True):
        unsure = any(max(own[head]) < least for head, least in SURE.items())
        assert between == (slow if unsure else own)


def test_accurate_asks_the_large_one_after_the_small_one() -> None:
    said = readings(*TEXTS)
    after_small, after_both = (Triage(Effort.ACCURATE, classifier=told).chances(said) for told in (str(SMALL), None))
    large = named(str(LARGE))
    for known, opinion, both in zip(after_small, large.opinions(said), after_both, strict=True):
        for head in HEADS:
            assert both[head] == blended(known[head], opinion.chances[head], large.trust[head])


@pytest.mark.parametrize("effort", list(Effort))
def test_one_by_one_is_as_good_as_all_at_once(effort: Effort) -> None:
    triage, said = Triage(effort), readings(*TEXTS, *TEXTS[::-1])
    assert triage.classify(said) == [triage.classify([one])[0] for one in said]


def test_the_stars_are_heard_by_both_models() -> None:
    few, many = (
        Reading(key="k", text="Well.", kind=MentionKind.REVIEW, rating=stars, rating_max=5) for stars in (1.0, 5.0)
    )
    for effort in (Effort.FAST, Effort.ACCURATE):
        low, high = Triage(effort).classify([few, many])
        assert low.sentiment_score < high.sentiment_score


def test_reasons_of_a_blend_are_spans_of_the_words_and_name_what_carries_it() -> None:
    said = "The sole came off after two days, and nobody answers my mails!"
    verdict = Triage(Effort.ACCURATE).classify(readings(said))[0]
    assert verdict.lane == "service"
    carrying = [reason for reason in verdict.reasons if reason.field == "lane"]
    assert carrying
    for reason in verdict.reasons:
        assert said[reason.start : reason.end] == reason.text
        assert reason.weight > 0
    weights = [reason.weight for reason in carrying]
    assert weights == sorted(weights, reverse=True)


def test_versions_name_the_weights_that_had_a_say() -> None:
    fast, auto = Analyst(Effort.FAST), Analyst()
    assert fast.versions["triage"] == f"triage-3-{shipped().digest[:12]}"
    assert "second" not in fast.versions
    assert auto.versions["second"] == named().version
    assert "third" not in auto.versions
    assert Analyst(Effort.ACCURATE).versions["third"] == named(str(LARGE)).version
    assert fast.version != auto.version != Analyst(Effort.ACCURATE).version


def test_an_analyst_travels_between_processes() -> None:
    sent = pickle.loads(pickle.dumps(Analyst(Effort.AUTO)))
    assert sent.version == Analyst(Effort.AUTO).version


def test_without_a_word_the_answer_it_carried_is_less_sure() -> None:
    words = ["My", "parcel", "never", "arrived,", "please", "refund", "me"]
    told = without(Triage(Effort.AUTO), readings(" ".join(words))[0], ("lane", "sentiment"))
    assert [one.field for one in told] == ["lane", "sentiment"]
    lane = told[0]
    assert lane.answer == "service"
    assert lane.reasons[0].weight > 0
    assert {reason.text for reason in lane.reasons} == set(words)
    assert lane.reasons == sorted(lane.reasons, key=lambda reason: -reason.weight)


def test_a_long_text_is_taken_several_words_at_a_time() -> None:
    told = without(Triage(Effort.FAST), readings(" ".join(["word"] * 700))[0], ("lane",))
    assert len(told[0].reasons) <= MOST


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=300))
def test_any_text_at_all_is_judged(text: str) -> None:
    for told in Triage(Effort.ACCURATE).chances(readings(text)):
        assert set(told) == ({*HEADS, "grave"} if text.split() else set(HEADS))
        for one in told.values():
            assert sum(one) == pytest.approx(1.0, abs=1e-4)
            assert all(0 <= chance <= 1 for chance in one)

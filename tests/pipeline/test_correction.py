"""A person's answer takes the place of the classifiers', and says no more than the person said."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.analysis import Analysis
from pipeline.classifier import Reason
from pipeline.correction import (
    ANSWERS,
    SAID_SO,
    Correction,
    Question,
    by_person,
    confirmations,
    corrected,
    corrections,
)
from pipeline.sentiment import Feeling
from pipeline.triage import Category, Factor, Lane, Urgency

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
JUDGED: dict[str, Any] = {
    "mention_key": "forum:1",
    "version": "v1",
    "versions": {"triage": "v1"},
    "language": "en",
    "lane": "service",
    "lane_probabilities": {"service": 0.9, "experience": 0.07, "noise": 0.03},
    "needs_reply": True,
    "complaint": True,
    "complaint_probability": 0.8,
    "sentiment": "negative",
    "sentiment_score": -0.4,
    "category": "product_defect",
    "urgency": "high",
    "stage": "use",
    "touchpoint": "product",
    "factor": None,
    "grave": [],
    "reasons": [
        Reason(field="lane", text="fell apart", start=9, end=19, weight=1.5),
        Reason(field="category", text="shoes", start=3, end=8, weight=0.5),
    ],
}
PRAISE = {"lane": "experience", "needs_reply": False, "category": None, "urgency": None, "factor": "price_value"}


def judged(**said: object) -> Analysis:
    return Analysis.model_validate(JUDGED | said)


def tell(analysis: Analysis, *known: Correction, **answers: str) -> list[Correction]:
    return corrections(analysis, known, {Question(name): said for name, said in answers.items()}, by="Ann", at=NOON)


analyses = st.fixed_dictionaries(
    {
        "lane": st.sampled_from([*Lane]),
        "needs_reply": st.booleans(),
        "category": st.sampled_from([*Category]),
        "urgency": st.sampled_from([*Urgency]),
        "factor": st.sampled_from([None, *Factor]),
        "sentiment": st.sampled_from([*Feeling]),
        "grave": st.sampled_from([[], ["injury"]]),
    }
).map(lambda said: judged(**said | ({} if said["lane"] == "service" else {"category": None, "urgency": None})))
answers = st.fixed_dictionaries(
    {}, optional={question: st.sampled_from(ANSWERS[question]) for question in Question}
).filter(bool)


@given(before=analyses, later=analyses, given_=answers)
def test_what_a_person_said_holds_for_any_judgement_and_saying_it_again_changes_nothing(
    before: Analysis, later: Analysis, given_: dict[Question, str]
) -> None:
    try:
        told = corrections(before, [], given_, by="Ann", at=NOON)
    except ValueError as error:
        assert "belongs to the service lane" in str(error)  # noqa: PT017 - either this or the rest holds
        return
    for analysis in (before, later):
        made = corrected(analysis, told)
        for question, answer in given_.items():
            if question in {Question.LANE, Question.SENTIMENT} or made.lane is Lane.SERVICE:
                assert getattr(made, question) == answer
        assert corrected(made, told) == made
        if Question.LANE in given_:
            service = given_[Question.LANE] == Lane.SERVICE
            assert (made.category is not None, made.urgency is not None) == (service, service)
            assert made.needs_reply == service or analysis.lane == made.lane
        Analysis.model_validate(made.model_dump())


def test_a_persons_mark_stays_though_later_classifiers_agree() -> None:
    told = tell(judged(**PRAISE), lane="service", category="delivery", sentiment="positive")
    made = corrected(judged(category="delivery", sentiment="positive", sentiment_score=0.1), told)
    assert made.lane_probabilities == {"service": 1.0, "experience": 0.0, "noise": 0.0}
    assert made.sentiment_score == 1.0
    assert all(by_person(made, question) for question in (Question.LANE, Question.CATEGORY, Question.SENTIMENT))
    assert not by_person(made, Question.URGENCY)


def test_that_a_mention_could_not_be_read_holds_only_until_somebody_can() -> None:
    unread = judged(lane="unscored", sentiment="unscored", category=None, urgency=None, needs_reply=False)
    told = confirmations(unread, [], by="Ann", at=NOON)
    assert corrected(unread, told) == unread
    assert corrected(judged(), told) == judged()


def test_what_only_fills_a_place_is_nobodys_answer_unless_somebody_says_it() -> None:
    before = judged(**PRAISE)
    moved = tell(before, lane="service")
    now = corrected(before, moved)
    assert (now.category, now.urgency) == (Category.OTHER, Urgency.NORMAL)
    assert {one.field for one in confirmations(now, moved, by="Bob", at=NOON)} == {Question.SENTIMENT}
    (said,) = tell(now, *moved, category="other")
    assert (said.said, said.erred) == (None, True)
    assert by_person(corrected(before, [*moved, said]), Question.CATEGORY)


@given(analysis=analyses)
def test_confirming_everything_changes_nothing(analysis: Analysis) -> None:
    told = confirmations(analysis, [], by="Ann", at=NOON)
    assert told
    assert not any(one.erred for one in told)
    assert corrected(analysis, told) == analysis


def test_a_mention_corrected_to_service_has_the_plainest_category_and_urgency_unless_they_are_said() -> None:
    before = judged(**PRAISE)
    made = corrected(before, tell(before, lane="service"))
    assert (made.category, made.urgency, made.factor, made.needs_reply) == (
        Category.OTHER,
        Urgency.NORMAL,
        None,
        True,
    )
    made = corrected(before, tell(before, lane="service", category="delivery", urgency="high"))
    assert (made.category, made.urgency) == (Category.DELIVERY, Urgency.HIGH)


def test_away_from_service_nobody_is_owed_a_reply_and_the_old_reasons_are_gone() -> None:
    before = judged(grave=["injury"])
    made = corrected(before, tell(before, lane="noise"))
    assert (made.category, made.urgency, made.needs_reply, made.grave) == (None, None, False, ["injury"])
    assert [(reason.field, reason.text) for reason in made.reasons] == [("lane", SAID_SO)]
    assert by_person(made, Question.LANE)
    assert not by_person(before, Question.LANE)


def test_a_corrected_sentiment_is_certain() -> None:
    before = judged()
    made = corrected(before, tell(before, sentiment="positive"))
    assert (made.sentiment, made.sentiment_score) == (Feeling.POSITIVE, 1.0)
    assert made.lane_probabilities == before.lane_probabilities


def test_the_answer_that_erred_is_the_classifiers_own_even_after_another_persons() -> None:
    before = judged()
    first = tell(before, lane="noise")
    now = corrected(before, first)
    second = tell(now, *first, lane="experience")
    assert (second[0].said, second[0].version) == ("service", "v1")
    assert not tell(now, *first, lane="service")[0].erred
    assert tell(now, *first, lane="noise") == []


def test_a_category_outside_service_has_no_answer_that_erred() -> None:
    before = judged(**PRAISE)
    assert [one.said for one in tell(before, lane="service", category="delivery")] == ["experience", None]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"lane": "unscored"}, '"unscored" is no lane; say one of: service, experience, noise'),
        ({"category": "delivry"}, '"delivry" is no category; say one of: product_defect, '),
        ({"urgency": ""}, '"" is no urgency; say one of: critical, high, normal, low'),
        ({"sentiment": "happy"}, '"happy" is no sentiment; say one of: negative, neutral, positive'),
        ({"lane": "noise", "category": "delivery"}, "category belongs to the service lane, and this is noise"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_with_those_that_can(said: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        tell(judged(), **said)


@pytest.mark.parametrize("say", [corrections, confirmations])
def test_somebody_must_have_said_it(say: Callable[..., list[Correction]]) -> None:
    known: tuple[object, ...] = ([], {Question.LANE: "noise"}) if say is corrections else ([],)
    with pytest.raises(ValueError, match="say who"):
        say(judged(), *known, by=" ", at=NOON)


def test_a_time_without_its_zone_is_refused() -> None:
    told = tell(judged(), lane="noise")[0].model_dump()
    with pytest.raises(ValueError, match="time zone"):
        Correction.model_validate(told | {"at": datetime(2026, 3, 14)})  # noqa: DTZ001 - that is the point

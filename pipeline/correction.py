"""Correction: what a person says the answer should have been, and what that changes at once."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import field_validator
from sqlmodel import Field, SQLModel

from pipeline.analysis import Analysis
from pipeline.classifier import Reason
from pipeline.sentiment import Feeling
from pipeline.text import storable
from pipeline.triage import Category, Lane, Urgency

SAID_SO = "a person said so"
"""The reason of an answer that a person gave."""
_FEELS = {Feeling.NEGATIVE: -1.0, Feeling.NEUTRAL: 0.0, Feeling.POSITIVE: 1.0}


class Question(StrEnum):
    """What a person may correct."""

    LANE = "lane"
    CATEGORY = "category"
    URGENCY = "urgency"
    SENTIMENT = "sentiment"


ANSWERS: Mapping[Question, tuple[str, ...]] = {
    Question.LANE: tuple(lane.value for lane in Lane if lane is not Lane.UNSCORED),
    Question.CATEGORY: tuple(category.value for category in Category),
    Question.URGENCY: tuple(urgency.value for urgency in Urgency),
    Question.SENTIMENT: tuple(feeling.value for feeling in Feeling if feeling is not Feeling.UNSCORED),
}
"""What may be said to each question. "unscored" is no answer a person needs: they can read."""


class Correction(SQLModel):
    """The right answer to one question about one mention, by a person's word. One that says the same confirms it.

    `said` is what the classifiers had answered, null where they were not asked (a category outside service), and
    `version` is theirs. A later correction of the same question takes the place of this one, which stays on record; one
    of words that were edited since says nothing of the new.
    """

    key: str = Field(description="Made from the rest, so that saying it twice is saying it once.")
    mention_key: str
    field: Question
    said: str | None
    answer: str
    by: str = Field(description="Who says so.")
    at: datetime
    version: str
    wording: int = Field(default=0, description="How often the words had been edited when they were read.")

    @field_validator("by", mode="before")
    @classmethod
    def _storable(cls, value: object) -> object:
        return storable(value).strip() if isinstance(value, str) else value

    @field_validator("at", mode="after")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            message = "a time needs its time zone"
            raise ValueError(message)
        return value.astimezone(UTC)

    @property
    def erred(self) -> bool:
        """Whether the classifiers were wrong; else a person confirms them."""
        return self.said != self.answer


def corrections(
    analysis: Analysis,
    known: Sequence[Correction],
    answers: Mapping[Question, str],
    *,
    by: str,
    at: datetime,
    wording: int = 0,
) -> list[Correction]:
    """What a person says of an analysis, one correction for each question they answer anew.

    `known` are the corrections that hold for this mention so far; one that is said again is left out. `wording` is how
    often its words were edited before they were read. ValueError, in
    words for that person, for an answer that cannot be, or for a category or urgency outside the service lane.
    """
    if not by.strip():
        raise ValueError("say who corrects it, such as --by Ann")
    for question, answer in answers.items():
        if answer not in ANSWERS[question]:
            raise ValueError(f'"{answer}" is no {question}; say one of: {", ".join(ANSWERS[question])}')
    lane = answers.get(Question.LANE, analysis.lane)
    for question in (Question.CATEGORY, Question.URGENCY):
        if question in answers and lane != Lane.SERVICE:
            raise ValueError(f"{question} belongs to the service lane, and this is {lane}; say --lane service as well")
    return _said(analysis, known, answers, by=by, at=at, wording=wording)


def confirmations(
    analysis: Analysis, known: Sequence[Correction], *, by: str, at: datetime, wording: int = 0
) -> list[Correction]:
    """All answers of an analysis, confirmed: also that it could not be judged, if that is what it says.

    The category and urgency of what a person moved to service are nobody's answers, unless somebody gave them.
    """
    if not by.strip():
        raise ValueError("say who confirms it, such as --by Ann")
    given = {question: getattr(analysis, question) for question in Question}
    answers = {
        question: str(answer)
        for question, answer in given.items()
        if answer is not None and not _filled_in(known, question)
    }
    if analysis.lane is not Lane.UNSCORED and analysis.sentiment is Feeling.UNSCORED:
        del answers[Question.SENTIMENT]
    return _said(analysis, known, answers, by=by, at=at, wording=wording)


def answered(analysis: Analysis, known: Sequence[Correction], question: Question) -> str | None:
    """What the classifiers answered, whatever people said since; None where they were not asked."""
    for correction in known:
        if correction.field == question:
            return correction.said
    answer = getattr(analysis, question)
    return None if answer is None or _filled_in(known, question) else str(answer)


def _filled_in(known: Sequence[Correction], question: Question) -> bool:
    """Whether an answer only fills the place of one: a person moved the mention to service, and said no more."""
    if question not in {Question.CATEGORY, Question.URGENCY}:
        return False
    moved = any(one.field is Question.LANE and one.erred and one.answer == Lane.SERVICE for one in known)
    return moved and not any(one.field == question for one in known)


def _said(
    analysis: Analysis,
    known: Sequence[Correction],
    answers: Mapping[Question, str],
    *,
    by: str,
    at: datetime,
    wording: int,
) -> list[Correction]:
    held = {correction.field: correction for correction in known}
    made = []
    for question, answer in answers.items():
        before = held.get(question)
        if before is not None and before.answer == answer:
            continue
        # An answer that a person gave is not one that erred: the classifiers' own stands on the correction before.
        version = analysis.version if before is None else before.version
        parts = f"{analysis.mention_key}\n{question}\n{answer}\n{by}\n{at.isoformat()}"
        made.append(
            Correction(
                key=f"K-{hashlib.sha256(parts.encode('utf-8', 'replace')).hexdigest()[:24]}",
                mention_key=analysis.mention_key,
                field=question,
                said=answered(analysis, known, question),
                answer=answer,
                by=by,
                at=at,
                version=version,
                wording=wording,
            )
        )
    return made


def by_person(analysis: Analysis, question: Question) -> bool:
    """Whether a person gave this answer, against what the classifiers said then or would say now."""
    return any(reason.field == question and reason.text == SAID_SO for reason in analysis.reasons)


def corrected(analysis: Analysis, told: Sequence[Correction]) -> Analysis:
    """The analysis with a person's answers in it, whatever version of the classifiers made it.

    `told` holds at most one correction for each question. An answer that was wrong, then or now, is certain (its
    probability is 1) and carries no reason but that a person said so, whether or not later classifiers agree. That a
    mention could not be judged holds for those who could not: others may learn to. A mention corrected to service
    without a category or urgency has the plainest: "other" and "normal". One corrected away from it needs no reply:
    somebody has looked at it.
    """
    words = {correction.field: correction for correction in told}
    made = analysis
    lane = words.get(Question.LANE)
    if lane is not None and lane.answer != Lane.UNSCORED and _holds(lane, made):
        made = _in_lane(made, lane)
    if made.lane is Lane.SERVICE:
        for question in (Question.CATEGORY, Question.URGENCY):
            if question in words and _holds(words[question], made):
                made = _with(made, words[question])
    feeling = words.get(Question.SENTIMENT)
    if feeling is not None and feeling.answer != Feeling.UNSCORED and _holds(feeling, made):
        made = _with(made, feeling)
        made = made.model_copy(update={"sentiment_score": _FEELS[Feeling(feeling.answer)]})
    return made


def _holds(correction: Correction, analysis: Analysis) -> bool:
    """Whether a person's word says more than the classifiers do by themselves."""
    return correction.erred or getattr(analysis, correction.field) != correction.answer


def _in_lane(analysis: Analysis, correction: Correction) -> Analysis:
    lane = Lane(correction.answer)
    service = lane is Lane.SERVICE
    changed = _with(analysis, correction)
    update: dict[str, object] = {
        # As the model's own, so that whoever reads one can read the other.
        "lane_probabilities": {name: float(name == lane) for name in ANSWERS[Question.LANE]},
        "needs_reply": service,
        "category": (analysis.category or Category.OTHER) if service else None,
        "urgency": (analysis.urgency or Urgency.NORMAL) if service else None,
        "factor": analysis.factor if lane is Lane.EXPERIENCE else None,
    }
    if not service:
        gone = {Question.CATEGORY, Question.URGENCY}
        update["reasons"] = [reason for reason in changed.reasons if reason.field not in gone]
    return changed.model_copy(update=update)


def _with(analysis: Analysis, correction: Correction) -> Analysis:
    """The analysis with this answer, and a person's word instead of the reasons for the one it had."""
    kind = {Question.LANE: Lane, Question.CATEGORY: Category, Question.URGENCY: Urgency, Question.SENTIMENT: Feeling}
    question = correction.field
    said = [one for one in Question if one is question or by_person(analysis, one)]
    words = [Reason(field=one, text=SAID_SO, weight=1.0) for one in said]
    others = [reason for reason in analysis.reasons if reason.field not in said]
    return analysis.model_copy(update={str(question): kind[question](correction.answer), "reasons": [*words, *others]})

"""Analysis: every judgement of one mention; the Analyst who makes them."""

import gc
from collections.abc import Sequence
from hashlib import sha256
from threading import Lock
from typing import Any

from sqlmodel import Field, SQLModel

from pipeline import language as languages
from pipeline.classifier import Reading, Reason
from pipeline.language import language
from pipeline.sentiment import READ, Feeling, Vader
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint, Urgency
from pipeline.triage import grave as signals
from pipeline.triage.grave import Signal, grave
from pipeline.triage.judge import Effort, Triage, Verdict
from pipeline.triage.lesson import Lesson
from pipeline.triage.model import stars_said
from pipeline.trusted import trusted

RULES = "analysis-4"
"""Changes with the rules of this file."""
_LOW, _NEGATIVE, _POSITIVE = 0.25, 0.4, 0.7
"""Bounds for stars, as shares of their scale: what a person should look at, what is negative and what positive."""
_SURELY_NOISE = 0.95
"""Of the grave signals in labelled noise, most are news, advice or banter, which the models know well by this bound;
below it they take some people's wounds for noise as well."""
_SURELY_GLAD = 0.8
"""A sentiment score from which on a grave signal in words we can read is a way of speaking: of 29 signals in 600
reviews of restaurants it silences 13, of 154 written to be found 4."""
_OWN_CATEGORY = frozenset({"data_leak", "press"})
"""Signals that somebody else must answer than those who see to harm and law: the category stays the model's."""


class Analysis(SQLModel):
    """All judgements of one mention by one version of the classifiers. Can always be made again.

    Probabilities are 0..1; `sentiment_score` is -1..1 and a strength. A field is null where it does not apply, and
    `lane` and `sentiment` are "unscored" where we cannot judge (their numbers are then null).
    """

    mention_key: str
    version: str = Field(description="One name for all versions together: changes whenever an answer could.")
    versions: dict[str, str]
    language: str | None
    lane: Lane
    lane_probabilities: dict[str, float | None]
    needs_reply: bool
    complaint: bool | None
    complaint_probability: float | None
    sentiment: Feeling
    sentiment_score: float | None
    category: Category | None
    urgency: Urgency | None
    stage: Stage | None
    touchpoint: Touchpoint | None
    factor: Factor | None
    grave: list[str] = Field(description="Signals that go first whatever the lane, such as injury.")
    reasons: list[Reason]


class _Uncollected:
    """No search for garbage in circles meanwhile: judging leaves none, and the search took a fifth of its time.

    The collector is one for all threads: the first one in turns it off, and the last one out on again.
    """

    def __init__(self) -> None:
        self._turn, self._inside, self._searched = Lock(), 0, False

    def __enter__(self) -> None:
        with self._turn:
            if not self._inside:
                self._searched = gc.isenabled()
                gc.disable()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._turn:
            self._inside -= 1
            if not self._inside and self._searched:
                gc.enable()


_UNCOLLECTED = _Uncollected()


class Analyst:
    """Makes analyses: reads the language, then sentiment, triage and the grave signals.

    Holds no weights itself: it is cheap to make, to pickle and to share between threads.
    """

    def __init__(
        self, effort: Effort = Effort.AUTO, *, classifier: str | None = None, lesson: Lesson | None = None
    ) -> None:
        """`effort` is the dial; `classifier` names another than those that ship; `lesson`: what corrections taught."""
        self.effort, self.classifier, self.lesson = Effort(effort), classifier, lesson

    @property
    def triage(self) -> Triage:
        """Who judges the words."""
        return Triage(self.effort, classifier=self.classifier, lesson=self.lesson)

    @property
    def versions(self) -> dict[str, str]:
        """Who judged what, each by its version."""
        triage = self.triage.versions
        return {
            "language": languages.VERSION,
            "sentiment": triage["triage"],  # one model for both, with what VADER says as one fact
            "vader": Vader.version,
            **triage,
            "grave": signals.VERSION,
            "rules": RULES,
        }

    @property
    def version(self) -> str:
        """One name for all versions together."""
        versions = self.versions
        return f"{versions['triage']}-{sha256(repr(sorted(versions.items())).encode()).hexdigest()[:8]}"

    def analyse(self, readings: Sequence[Reading]) -> list[Analysis]:
        """One analysis for each reading, in order. Any text at all is answered, the same alone or among others."""
        with _UNCOLLECTED:
            return self._analyses(readings)

    def _analyses(self, readings: Sequence[Reading]) -> list[Analysis]:
        version, versions = self.version, self.versions
        found = [language(reading.words, reading.language) for reading in readings]
        speaks = [_speaks(reading.words) for reading in readings]
        readable = [at for at, one in enumerate(found) if one.readable and speaks[at]]
        verdicts = dict(zip(readable, self.triage.classify([readings[at] for at in readable]), strict=True))
        told = []
        for at, reading in enumerate(readings):
            judged = _judged(verdicts[at]) if at in verdicts else _unscored(reading, speaks=speaks[at])
            heard = grave(reading.words)
            if at in verdicts:
                heard = _believed(heard, verdicts[at])
            if heard:
                judged |= _grave(heard, judged)
            judged["mention_key"], judged["version"], judged["versions"] = reading.key, version, dict(versions)
            judged["language"], judged["grave"] = found[at].code, [signal.name for signal in heard]
            told.append(trusted(Analysis, judged))
        return told


def _judged(verdict: Verdict) -> dict[str, Any]:
    judged = verdict._asdict()
    del judged["grave"]
    judged["needs_reply"] = verdict.lane is Lane.SERVICE
    return judged


def _speaks(words: str) -> bool:
    """Whether there is anything to judge: a letter or digit, or a sign that is no punctuation, such as an emoji."""
    return any(letter.isalpha() or (letter > "\u2000" and letter.isprintable()) for letter in words[:READ])


def _unscored(reading: Reading, *, speaks: bool) -> dict[str, Any]:
    """What we can say where no words can be read: the stars speak for the feeling.

    A low rating with words wants a person to look at them; one without words is for the reports.
    """
    stars = reading.stars
    judged: dict[str, Any] = dict.fromkeys(
        (
            "complaint",
            "complaint_probability",
            "category",
            "urgency",
            "stage",
            "touchpoint",
            "factor",
            "sentiment_score",
        )
    )
    judged |= {"lane": Lane.UNSCORED, "sentiment": Feeling.UNSCORED, "reasons": [], "needs_reply": False}
    judged["lane_probabilities"] = {lane.value: None for lane in Lane if lane is not Lane.UNSCORED}
    if stars is None:
        return judged
    feeling = Feeling.NEGATIVE if stars <= _NEGATIVE else Feeling.POSITIVE if stars >= _POSITIVE else Feeling.NEUTRAL
    score = round(2 * stars - 1, 4)
    rating = Reason(field="sentiment", text=stars_said(reading), weight=round(abs(score), 3))
    return judged | {
        "sentiment": feeling,
        "sentiment_score": score,
        "needs_reply": speaks and stars <= _LOW,
        "reasons": [rating],
    }


def _believed(heard: list[Signal], verdict: Verdict) -> list[Signal]:
    """The signals the phrases found, or else the one a model hears; none in surely glad words."""
    if verdict.sentiment_score >= _SURELY_GLAD:
        return []
    return heard or ([verdict.grave] if verdict.grave else [])


def _grave(heard: list[Signal], judged: dict[str, Any]) -> dict[str, Any]:
    """What a grave signal changes: somebody must look, now, whatever lane the models say.

    The lane becomes service as well, unless the model is sure of noise: news of a fraud is no case, but wants a look.
    """
    reasons = [
        Reason(field="grave", text=signal.text, start=signal.start, end=signal.end, weight=1.0)
        for signal in heard
        if signal.text
    ]
    changed = {"needs_reply": True, "reasons": reasons + judged["reasons"]}
    if (judged["lane_probabilities"][Lane.NOISE] or 0.0) >= _SURELY_NOISE:
        return changed
    own = judged["category"] if all(signal.name in _OWN_CATEGORY for signal in heard) else None
    return changed | {
        "lane": Lane.SERVICE,
        "category": own or Category.SAFETY_LEGAL,
        "urgency": Urgency.CRITICAL,
        "factor": None,
    }

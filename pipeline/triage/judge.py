"""The verdict: answers and their reasons from what the models say, made to agree with each other.

A cascade (Viola and Jones, CVPR 2001, made the idea known): the fast model reads everything; where it is not sure, a
slower one is asked and the two are weighed together. One dial, `effort`, says how often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pipeline.classifier import Reading, Reason
from pipeline.sentiment import Feeling, Vader
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint, Urgency
from pipeline.triage.lesson import Lesson
from pipeline.triage.model import HEADS, Scored, shipped
from pipeline.triage.reasons import carried
from pipeline.triage.second import Opinion, named

Chances = Mapping[str, Sequence[float]]


class Effort(StrEnum):
    """How hard we think: the fast model alone, a second opinion where it is not sure, or one on everything."""

    FAST = "fast"
    AUTO = "auto"
    ACCURATE = "accurate"


SURE: Mapping[str, float] = {"lane": 0.65, "complaint": 0.62, "sentiment": 0.55}
"""In `auto` no second opinion is asked for where every one of these answers is at least so probable."""
_LEAST = 1e-6
"""No model is ever surer than this: a logarithm must be finite."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the triage says of one reading. Category and urgency only in service, factor only in experience.

    `lane_probabilities` and `complaint_probability` are 0..1; `sentiment_score` is the feeling to be expected when
    negative counts -1 and positive +1, so it never points away from the answer.
    """

    lane: Lane
    lane_probabilities: dict[str, float]
    complaint: bool
    complaint_probability: float
    sentiment: Feeling
    sentiment_score: float
    category: Category | None
    urgency: Urgency | None
    stage: Stage | None
    touchpoint: Touchpoint | None
    factor: Factor | None
    reasons: list[Reason]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the models said of one reading, and what came of it."""

    scored: Scored
    opinion: Opinion | None
    trust: Mapping[str, float]
    lesson: Lesson | None
    chances: Chances

    def reasons(self, heads: Sequence[str]) -> list[Reason]:
        if self.opinion is not None or self.lesson is not None:
            return carried(heads, self.chances, self.scored, opinion=self.opinion, trust=self.trust, lesson=self.lesson)
        return [
            Reason(field=head, text=share.text, start=share.start, end=share.end, weight=share.weight)
            for head, share in self.scored.reasons(heads)
        ]


class Triage:
    """Asks the models and keeps their answers consistent. Holds no weights itself: cheap to make and to pickle."""

    def __init__(
        self, effort: Effort = Effort.AUTO, *, classifier: str | None = None, lesson: Lesson | None = None
    ) -> None:
        """`classifier` names another second opinion than the one that ships: see `second.named`."""
        self.effort = Effort(effort)
        self._classifier = classifier
        self._lesson = lesson

    @property
    def versions(self) -> dict[str, str]:
        """Who has a say, each by its version; the weights' hashes are part of them."""
        told = {"triage": f"triage-3-{shipped().digest[:12]}", "effort": self.effort.value}
        if self.effort is not Effort.FAST:
            told["second"] = named(self._classifier).version
        if self._lesson is not None:
            told["lesson"] = self._lesson.version
        return told

    def classify(self, readings: Sequence[Reading]) -> list[Verdict]:
        """One verdict for each reading, in order; English is taken for granted."""
        return [self._verdict(one) for one in self._judged(readings)]

    def chances(self, readings: Sequence[Reading]) -> list[Chances]:
        """The probabilities behind the verdicts: for each head those of its answers, in the order of `HEADS`."""
        return [one.chances for one in self._judged(readings)]

    def _judged(self, readings: Sequence[Reading]) -> list[_Judged]:
        vader = Vader()
        scored = shipped().score_all(readings, [vader.strength(reading.words) for reading in readings])
        asked = [at for at, one in enumerate(scored) if self._asks(one)]
        told: dict[int, Opinion] = {}
        trust: Mapping[str, float] = {}
        if asked:
            second = named(self._classifier)
            trust = second.trust
            told = dict(zip(asked, second.opinions([readings[at] for at in asked]), strict=True))
        found = []
        for at, (reading, one) in enumerate(zip(readings, scored, strict=True)):
            opinion = told.get(at)
            chances: Chances = one.probabilities
            if opinion is not None:
                chances = {
                    head: blended(own, opinion.chances.get(head), trust.get(head, 0.0)) for head, own in chances.items()
                }
            if self._lesson is not None:
                chances = self._lesson.adjust(reading.words, chances, one.tokens)
            found.append(_Judged(one, opinion, trust, self._lesson, chances))
        return found

    def _asks(self, scored: Scored) -> bool:
        if self.effort is Effort.FAST:
            return False
        return self.effort is Effort.ACCURATE or any(
            max(scored.probabilities[head]) < least for head, least in SURE.items()
        )

    def _verdict(self, judged: _Judged) -> Verdict:
        chances = judged.chances
        answers = {head: HEADS[head][max(range(len(one)), key=one.__getitem__)] for head, one in chances.items()}
        lane = Lane(answers["lane"])
        service, experience = lane is Lane.SERVICE, lane is Lane.EXPERIENCE
        stage, touchpoint = answers["stage"], answers["touchpoint"]
        feelings = dict(zip(HEADS["sentiment"], chances["sentiment"], strict=True))
        explained = ("lane", "complaint", "sentiment", "category") if service else ("lane", "complaint", "sentiment")
        return Verdict(
            lane=lane,
            lane_probabilities={
                name: round(chance, 4) for name, chance in zip(HEADS["lane"], chances["lane"], strict=True)
            },
            complaint=answers["complaint"] == "yes",
            complaint_probability=round(chances["complaint"][1], 4),
            sentiment=Feeling(answers["sentiment"]),
            sentiment_score=round(feelings[Feeling.POSITIVE] - feelings[Feeling.NEGATIVE], 4),
            category=Category(answers["category"]) if service else None,
            urgency=Urgency(answers["urgency"]) if service else None,
            stage=None if stage == "none" else Stage(stage),
            touchpoint=None if touchpoint == "none" else Touchpoint(touchpoint),
            factor=Factor(answers["factor"]) if experience else None,
            reasons=judged.reasons(explained),
        )


def blended(fast: Sequence[float], second: Sequence[float] | None, trust: float) -> Sequence[float]:
    """The two opinions of one head as one: the geometric mean, weighed by `trust` in the second."""
    if second is None or trust == 0.0:
        return fast
    logs = (1 - trust) * np.log(np.maximum(fast, _LEAST)) + trust * np.log(np.maximum(second, _LEAST))
    raised = np.exp(logs - logs.max())
    told: list[float] = (raised / raised.sum()).tolist()
    return told

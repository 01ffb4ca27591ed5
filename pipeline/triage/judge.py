"""The verdict: answers and their reasons from what the models say, made to agree with each other.

A cascade (Viola and Jones, CVPR 2001, made the idea known): the fast model reads everything; where it is not sure, a
slower one is asked and the two are weighed together; a large one, slower still, can be asked after both. One dial,
`effort`, says who is asked how often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from pipeline.classifier import Reading, Reason
from pipeline.sentiment import Feeling, Vader
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint, Urgency
from pipeline.triage.grave import Signal
from pipeline.triage.lesson import Lesson
from pipeline.triage.model import GRAVE, HEADS, Scored, shipped
from pipeline.triage.reasons import carried
from pipeline.triage.second import LARGE, Opinion, Second, named

Chances = Mapping[str, Sequence[float]]


class Effort(StrEnum):
    """How hard we think: the fast model alone, a second opinion where it is not sure, or everybody on everything."""

    FAST = "fast"
    AUTO = "auto"
    ACCURATE = "accurate"


SURE: Mapping[str, float] = {"lane": 0.65, "complaint": 0.62, "sentiment": 0.55}
"""In `auto` no second opinion is asked for where every one of these answers is at least so probable."""
_HARMLESS = 0.3
"""A model hears a grave signal where none is no likelier than this: than that there is one. Of 441 mentions of dev it
hears 9 that no phrase finds."""
_LEAST = 1e-6
"""No model is ever surer than this: a logarithm must be finite."""
_LANES, _FEELINGS = tuple(map(Lane, HEADS["lane"])), tuple(map(Feeling, HEADS["sentiment"]))
_LANE_NAMES = tuple(lane.value for lane in _LANES)
_CATEGORIES, _URGENCIES = tuple(map(Category, HEADS["category"])), tuple(map(Urgency, HEADS["urgency"]))
_FACTORS = tuple(map(Factor, HEADS["factor"]))
_STAGES = (None, *map(Stage, HEADS["stage"][1:]))
_TOUCHPOINTS = (None, *map(Touchpoint, HEADS["touchpoint"][1:]))
"""What the numbers of the answers mean; no answer comes first where there is one."""
_NONE = (1.0,)
_YES = HEADS["complaint"].index("yes")
_POSITIVE, _NEGATIVE = _FEELINGS.index(Feeling.POSITIVE), _FEELINGS.index(Feeling.NEGATIVE)
_EXPLAINED = ("lane", "complaint", "sentiment")
_EXPLAINED_IN_SERVICE = (*_EXPLAINED, "category")


class Verdict(NamedTuple):
    """What the triage says of one reading. Category and urgency only in service, factor only in experience.

    `lane_probabilities` and `complaint_probability` are 0..1; `sentiment_score` is the feeling to be expected when
    negative counts -1 and positive +1, so it never points away from the answer. `grave` is the signal a model hears,
    with the words that speak most for it where it can say.
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
    grave: Signal | None


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the models said of one reading, and what came of it."""

    scored: Scored
    opinions: list[tuple[Opinion, Mapping[str, float]]]
    lesson: Lesson | None
    chances: Chances

    def reasons(self, heads: Sequence[str]) -> list[Reason]:
        if self.opinions or self.lesson is not None:
            return carried(heads, self.chances, self.scored, opinions=self.opinions, lesson=self.lesson)
        return self.scored.reasons(heads)

    def grave(self) -> Signal | None:
        """The most probable signal, unless none is likelier than it or than `_HARMLESS`; and its words."""
        none, *signals = self.chances.get("grave", _NONE)
        if none > _HARMLESS or none >= max(signals):
            return None
        name = GRAVE[1 + signals.index(max(signals))]
        words = next(iter(self.reasons(("grave",))), None)
        return Signal(name, words.start or 0, words.end or 0, words.text) if words else Signal(name, 0, 0, "")


class Triage:
    """Asks the models and keeps their answers consistent. Holds no weights itself: cheap to make and to pickle."""

    def __init__(
        self, effort: Effort = Effort.AUTO, *, classifier: str | None = None, lesson: Lesson | None = None
    ) -> None:
        """`classifier` names one that takes the place of those that ship: see `second.named`."""
        self.effort = Effort(effort)
        self._classifier = classifier
        self._lesson = lesson

    @property
    def versions(self) -> dict[str, str]:
        """Who has a say, each by its version; the weights' hashes are part of them."""
        told = {"triage": f"triage-3-{shipped().digest[:12]}", "effort": self.effort.value}
        told |= {name: one.version for name, one in zip(("second", "third"), self._others(), strict=False)}
        if self._lesson is not None:
            told["lesson"] = self._lesson.version
        return told

    def classify(self, readings: Sequence[Reading]) -> list[Verdict]:
        """One verdict for each reading, in order; English is taken for granted."""
        return [self._verdict(one) for one in self._judged(readings)]

    def chances(self, readings: Sequence[Reading]) -> list[Chances]:
        """The probabilities behind the verdicts: for each head those of its answers, in the order of `QUESTIONS`.

        `grave` is among the heads only where somebody was asked who answers it.
        """
        return [one.chances for one in self._judged(readings)]

    def _others(self) -> list[Second]:
        """Who is asked after the fast model, in this order. A classifier of one's own takes the place of ours."""
        if self.effort is Effort.FAST:
            return []
        ours = self.effort is Effort.ACCURATE and self._classifier is None
        return [named(self._classifier), *([named(str(LARGE))] if ours else [])]

    def _judged(self, readings: Sequence[Reading]) -> list[_Judged]:
        vader = Vader()
        scored = shipped().score_all(readings, [vader.strength(reading.words) for reading in readings])
        chances: list[Chances] = [one.probabilities for one in scored]
        told: list[list[tuple[Opinion, Mapping[str, float]]]] = [[] for _ in readings]
        for other in self._others():
            asked = [at for at, one in enumerate(chances) if self._asks(one)]
            opinions = other.opinions([readings[at] for at in asked]) if asked else []
            for at, opinion in zip(asked, opinions, strict=True):
                told[at].append((opinion, other.trust))
                chances[at] = after(chances[at], opinion, other.trust)
        if self._lesson is not None:
            for at, (reading, one) in enumerate(zip(readings, scored, strict=True)):
                chances[at] = self._lesson.adjust(reading.words, chances[at], one.tokens)
        return [
            _Judged(one, opinions, self._lesson, chance)
            for one, opinions, chance in zip(scored, told, chances, strict=True)
        ]

    def _asks(self, chances: Chances) -> bool:
        return self.effort is Effort.ACCURATE or any(max(chances[head]) < least for head, least in SURE.items())

    def _verdict(self, judged: _Judged) -> Verdict:
        chances = judged.chances
        best = {head: chance.index(max(chance)) for head, chance in chances.items()}
        lane, feelings = _LANES[best["lane"]], chances["sentiment"]
        service, experience = lane is Lane.SERVICE, lane is Lane.EXPERIENCE
        return Verdict(
            lane=lane,
            lane_probabilities={
                name: round(chance, 4) for name, chance in zip(_LANE_NAMES, chances["lane"], strict=True)
            },
            complaint=best["complaint"] == _YES,
            complaint_probability=round(chances["complaint"][_YES], 4),
            sentiment=_FEELINGS[best["sentiment"]],
            sentiment_score=round(feelings[_POSITIVE] - feelings[_NEGATIVE], 4),
            category=_CATEGORIES[best["category"]] if service else None,
            urgency=_URGENCIES[best["urgency"]] if service else None,
            stage=_STAGES[best["stage"]],
            touchpoint=_TOUCHPOINTS[best["touchpoint"]],
            factor=_FACTORS[best["factor"]] if experience else None,
            reasons=judged.reasons(_EXPLAINED_IN_SERVICE if service else _EXPLAINED),
            grave=judged.grave(),
        )


def after(chances: Chances, opinion: Opinion, trust: Mapping[str, float]) -> Chances:
    """What is believed of each head once somebody else was asked; an answer nobody gave before stands, if trusted."""
    news = {head: said for head, said in opinion.chances.items() if head not in chances and trust.get(head, 0.0) > 0}
    known = {head: blended(own, opinion.chances.get(head), trust.get(head, 0.0)) for head, own in chances.items()}
    return known | news


def blended(known: Sequence[float], new: Sequence[float] | None, trust: float) -> Sequence[float]:
    """What was believed of one head and a new opinion as one: the geometric mean, weighed by `trust` in the new."""
    if new is None or trust == 0.0:
        return known
    logs = (1 - trust) * np.log(np.maximum(known, _LEAST)) + trust * np.log(np.maximum(new, _LEAST))
    raised = np.exp(logs - logs.max())
    told: list[float] = (raised / raised.sum()).tolist()
    return told

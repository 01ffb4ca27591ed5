"""The verdict: answers and their reasons from what the model says, made to agree with each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.classifier import Reading, Reason
from pipeline.sentiment import Feeling, Vader
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint, Urgency
from pipeline.triage.model import HEADS, Model, Scored, shipped


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


class Triage:
    """Asks the shipped model, and keeps its answers consistent."""

    @property
    def version(self) -> str:
        """Names the weights by their hash."""
        return f"triage-2-{self._model.digest[:12]}"

    @property
    def _model(self) -> Model:
        return shipped()

    def classify(self, readings: Sequence[Reading]) -> list[Verdict]:
        """One verdict for each reading, in order; English is taken for granted."""
        vader = Vader()
        return [self._verdict(self._model.score(reading, vader.strength(reading.words))) for reading in readings]

    def _verdict(self, scored: Scored) -> Verdict:
        lane = Lane(scored.answer("lane"))
        service, experience = lane is Lane.SERVICE, lane is Lane.EXPERIENCE
        stage, touchpoint = scored.answer("stage"), scored.answer("touchpoint")
        chances = scored.probabilities
        feelings = dict(zip(HEADS["sentiment"], chances["sentiment"], strict=True))
        explained = ("lane", "complaint", "sentiment", "category") if service else ("lane", "complaint", "sentiment")
        return Verdict(
            lane=lane,
            lane_probabilities={
                name: round(chance, 4) for name, chance in zip(HEADS["lane"], chances["lane"], strict=True)
            },
            complaint=scored.answer("complaint") == "yes",
            complaint_probability=round(chances["complaint"][1], 4),
            sentiment=Feeling(scored.answer("sentiment")),
            sentiment_score=round(feelings[Feeling.POSITIVE] - feelings[Feeling.NEGATIVE], 4),
            category=Category(scored.answer("category")) if service else None,
            urgency=Urgency(scored.answer("urgency")) if service else None,
            stage=None if stage == "none" else Stage(stage),
            touchpoint=None if touchpoint == "none" else Touchpoint(touchpoint),
            factor=Factor(scored.answer("factor")) if experience else None,
            reasons=[
                Reason(field=head, text=share.text, start=share.start, end=share.end, weight=share.weight)
                for head, share in scored.reasons(explained)
            ],
        )

"""Sentiment, and VADER reading it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.classifier import Reading

READ = 5_000
"""VADER reads this many characters at most: its cost grows with the square of the length."""


class Feeling(StrEnum):
    """The author's feeling towards what the mention is about. UNSCORED where we cannot read it."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"
    UNSCORED = "unscored"


@dataclass(frozen=True, slots=True)
class Strength:
    """What VADER says: `compound` is a strength, -1..1, never a probability; the others are shares of the words, 0..1."""

    compound: float
    positive: float
    negative: float


@cache
def _analyzer() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()


class Vader:
    """The lexicon and rules of Hutto and Gilbert (ICWSM 2014), for English and emoji only."""

    version = "vader-3.3.2"

    def classify(self, readings: Sequence[Reading]) -> list[Strength]:
        """One strength for each reading, in order; all zeros where no word is known."""
        return [self.strength(reading.words) for reading in readings]

    def strength(self, words: str) -> Strength:
        """How strongly the first `READ` characters of the words speak for or against."""
        scores = _analyzer().polarity_scores(words[:READ])
        return Strength(compound=scores["compound"], positive=scores["pos"], negative=scores["neg"])

"""Sentiment, and VADER reading it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import SimpleNamespace

from vaderSentiment.vaderSentiment import (
    BOOSTER_DICT,
    C_INCR,
    NEGATE,
    SentimentIntensityAnalyzer,
    SentiText,
)

from pipeline.classifier import Reading

READ = 5_000
"""VADER reads this many characters at most."""

_REACH_BACK, _REACH_ON = 3, 2
_TURNERS = (
    "no or nor least so this never without doubt just kind sort "
    "shit bomb ass bus stop yeah right kiss death die beating heart"
)
_PHRASES = " ".join(BOOSTER_DICT)
TURNS = frozenset(_TURNERS.split()) | frozenset(_PHRASES.split()) | frozenset(NEGATE)
"""Words that can change the worth of another: boosters, negations, and at least one word of every idiom VADER knows."""


class Feeling(StrEnum):
    """The author's feeling towards what the mention is about. UNSCORED where we cannot read it."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"
    UNSCORED = "unscored"


@dataclass(frozen=True, slots=True)
class Strength:
    """VADER's answer: `compound` is a strength, -1..1, never a probability; the others are shares of the text, 0..1."""

    compound: float
    positive: float
    negative: float


class SwiftVader(SentimentIntensityAnalyzer):  # type: ignore[misc]  # it ships no types
    """VADER to the last digit, in time that grows with the length of the text and not with its square.

    The original lower-cases the whole text again for every word it knows. Its rules look no further than three words
    back and two on, so they are asked about those alone, and only where one of them can change anything.
    """

    def polarity_scores(self, text: str) -> dict[str, float]:
        """The original's scores: neg, neu, pos and compound."""
        text = self._described(text)
        said = SentiText(text)
        words, shouted = said.words_and_emoticons, said.is_cap_diff
        low = [word.lower() for word in words]
        turns = [word in TURNS or "n't" in word for word in low]
        worth: list[float] = [0.0] * len(words)
        for at, word in enumerate(low):
            known = self.lexicon.get(word)
            if known is None or word in BOOSTER_DICT or (word == "kind" and low[at + 1 : at + 2] == ["of"]):
                continue
            start, end = max(0, at - _REACH_BACK), at + _REACH_ON + 1
            if any(turns[start:end]):
                near = SimpleNamespace(words_and_emoticons=words[start:end], is_cap_diff=shouted)
                worth[at] = self.sentiment_valence(0, near, words[at], at - start, [])[0]
            elif shouted and words[at].isupper():
                worth[at] = known + C_INCR if known > 0 else known - C_INCR
            else:
                worth[at] = known
        if "but" in low:
            _weigh_but(worth, low.index("but"))
        scores: dict[str, float] = self.score_valence(worth, text)
        return scores

    def _described(self, text: str) -> str:
        """The text with every emoji replaced by its description."""
        if self.emojis.keys().isdisjoint(text):
            return text.strip()
        parts: list[str] = []
        spaced = True
        for letter in text:
            description = self.emojis.get(letter)
            if description is not None and not spaced:
                parts.append(" ")
            parts.append(letter if description is None else description)
            spaced = description is None and letter == " "
        return "".join(parts).strip()


def _weigh_but(worth: list[float], but: int) -> None:
    """Halves what stands before "but" and raises what follows; like the original, at the first of equal values."""
    for at in range(len(worth)):
        value = worth[at]
        if value:
            first = worth.index(value)
            if first != but:
                worth[first] = value * (0.5 if first < but else 1.5)


@cache
def _analyzer() -> SwiftVader:
    return SwiftVader()


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

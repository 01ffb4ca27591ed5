"""Sentiment, and VADER reading it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from string import punctuation

from vaderSentiment.vaderSentiment import (
    BOOSTER_DICT,
    C_INCR,
    N_SCALAR,
    NEGATE,
    SPECIAL_CASES,
    SentimentIntensityAnalyzer,
    normalize,
)

from pipeline.classifier import Reading
from pipeline.kept import Kept

READ = 5_000
"""VADER reads this many characters at most."""

_REACH_BACK, _REACH_ON = 3, 2
_FADING = (1.0, 0.95, 0.9)
_ASKED = {0: 0, 1: 0, 2: 2 * 0.18, 3: 3 * 0.18}
"""What question marks add, by their number; more than three add no more than four."""
_SO = frozenset({"so", "this"})
_NEGATE = frozenset(NEGATE)
_FACE = 2
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

    def __init__(self) -> None:
        super().__init__()
        self._bare = Kept(_bare)
        self._worth: dict[str, float] = {
            word: value for word, value in self.lexicon.items() if word not in BOOSTER_DICT
        }

    def polarity_scores(self, text: str) -> dict[str, float]:
        """The original's scores: neg, neu, pos and compound."""
        text = self.described(text)
        words = list(map(self._bare.__getitem__, text.split()))
        low = list(map(str.lower, words))
        places = [at for at, word in enumerate(low) if word in self._worth]
        if "kind" in low:
            places = [at for at in places if low[at] != "kind" or low[at + 1 : at + 2] != ["of"]]
        shouted = bool(places) and 0 < sum(map(str.isupper, words)) < len(words)
        worth = [self._valued(words, low, at, shouted=shouted) for at in places]
        if "but" in low:
            _weigh_but(worth, places, low.index("but"))
        return _scores(worth, len(words), text.count("!"), text.count("?"))

    def _valued(self, words: list[str], low: list[str], at: int, *, shouted: bool) -> float:
        """What one known word is worth beside its neighbours: `sentiment_valence` of the original, step by step."""
        own = low[at]
        loud = shouted and words[at].isupper()
        value = self._worth[own]
        before = low[max(at - _REACH_BACK, 0) : at]
        near = low[max(at - _REACH_BACK, 0) : at + _REACH_ON + 1]
        if TURNS.isdisjoint(near) and "n't" not in " ".join(before):
            return value if not loud else value + C_INCR if value > 0 else value - C_INCR
        before.reverse()
        if own == "no" and at + 1 < len(low) and low[at + 1] in self.lexicon:
            value = 0.0
        if "no" in before[:2] or (before[2:] == ["no"] and before[0] in {"or", "nor"}):
            value = self._worth[own] * N_SCALAR
        if loud:
            value += C_INCR if value > 0 else -C_INCR
        for back, word in enumerate(before):
            if word in self.lexicon:
                continue
            if word in BOOSTER_DICT:
                value += _boost(word, value, loud=shouted and words[at - back - 1].isupper()) * _FADING[back]
            value = _denied(value, before, back)
            if back == _REACH_BACK - 1:
                value = _idiom(value, low, at)
        if before[:1] == ["least"] and "least" not in self.lexicon and before[1:2] not in (["at"], ["very"]):
            value *= N_SCALAR
        return value

    def described(self, text: str) -> str:
        """The text with every emoji replaced by its description."""
        if text.isascii() or self.emojis.keys().isdisjoint(text):
            return text
        parts: list[str] = []
        spaced = True
        for letter in text:
            description = self.emojis.get(letter)
            if description is not None and not spaced:
                parts.append(" ")
            parts.append(letter if description is None else description)
            spaced = description is None and letter == " "
        return "".join(parts)


def _bare(chunk: str) -> str:
    """A chunk without the punctuation around it, unless so little is left that it is likely an emoticon."""
    bare = chunk.strip(punctuation)
    return bare if len(bare) > _FACE else chunk


def _boost(word: str, value: float, *, loud: bool) -> float:
    """What a booster or dampener adds to the value it stands before."""
    boost: float = BOOSTER_DICT[word]
    if value < 0:
        boost = -boost
    if loud:
        boost += C_INCR if value > 0 else -C_INCR
    return boost


def _denied(value: float, before: list[str], back: int) -> float:
    """The value after a look at the word `back` places before, which may deny it; `before` has the nearest first."""
    word = before[back]
    if back == 0:
        return value * N_SCALAR if _denies(word) else value
    between = before[:back]
    if word == "never" and (before[back - 1] in _SO):
        return value * 1.25
    if back == _REACH_BACK - 1 and before[0] in _SO:
        return value * 1.25
    if word == "without" and "doubt" in between:
        return value
    return value * N_SCALAR if _denies(word) else value


def _denies(word: str) -> bool:
    return word in _NEGATE or "n't" in word


def _idiom(value: float, low: list[str], at: int) -> float:
    """What an idiom around the word makes of its value, and a booster of two words before it."""
    third, second, first, own = low[at - 3 : at + 1]
    said = (
        f"{first} {own}",
        f"{second} {first} {own}",
        f"{second} {first}",
        f"{third} {second} {first}",
        f"{third} {second}",
    )
    value = next((SPECIAL_CASES[words] for words in said if words in SPECIAL_CASES), value)
    for end in (at + 2, at + 3):
        if end <= len(low):
            value = SPECIAL_CASES.get(" ".join(low[at:end]), value)
    for words in (said[3], said[4], said[2]):
        value += BOOSTER_DICT.get(words, 0.0)
    return value


def _weigh_but(worth: list[float], places: list[int], but: int) -> None:
    """Halves what stands before "but" and raises what follows; like the original, at the first of equal values."""
    for at in range(len(worth)):
        value = worth[at]
        if value:
            first = worth.index(value)
            if places[first] != but:
                worth[first] = value * (0.5 if places[first] < but else 1.5)


def _scores(worth: list[float], count: int, exclamations: int, questions: int) -> dict[str, float]:
    """The scores of a text of `count` words of which some are worth something: `score_valence` of the original."""
    if not count:
        return {"neg": 0.0, "neu": 0.0, "pos": 0.0, "compound": 0.0}
    emphasis = min(exclamations, 4) * 0.292 + _ASKED.get(questions, 0.96)
    whole = float(sum(worth))
    good = bad = 0.0
    neutral = count - len(worth)
    for value in worth:
        if value > 0:
            good += value + 1
        elif value < 0:
            bad += value - 1
        else:
            neutral += 1
    if whole:
        whole += emphasis if whole > 0 else -emphasis
    if good > -bad:
        good += emphasis
    elif good < -bad:
        bad -= emphasis
    total = good - bad + neutral
    return {
        "neg": round(abs(bad / total), 3),
        "neu": round(abs(neutral / total), 3),
        "pos": round(abs(good / total), 3),
        "compound": round(normalize(whole), 4),
    }


@cache
def _analyzer() -> SwiftVader:
    return SwiftVader()


def described(text: str) -> str:
    """The text with every emoji replaced by its name: "I am 😡" becomes "I am pouting face"."""
    return _analyzer().described(text)


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

"""The contract of a second opinion: what is asked, what is answered, and a stranger's code held to it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.classifier import Reading
from pipeline.errors import ChangedError, EarfulError, SettingsError
from pipeline.triage.model import QUESTIONS

Floats = NDArray[np.float32]

_SURE = 0.01
"""A stranger's probabilities may miss 1 together by so much: some round them."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a second classifier says of one reading.

    `chances`: for each head it answers, probabilities 0..1 in the order of `QUESTIONS`; it need not answer all, or any.
    `shares`: for each head, what each span of `Reading.words` adds to the logit of each answer, shape (spans, answers);
    left out where the classifier cannot say.
    """

    chances: Mapping[str, Sequence[float]]
    spans: Sequence[tuple[int, int]] = ()
    shares: Mapping[str, Floats] = field(default_factory=dict)


class Second(Protocol):
    """Any classifier that can be asked for a second opinion. As pure as it can be: no clock, no chance."""

    @property
    def version(self) -> str:
        """Changes whenever an answer could."""
        ...

    @property
    def trust(self) -> Mapping[str, float]:
        """For each head, how much it counts beside those asked before it: 0 not at all, 1 alone."""
        ...

    def opinions(self, readings: Sequence[Reading]) -> list[Opinion]:
        """One for each reading, in order."""
        ...


class Checked:
    """A class of somebody else's, held to the contract. What it raises that is no error of ours is ChangedError."""

    def __init__(self, told: str, made: Second) -> None:
        """SettingsError where a part is missing or no such thing."""
        self._told = f"[judgement] classifier {told}"
        for part in ("version", "trust", "opinions"):
            if not hasattr(made, part):
                raise SettingsError(f"{self._told} has no {part}: see docs/classifiers.md")
        self.trust = dict(made.trust)
        for head, trust in self.trust.items():
            if head not in QUESTIONS or not 0 <= trust <= 1:
                what = f"trusts {head} by {trust}; give 0 to 1 for any of {', '.join(QUESTIONS)}"
                raise SettingsError(f"{self._told} {what}")
        self.version = f"{told}-{made.version}"
        self._made = made

    def opinions(self, readings: Sequence[Reading]) -> list[Opinion]:
        """As the class answers; ChangedError names the reading, never its words, where an opinion is none."""
        try:
            found = list(self._made.opinions(readings))
            fault = next(_faults(readings, found), None)
        except EarfulError:
            raise
        except Exception as error:  # whatever a stranger's code raises; its message may hold the text
            raise ChangedError(f"{self._told} failed: {type(error).__name__}") from error
        if fault:
            raise ChangedError(f"{self._told}: {fault}")
        return found


def _faults(readings: Sequence[Reading], found: Sequence[Opinion]) -> Iterator[str]:
    """What is wrong with the opinions of these readings."""
    if len(found) != len(readings):
        yield f"{len(found)} opinions of {len(readings)} readings"
    for reading, opinion in zip(readings, found, strict=False):
        yield from (f"{reading.key}: {fault}" for fault in _faults_of(opinion, len(reading.words)))


def _faults_of(opinion: Opinion, length: int) -> Iterator[str]:
    """What is wrong with one opinion, of a text of so many characters."""
    if not isinstance(opinion, Opinion):
        yield f"a {type(opinion).__name__}, where an Opinion is expected"
        return
    for head, chances in opinion.chances.items():
        if head not in QUESTIONS:
            yield f'"{head}" is no question of ours'
        elif len(chances) != len(QUESTIONS[head]):
            yield f"{len(chances)} probabilities for {head}; there are {len(QUESTIONS[head])} answers"
        elif not all(0 <= chance <= 1 for chance in chances) or not math.isclose(sum(chances), 1, abs_tol=_SURE):
            yield f"the probabilities for {head} are not between 0 and 1, or not 1 together"
    if not all(0 <= start < end <= length for start, end in opinion.spans):
        yield "a span lies outside the words"
    for head, shares in opinion.shares.items():
        if head not in opinion.chances or np.shape(shares) != (len(opinion.spans), len(QUESTIONS[head])):
            yield f"the shares for {head} are not one for each span and answer"

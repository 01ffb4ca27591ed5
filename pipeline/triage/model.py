"""The trained model: plain weights, read once and checked, and what they say of a mention.

Every answer is a sum: a bias, what each word and pair of words adds (divided by one length for the whole text), and
what each fact beside the words adds. So the reasons are no explanation made up afterwards; they are the sum itself.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classifier import Reading, Reason
from pipeline.errors import SettingsError
from pipeline.sentiment import Feeling, Strength
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint, Urgency
from pipeline.triage.known import Features, Known, Weights
from pipeline.triage.words import FACTS, Said, Token, facts_of, telling

Floats = NDArray[np.float32]

HEADS: Mapping[str, tuple[str, ...]] = {
    "lane": tuple(lane for lane in Lane if lane is not Lane.UNSCORED),
    "complaint": ("no", "yes"),
    "sentiment": tuple(feeling for feeling in Feeling if feeling is not Feeling.UNSCORED),
    "category": tuple(Category),
    "urgency": tuple(Urgency),
    "stage": ("none", *Stage),
    "touchpoint": ("none", *Touchpoint),
    "factor": tuple(Factor),
}
"""Every question the model answers, with its answers in the order of the weights' columns."""

GRAVE = (
    "none",
    "injury",
    "fraud",
    "legal",
    "discrimination",
    "self_harm",
    "press",
    "data_leak",
    "child_safety",
)
"""The signals of `grave.toml` as answers to one question: of several that a text says, the gravest."""
QUESTIONS: Mapping[str, tuple[str, ...]] = {**HEADS, "grave": GRAVE}
"""Every question that another classifier may answer; the last is not this model's, and not gold's."""


def _columns() -> dict[str, slice]:
    columns, at = {}, 0
    for head, answers in HEADS.items():
        columns[head] = slice(at, at + len(answers))
        at += len(answers)
    return columns


COLUMNS = _columns()
WIDTH = sum(map(len, HEADS.values()))

_HERE = Path(__file__).parent
WEIGHTS, FIGURES = _HERE / "weights.npz", _HERE / "weights.json"
_KEPT = 40_000
"""Words whose sums are kept; all are forgotten when there are more."""
_STARS = [at for at, name in enumerate(FACTS) if name.endswith("stars")]
_FIRST = [columns.start for columns in COLUMNS.values()]
_HEAD = np.repeat(np.arange(len(HEADS)), [len(answers) for answers in HEADS.values()])
_BLOCK = 256
"""Readings whose facts are added up at once: few enough for flat memory."""
_TOP = 3
_LINES = np.arange(len(HEADS))[:, None]
_LEAST = 0.0005
"""A smaller share would be shown as 0."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What the model says of one reading: probabilities by head, and all that is needed to give reasons when asked."""

    probabilities: Mapping[str, list[float]]
    reading: Reading
    features: Features
    _logits: Floats
    _temperatures: NDArray[np.float64]
    _stars: Floats

    @property
    def logits(self) -> dict[str, Floats]:
        """By head, the sums the probabilities are made from, before they are divided by the head's temperature."""
        return {head: self._logits[columns] for head, columns in COLUMNS.items()}

    def temperature(self, head: str) -> float:
        """What a head's sums are divided by, to make its probabilities honest."""
        return float(self._temperatures[COLUMNS[head].start])

    @property
    def words(self) -> str:
        """What was read."""
        return self.reading.words

    @property
    def tokens(self) -> list[Token]:
        """The tokens of the words, in order."""
        return self.features.said.tokens()

    @property
    def shares(self) -> Floats:
        """What each feature of the words (a row) adds to each answer (a column)."""
        return self.features.shares()

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each feature stands: start and end in the words."""
        return self.features.spans()

    @property
    def rating(self) -> str | None:
        """The stars in words, where there are any."""
        return None if self.reading.stars is None else stars_said(self.reading)

    @property
    def rating_shares(self) -> Floats:
        """What the stars add to each answer."""
        return self._stars

    def answer(self, head: str) -> str:
        """The most probable answer; the first of two that are equal."""
        chances = self.probabilities[head]
        return HEADS[head][chances.index(max(chances))]

    def reasons(self, heads: Sequence[str]) -> list[Reason]:
        """For each head the largest shares that speak for its answer against the second best.

        Up to three spans that do not overlap, and the stars where there are any. A span of mere grammar ("my", ",") may
        well have a share, but tells nobody anything: it is passed over.
        """
        chosen, rival = zip(*map(self._two, heads), strict=True)
        against = self.features.against(chosen, rival)  # below 0 speaks for the answer
        leading = against.argsort(axis=1, kind="stable")[:, : 6 * _TOP]
        largest = against[_LINES[: len(heads)], leading].tolist()  # lists: numbers one by one are slow
        words, rating, spans = self.reading.words, self.rating, self.features.spans()
        found: list[Reason] = []
        for at, (order, shares) in enumerate(zip(leading.tolist(), largest, strict=True)):
            taken: list[tuple[int, int]] = []
            for feature, share in zip(order, shares, strict=True):
                if share > -_LEAST:
                    break
                start, end = spans[feature]
                for other, stop in taken:
                    if start < stop and other < end:
                        break
                else:
                    said = words[start:end]
                    if not telling(said):
                        continue
                    found.append(Reason.made(heads[at], said, round(-share, 3), start, end))
                    if len(taken) == _TOP - 1:
                        break
                    taken.append((start, end))
            if rating is not None:
                starred = float(self._stars[chosen[at]] - self._stars[rival[at]])
                found.append(Reason.made(heads[at], rating, round(starred, 3)))
        return found

    def _two(self, head: str) -> tuple[int, int]:
        """The columns of the best answer and of the second best."""
        chances, first = self.probabilities[head], COLUMNS[head].start
        most, next_most = sorted(chances, reverse=True)[:2]
        best = chances.index(most)
        return first + best, first + chances.index(next_most, best + 1 if next_most == most else 0)


class Model:
    """The weights and the sums of words met so far. Safe to share between threads: what is kept is only ever added."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], digest: str) -> None:
        self.digest = digest
        self._weights = Weights(weights)
        self._known = Known(self._weights)
        self._facts: Floats = weights["facts"]
        self._biases: Floats = weights["biases"]
        self._temperatures: NDArray[np.float64] = weights["temperatures"][_HEAD]

    def score(self, reading: Reading, strength: Strength) -> Scored:
        """All heads' probabilities for one reading. Depends on it alone, whatever was scored before or is beside it."""
        return self.score_all([reading], [strength])[0]

    def score_all(self, readings: Sequence[Reading], strengths: Sequence[Strength]) -> list[Scored]:
        """The same for many readings, each with its strength, in order."""
        both = list(zip(readings, strengths, strict=True))
        return [one for at in range(0, len(both), _BLOCK) for one in self._block(both[at : at + _BLOCK])]

    def _block(self, both: Sequence[tuple[Reading, Strength]]) -> Iterator[Scored]:
        heard = [Said(reading.words) for reading, _ in both]
        names = dict.fromkeys(chain.from_iterable(said.names for said in heard))
        if len(names) > _KEPT and len(both) > 1:
            half = len(both) // 2
            yield from self._block(both[:half])
            yield from self._block(both[half:])
            return
        known = self._known
        if len(known) + sum(name not in known for name in names) > _KEPT:
            known = self._known = Known(self._weights)  # who still reads the old one may go on
        known.learn(names)
        features = [Features(said, known) for said in heard]
        totals = [np.add.reduce(one.shares(), axis=0) for one in features]
        beside = [
            facts_of(reading, reading.words, said.plain, strength)
            for (reading, strength), said in zip(both, heard, strict=True)
        ]
        values = np.array(beside, dtype=np.float32)
        logits = self._biases + _added(values, self._facts) + np.array(totals)
        raised = np.exp((logits - logits.max(axis=1, keepdims=True)) / self._temperatures)
        chances = (raised / np.add.reduceat(raised, _FIRST, axis=1)[:, _HEAD]).tolist()
        stars = _added(values[:, _STARS], self._facts[_STARS])
        for at, (reading, _) in enumerate(both):
            probabilities = {head: chances[at][columns] for head, columns in COLUMNS.items()}
            yield Scored(probabilities, reading, features[at], logits[at], self._temperatures, stars[at])


def _added(values: Floats, weights: Floats) -> Floats:
    """The matrix product, each sum in one order however many rows there are: one reading is as good as a thousand."""
    added: Floats = np.add.reduce(values[:, :, None] * weights, axis=1)
    return added


def stars_said(reading: Reading) -> str:
    """A rating in words, as reasons name it."""
    return f"{reading.rating:g} of {reading.rating_max:g} stars"


@cache
def shipped() -> Model:
    """The model that ships beside this file. SettingsError where the weights are not those the figures name."""
    content = WEIGHTS.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != json.loads(FIGURES.read_text())["sha256"]:
        raise SettingsError(f"{WEIGHTS.name} is not the file {FIGURES.name} describes: install Earful again")
    with np.load(io.BytesIO(content), allow_pickle=False) as weights:
        return Model(dict(weights), digest)

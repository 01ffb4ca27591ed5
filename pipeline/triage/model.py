"""The trained model: plain weights, read once and checked, and what they say of a mention.

Every answer is a sum: a bias, what each word and pair of words adds (divided by one length for the whole text), and what
each fact beside the words adds. So the reasons are not an explanation made up afterwards; they are the sum itself.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classifier import Reading
from pipeline.errors import SettingsError
from pipeline.sentiment import Feeling, Strength
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint, Urgency
from pipeline.triage.words import FACTS, Token, facts, pair, parts, tokens

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
"""Words whose sums are kept; the store is emptied when it is full."""
_STARS = tuple(at for at, name in enumerate(FACTS) if name.endswith("stars"))
_TOP = 3


@dataclass(frozen=True, slots=True)
class Share:
    """What one span of the words, or one fact beside them (then without a place), adds to an answer against its rival."""

    text: str
    start: int | None
    end: int | None
    weight: float


@dataclass(frozen=True, slots=True)
class Scored:
    """What the model says of one reading: probabilities by head, and all that is needed to give reasons."""

    probabilities: Mapping[str, Floats]
    logits: Floats
    words: str
    spans: Sequence[tuple[int, int]]
    shares: Floats
    rating: str | None
    rating_shares: Floats

    def answer(self, head: str) -> str:
        """The most probable answer; the first of two that are equal."""
        return HEADS[head][int(self.probabilities[head].argmax())]

    def reasons(self, head: str, answer: str) -> list[Share]:
        """The largest shares that speak for the answer against the best other one: three spans, and the stars if any."""
        columns = COLUMNS[head]
        chosen = columns.start + HEADS[head].index(answer)
        rivals = self.logits[columns].copy()
        rivals[chosen - columns.start] = -np.inf
        rival = columns.start + int(rivals.argmax())
        found: list[Share] = []
        if len(self.spans):
            weights = self.shares[:, chosen] - self.shares[:, rival]
            taken: list[tuple[int, int]] = []
            for at in np.argsort(-weights, kind="stable")[: 4 * _TOP].tolist():
                start, end = self.spans[at]
                weight = round(float(weights[at]), 3)
                if weight <= 0 or len(taken) == _TOP:
                    break
                if all(end <= other or stop <= start for other, stop in taken):
                    taken.append((start, end))
                    found.append(Share(self.words[start:end], start, end, weight))
        if self.rating is not None:
            weight = round(float(self.rating_shares[chosen] - self.rating_shares[rival]), 3)
            found.append(Share(self.rating, None, None, weight))
        return found


class Model:
    """The weights and the sums of words met so far. Safe to share between threads: what is kept is only ever added."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], digest: str) -> None:
        names = bytes(weights["names"]).decode().split("\n")
        self.digest = digest
        self._rows = {name: row for row, name in enumerate(names)}
        self._weights: Floats = weights["weights"].astype(np.float32) * weights["scales"]
        self._sizes: Floats = weights["sizes"].astype(np.float32)
        self._facts: Floats = weights["facts"]
        self._biases: Floats = weights["biases"]
        self._temperatures = dict(zip(HEADS, weights["temperatures"].tolist(), strict=True))
        self._kept: dict[str, tuple[Floats, float]] = {}

    def score(self, reading: Reading, strength: Strength) -> Scored:
        """All heads' probabilities for one reading. Depends on the reading alone, whatever was scored before."""
        known = tokens(reading.words)
        shares, spans = self._shares(known)
        values = np.array(facts(reading, known, strength), dtype=np.float32)
        logits = self._biases + values @ self._facts + shares.sum(axis=0)
        starred = values[list(_STARS)] @ self._facts[list(_STARS)]
        probabilities = {}
        for head, columns in COLUMNS.items():
            raised = np.exp((logits[columns] - logits[columns].max()) / self._temperatures[head])
            probabilities[head] = raised / raised.sum()
        return Scored(probabilities, logits, reading.words, spans, shares, _rating(reading), starred)

    def _shares(self, known: list[Token]) -> tuple[Floats, list[tuple[int, int]]]:
        """What each different token and pair adds, in the order they first stand, already divided by the length."""
        first = {token.name: token for token in reversed(known)}
        sums = [self._token(name) for name in first]
        spans = [(token.start, token.end) for token in first.values()]
        pairs = {
            row: (left.start, right.end)
            for left, right in zip(known, known[1:], strict=False)
            if (row := self._rows.get(pair(left.name, right.name))) is not None
        }
        rows = list(pairs)
        length = sum(size for _, size in sums) + float(np.square(self._sizes[rows]).sum())
        if length == 0:
            return np.zeros((0, WIDTH), dtype=np.float32), []
        stacked = np.concatenate([np.array([row for row, _ in sums], dtype=np.float32), self._weights[rows]])
        return stacked / np.float32(length**0.5), spans + list(pairs.values())

    def _token(self, name: str) -> tuple[Floats, float]:
        """What one token adds before division, and the square of its own length."""
        kept = self._kept.get(name)
        if kept is not None:
            return kept
        total, size = np.zeros(WIDTH, dtype=np.float32), 0.0
        for feature, value in parts(name):
            row = self._rows.get(feature)
            if row is not None:
                total += self._weights[row] * np.float32(value)
                size += (float(self._sizes[row]) * value) ** 2
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[name] = total, size
        return total, size


def _rating(reading: Reading) -> str | None:
    if reading.stars is None or reading.rating is None:
        return None
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

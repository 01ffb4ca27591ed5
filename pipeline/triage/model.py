"""The trained model: plain weights, read once and checked, and what they say of a mention.

Every answer is a sum: a bias, what each word and pair of words adds (divided by one length for the whole text), and
what each fact beside the words adds. So the reasons are no explanation made up afterwards; they are the sum itself.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classifier import Reading
from pipeline.errors import SettingsError
from pipeline.sentiment import Feeling, Strength
from pipeline.triage import Category, Factor, Lane, Stage, Touchpoint, Urgency
from pipeline.triage.words import FACTS, Token, facts, pair, parts, telling, tokens

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
_STARS = [at for at, name in enumerate(FACTS) if name.endswith("stars")]
_FIRST = [columns.start for columns in COLUMNS.values()]
_HEAD = np.repeat(np.arange(len(HEADS)), [len(answers) for answers in HEADS.values()])
_TOP = 3
_LEAST = 0.0005
"""A smaller share would be shown as 0."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one span of the words, or a fact beside them (which has no place), adds to an answer against its rival."""

    text: str
    start: int | None
    end: int | None
    weight: float


@dataclass(frozen=True, slots=True)
class Scored:
    """What the model says of one reading: probabilities by head, and all that is needed to give reasons."""

    probabilities: Mapping[str, list[float]]
    logits: Floats
    words: str
    spans: Sequence[tuple[int, int]]
    shares: Floats
    rating: str | None
    rating_shares: Floats

    def answer(self, head: str) -> str:
        """The most probable answer; the first of two that are equal."""
        chances = self.probabilities[head]
        return HEADS[head][chances.index(max(chances))]

    def reasons(self, heads: Sequence[str]) -> list[tuple[str, Share]]:
        """For each head the largest shares that speak for its answer against the second best.

        Up to three spans that do not overlap, and the stars where there are any. A span of mere grammar ("my", ",") may
        well have a share, but tells nobody anything: it is passed over.
        """
        chosen, rival = zip(*map(self._two, heads), strict=True)
        columns = (self.shares[:, chosen] - self.shares[:, rival]).T.tolist()  # lists: numbers one by one are slow
        starred = (self.rating_shares[list(chosen)] - self.rating_shares[list(rival)]).tolist()
        found: list[tuple[str, Share]] = []
        for head, weights, stars in zip(heads, columns, starred, strict=True):
            taken: list[tuple[int, int]] = []
            for at in sorted(range(len(weights)), key=weights.__getitem__, reverse=True)[: 6 * _TOP]:
                if weights[at] < _LEAST or len(taken) == _TOP:
                    break
                start, end = self.spans[at]
                span = self.words[start:end]
                if telling(span) and all(end <= other or stop <= start for other, stop in taken):
                    taken.append((start, end))
                    found.append((head, Share(span, start, end, round(weights[at], 3))))
            if self.rating is not None:
                found.append((head, Share(self.rating, None, None, round(stars, 3))))
        return found

    def _two(self, head: str) -> tuple[int, int]:
        """The columns of the best answer and of the second best."""
        chances, first = self.probabilities[head], COLUMNS[head].start
        best = chances.index(max(chances))
        second = max((at for at in range(len(chances)) if at != best), key=chances.__getitem__)
        return first + best, first + second


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
        self._temperatures: NDArray[np.float64] = weights["temperatures"][_HEAD]
        self._kept: dict[str, tuple[Floats, float]] = {}

    def score(self, reading: Reading, strength: Strength) -> Scored:
        """All heads' probabilities for one reading. Depends on the reading alone, whatever was scored before."""
        known = tokens(reading.words)
        shares, spans = self._shares(known)
        values = np.array(facts(reading, known, strength), dtype=np.float32)
        logits = self._biases + values @ self._facts + shares.sum(axis=0)
        raised = np.exp((logits - logits.max()) / self._temperatures)
        chances = (raised / np.add.reduceat(raised, _FIRST)[_HEAD]).tolist()
        return Scored(
            probabilities={head: chances[columns] for head, columns in COLUMNS.items()},
            logits=logits,
            words=reading.words,
            spans=spans,
            shares=shares,
            rating=None if reading.stars is None else stars_said(reading),
            rating_shares=values[_STARS] @ self._facts[_STARS],
        )

    def _shares(self, known: list[Token]) -> tuple[Floats, list[tuple[int, int]]]:
        """What each different token and pair adds, in the order they first stand, already divided by the length."""
        first = {token.name: token for token in reversed(known)}
        sums = [self._token(name) for name in first]
        spans = [(token.start, token.end) for token in first.values()]
        plain = [token.plain for token in known]
        pairs = {
            row: (known[at].start, known[at + 1].end)
            for at, (left, right) in enumerate(pairwise(plain))
            if (row := self._rows.get(pair(left, right))) is not None
        }
        rows = list(pairs)
        length = sum(size for _, size in sums) + float(np.square(self._sizes[rows]).sum())
        added = np.array([row for row, _ in sums], dtype=np.float32).reshape(-1, WIDTH)
        stacked = np.concatenate([added, self._weights[rows]])
        divided: Floats = (stacked / (length or 1.0) ** 0.5).astype(np.float32)
        return divided, spans + list(pairs.values())

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

"""Lesson: the small layer learnt from people's corrections, which moves the model's probabilities and nothing else."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SettingsError
from pipeline.triage.model import HEADS
from pipeline.triage.words import Token, pair, telling, tokens

Doubles = NDArray[np.float64]
Probabilities = Mapping[str, Sequence[float]]
"""By head, in the order of `HEADS`; each head's sum to 1."""

STRENGTH = 0.2
"""How strongly the lesson is drawn towards changing nothing: the ridge on its weights."""
_BIAS = 0.005
"""How much a bias counts beside words, squared. Small: ten corrections to service speak of ten texts, not of all."""
_ROUNDS = 300
"""Steps of the fit: at this strength more change no weight in its fourth digit."""
_LEAST = 0.005
"""A smaller weight is left out: it moves no answer."""
_SURE = 1e-4
"""The model is never taken to be surer than this: else no number of people could move it."""
_MEND = "`earful learn` makes it anew from the corrections"


@dataclass(frozen=True, slots=True)
class Example:
    """One answer a person gave: the words, the head, the right answer, and the model's probabilities for that head."""

    words: str
    head: str
    answer: str
    chances: Sequence[float]


class Lesson:
    """logits' = log p + bias + V · features(words), for the heads people corrected; all others pass as they came.

    The features are the telling words and pairs of words seen in corrections, divided by the length of all telling
    ones of the text, so that a text which shares one word with a correction is moved but little.
    """

    def __init__(self, content: str) -> None:
        told = json.loads(content)
        self.content = content
        self.digest = sha256(content.encode()).hexdigest()
        self._heads = {head: _slice(told["heads"], head) for head in told["heads"]}
        self._bias: Doubles = np.array(told["bias"], dtype=np.float64)
        self._rows = {name: row for row, name in enumerate(told["features"])}
        self._weights: Doubles = np.array(list(told["features"].values()), dtype=np.float64)
        self._weights = self._weights.reshape(len(self._rows), len(self._bias))

    @property
    def version(self) -> str:
        """Names the weights by their hash."""
        return f"lesson-1-{self.digest[:12]}"

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads it can move."""
        return tuple(self._heads)

    @classmethod
    def read(cls, content: str, digest: str, place: str) -> "Lesson":
        """The lesson kept at `place`; SettingsError if it is damaged, or not for this Earful."""
        if sha256(content.encode("utf-8", "surrogatepass")).hexdigest() != digest:
            raise SettingsError(f"{place} is damaged; {_MEND}")
        told = json.loads(content)
        if any(list(HEADS.get(head, ())) != answers for head, answers in told["heads"].items()):
            raise SettingsError(f"{place} knows other answers than this version of Earful; {_MEND}")
        return cls(content)

    def adjust(self, words: str, probabilities: Probabilities, known: Sequence[Token] | None = None) -> Probabilities:
        """What the model says of these words, as people's corrections move it. Depends on its arguments alone.

        `known` are the tokens of the words, where the caller has them already.
        """
        found = _features(tokens(words) if known is None else known)
        rows = sorted(self._rows[name] for name in found & self._rows.keys())
        moved = (self._bias + self._weights[rows].sum(axis=0) / (len(found) or 1) ** 0.5).tolist()
        told = dict(probabilities)
        for head, columns in self._heads.items():
            if head in probabilities:  # plain numbers: for a few, numpy's calls cost more than the sums
                raised = [max(p, _SURE) * exp(by) for p, by in zip(told[head], moved[columns], strict=True)]
                total = sum(raised)
                told[head] = [share / total for share in raised]
        return told

    def pulls(self, words: str, head: str, answer: str, rival: str) -> list[tuple[int, int, float]]:
        """Where words pull at `answer` against `rival`, as `adjust` has it: start, end and the share in the logits.

        The strongest first; of a word said twice the first. What no word did, the bias did.
        """
        if head not in self._heads:
            return []
        columns, answers = self._heads[head], HEADS[head]
        places = _places(tokens(words))
        size = len(places) ** 0.5
        pull = self._weights[:, columns.start + answers.index(answer)]
        against = self._weights[:, columns.start + answers.index(rival)]
        found = [
            (start, end, float(pull[row] - against[row]) / size)
            for name, (start, end) in places.items()
            if (row := self._rows.get(name)) is not None
        ]
        return sorted(found, key=lambda one: (-abs(one[2]), one[0], one[1]))


def learn(examples: Sequence[Example]) -> Lesson:
    """The lesson of these examples, in whatever order they come; the same examples give the same lesson.

    One multinomial logistic regression a head, with the model's own log-probabilities as a fixed offset. It is solved
    among the examples and not among the words, so a thousand examples take seconds however many words they have.
    """
    heads = {head: list(HEADS[head]) for head in HEADS if any(one.head == head for one in examples)}
    width = sum(map(len, heads.values()))
    bias, weights = np.zeros(width), dict[str, Doubles]()
    for head in heads:
        ours = sorted(
            (one for one in examples if one.head == head), key=lambda one: (one.words, one.answer, tuple(one.chances))
        )
        columns = _slice(heads, head)
        found = [sorted(_features(tokens(one.words))) for one in ours]
        pulls = _fit(ours, found)
        bias[columns] = _BIAS * pulls.sum(axis=0)
        for names, pull in zip(found, pulls, strict=True):
            for name in names:
                weights.setdefault(name, np.zeros(width))[columns] += pull / len(names) ** 0.5
    kept = {name: _rounded(weights[name]) for name in sorted(weights) if np.abs(weights[name]).max() >= _LEAST}
    content = {"heads": heads, "bias": _rounded(bias), "features": kept}
    return Lesson(json.dumps(content, ensure_ascii=True, separators=(",", ":")))


def _fit(examples: Sequence[Example], found: Sequence[Sequence[str]]) -> Doubles:
    """How each example (rows) pulls at each answer (columns): kernel logistic regression, by Nesterov's descent."""
    likeness = _likeness(found) + _BIAS
    offset = np.log(np.maximum([one.chances for one in examples], _SURE))
    wanted = np.zeros_like(offset)
    answers = HEADS[examples[0].head]
    wanted[np.arange(len(examples)), [answers.index(one.answer) for one in examples]] = 1.0
    steepest = 0.5 * float(likeness.sum(axis=1).max()) + STRENGTH  # Gershgorin: no eigenvalue is larger
    pace = (steepest**0.5 - STRENGTH**0.5) / (steepest**0.5 + STRENGTH**0.5)
    pulls = ahead = np.zeros_like(offset)
    for _ in range(_ROUNDS):
        slope = _softmax(offset + likeness @ ahead) - wanted + STRENGTH * ahead
        latest = ahead - slope / steepest
        pulls, ahead = latest, latest + pace * (latest - pulls)
    return pulls


def _likeness(found: Sequence[Sequence[str]]) -> Doubles:
    """The cosine of every two texts by the features they share."""
    alike = np.zeros((len(found), len(found)))
    texts: dict[str, list[int]] = {}
    for at, names in enumerate(found):
        for name in names:
            texts.setdefault(name, []).append(at)
    size = np.array([len(names) or 1 for names in found], dtype=np.float64) ** -0.5
    for name in sorted(texts):
        among = texts[name]
        alike[np.ix_(among, among)] += np.outer(size[among], size[among])
    return alike


def _features(known: Sequence[Token]) -> set[str]:
    """The features of a text: those of `_places`, sooner."""
    told = [_tells(token.name) for token in known]
    found = {f"w {token.name}" for token, tells in zip(known, told, strict=True) if tells}
    plain = [token.name.removeprefix("¬") for token in known]
    for at in range(len(known) - 1):
        if told[at] or told[at + 1]:
            found.add(pair(plain[at], plain[at + 1]))
    return found


def _places(known: Sequence[Token]) -> dict[str, tuple[int, int]]:
    """Each feature of a text, and where it first stands: telling words, and pairs with a telling word in them.

    A word after a negation is another than the word alone.
    """
    told = [_tells(token.name) for token in known]
    found = {
        f"w {token.name}": (token.start, token.end)
        for token, tells in zip(reversed(known), reversed(told), strict=True)
        if tells
    }
    for at in range(len(known) - 2, -1, -1):
        if told[at] or told[at + 1]:
            found[pair(known[at].plain, known[at + 1].plain)] = (known[at].start, known[at + 1].end)
    return found


@lru_cache(maxsize=50_000)
def _tells(name: str) -> bool:
    return telling(name.removeprefix("¬")) and name[0] != "<"


def _softmax(logits: Doubles) -> Doubles:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Doubles = raised / raised.sum(axis=-1, keepdims=True)
    return shares


def _slice(heads: Mapping[str, Sequence[Any]], head: str) -> slice:
    """The columns of a head, where the heads stand side by side."""
    names = list(heads)
    start = sum(len(heads[name]) for name in names[: names.index(head)])
    return slice(start, start + len(heads[head]))


def _rounded(weights: Doubles) -> list[float]:
    """Four digits: the same on every processor, and read again as the same numbers."""
    return [round(weight, 4) + 0.0 for weight in weights.tolist()]

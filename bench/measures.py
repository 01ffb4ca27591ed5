"""The measures of the field, and how far each may be off by chance. Every column is as long as there are rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Column = NDArray[Any]

BINS = 10
"""Of equal width, for the calibration error."""
DRAWS, SEED = 1000, 7
"""Resamples of the bootstrap (Efron, 1979), and what they are drawn by."""
TAILS = (0.025, 0.975)
"""Between these quantiles of the resamples lies the 95 % interval."""


@dataclass(frozen=True)
class Figure:
    """What was measured on how many rows, and its 95 % interval by bootstrap over them; NaN where nothing was drawn."""

    rows: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Three digits; fewer would hide what .01 of slack means."""
        interval = "" if np.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.value:.3f}{interval}"


def figure(measure: Callable[..., float], *columns: ArrayLike, draws: int = DRAWS) -> Figure:
    """The measure of these columns, with its interval. The same columns always get the same one."""
    known = [np.asarray(column) for column in columns]
    rows = len(known[0])
    chance = np.random.default_rng(SEED)
    drawn = []
    for _ in range(draws):
        some = chance.integers(0, rows, rows)
        drawn.append(measure(*(column[some] for column in known)))
    low, high = np.quantile(drawn, TAILS).tolist() if drawn else (np.nan, np.nan)
    return Figure(rows, measure(*known), low, high)


def share(truth: ArrayLike, given: ArrayLike) -> float:
    """How many are equal: accuracy, 0..1."""
    return float(np.mean(np.asarray(truth) == np.asarray(given)))


def macro_f1(truth: ArrayLike, given: ArrayLike) -> float:
    """The mean over the answers in `truth` of the harmonic mean of precision and recall, 0..1."""
    right, told = np.asarray(truth), np.asarray(given)
    found = []
    for answer in np.unique(right):
        real, said = right == answer, told == answer
        found.append(2 * np.sum(real & said) / (real.sum() + said.sum()))
    return float(np.mean(found))


def macro_recall(truth: ArrayLike, given: ArrayLike) -> float:
    """The mean over the answers in `truth` of the share found, 0..1."""
    right, told = np.asarray(truth), np.asarray(given)
    return float(np.mean([np.mean(told[right == answer] == answer) for answer in np.unique(right)]))


def calibration_error(sure: ArrayLike, right: ArrayLike) -> float:
    """Expected calibration error over `BINS`: how far probability and share of right answers lie apart, 0..1."""
    chances, hits = np.asarray(sure, dtype=float), np.asarray(right, dtype=float)
    place = np.minimum((chances * BINS).astype(int), BINS - 1)
    apart = np.bincount(place, weights=chances - hits, minlength=BINS)
    return float(np.abs(apart).sum() / len(chances))


def precision_at(recall: float, chances: ArrayLike, wanted: ArrayLike) -> float:
    """The precision of the smallest set of most probable ones that holds this share of those wanted."""
    order = np.argsort(-np.asarray(chances, dtype=float), kind="stable")
    hits = np.cumsum(np.asarray(wanted, dtype=bool)[order])
    if hits[-1] == 0:
        return 0.0
    count = int(np.argmax(hits >= recall * hits[-1])) + 1
    return float(hits[count - 1] / count)


@dataclass(frozen=True)
class Caught:
    """What a set of chosen rows holds of those wanted: both 0..1; `precision` is 1 where nothing was chosen."""

    recall: float
    precision: float


def caught(chosen: ArrayLike, wanted: ArrayLike) -> Caught:
    """Of yes and no by row."""
    taken, sought = np.asarray(chosen, dtype=bool), np.asarray(wanted, dtype=bool)
    both = np.sum(taken & sought)
    return Caught(
        recall=float(both / sought.sum()) if sought.any() else 1.0,
        precision=float(both / taken.sum()) if taken.any() else 1.0,
    )


def confusion(truth: Sequence[str], given: Sequence[str], answers: Sequence[str]) -> list[list[int]]:
    """How often each right answer (lines) got each answer (columns), in the order of `answers`."""
    pairs = list(zip(truth, given, strict=True))
    return [[pairs.count((right, told)) for told in answers] for right in answers]


def rank_correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Spearman's, -1..1; ties share the mean of their ranks."""
    return float(np.corrcoef(_ranks(np.asarray(one)), _ranks(np.asarray(other)))[0, 1])


def _ranks(values: Column) -> Column:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: Column = (last - (count - 1) / 2)[place]
    return ranks

"""Trend: what grew or fell, and whether that is more than chance."""

from collections.abc import Callable, Sequence
from functools import cache
from math import exp, fsum, inf, lgamma, log, log1p, sqrt
from statistics import NormalDist

from pydantic import BaseModel

CONFIDENCE = 0.95
"""How often an interval holds the truth, over many reports."""
FALSE_ALARMS = 0.001
"""How often, at most, an ordinary day is taken for a spike: once in a thousand days and series watched."""
FALSE_DISCOVERIES = 0.05
"""The expected share of chance findings among the changes that are called more than chance."""
WARM_UP = 7
"""Days of listening before any day can be called a spike."""
WINDOW = 28
"""Days that make a day's usual."""
_WORTH = 5


class Rate(BaseModel, frozen=True):
    """`count` out of `total`, and where the true share lies: `low`..`high`, 0..1.

    Nothing seen says nothing: the interval is 0..1 and `share` is null.
    """

    count: int
    total: int
    low: float
    high: float
    share: float | None


class Mean(BaseModel, frozen=True):
    """The mean of `total` scores in -1..1, and where the true mean lies. Null, and -1..1, where there are none."""

    mean: float | None
    total: int
    low: float
    high: float


class Trend(BaseModel, frozen=True):
    """A count against its usual: `ratio` of the two rates a day, and where it lies. None is unbounded.

    `p` is how often chance alone would do as much; `notable` says that it stands among all that was compared.
    """

    now: int
    before: int
    ratio: float | None
    low: float
    high: float | None
    p: float
    notable: bool = False


class Difference(BaseModel, frozen=True):
    """How far two shares or means lie apart, later minus earlier, and where the true difference lies."""

    difference: float
    low: float
    high: float

    @property
    def notable(self) -> bool:
        """Whether the interval leaves out no difference at all."""
        return self.low > 0 or self.high < 0


class Spike(BaseModel, frozen=True):
    """A day far above its usual. `index` is its place in the series, `usual` the mean of the days before it."""

    index: int
    count: int
    usual: float
    p: float


def wilson(count: int, total: int) -> Rate:
    """The share with Wilson's score interval (Wilson 1927; recommended by Brown, Cai and DasGupta 2001)."""
    if not 0 <= count <= total:
        raise ValueError(f"{count} out of {total} is no share")
    if total == 0:
        return Rate(count=0, total=0, low=0.0, high=1.0, share=None)
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = (count + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * sqrt(count * (total - count) / total + z * z / 4)
    low = 0.0 if count == 0 else max(0.0, middle - half)
    high = 1.0 if count == total else min(1.0, middle + half)
    return Rate(count=count, total=total, low=low, high=high, share=count / total)


def mean(total: int, sum_: float, squares: float) -> Mean:
    """The mean of scores in -1..1 from their number, sum and sum of squares, with Student's interval.

    For the width alone two scores are imagined beside the real ones, one at either end of the scale, so that a handful
    of equal scores does not look certain (the thought behind Agresti and Coull 1998).
    """
    if total == 0:
        return Mean(mean=None, total=0, low=-1.0, high=1.0)
    middle = max(-1.0, min(1.0, sum_ / total))
    padded = total + 2
    spread = max(0.0, (squares + 2) / padded - (sum_ / padded) ** 2) * padded / (padded - 1)
    half = _student(padded - 1) * sqrt(spread / total)
    return Mean(mean=middle, total=total, low=max(-1.0, middle - half), high=min(1.0, middle + half))


def trend(now: int, before: int, *, days_now: float, days_before: float) -> Trend:
    """Compares two counts over periods of any length: exact and conditional, two Poisson rates.

    Given their sum, the later count is binomial (Przyborowski and Wilenski 1940); `p` doubles the smaller tail, so that
    it agrees with the interval, which is Clopper and Pearson's (Fay 2010). It takes mentions to be said independently.
    """
    if min(now, before) < 0 or min(days_now, days_before) <= 0:
        raise ValueError("counts are not negative, and a period has a length")
    fair, total = days_now / (days_now + days_before), now + before
    tail = min(_binomial_tail(now, total, fair), _binomial_tail(before, total, 1 - fair))
    outside = (1 - CONFIDENCE) / 2
    low = _solve(lambda share: _binomial_tail(now, total, share), outside) if now else 0.0
    high = 1 - _solve(lambda share: _binomial_tail(before, total, share), outside) if before else 1.0
    scale = days_before / days_now
    return Trend(
        now=now,
        before=before,
        ratio=(now / before) * scale if before else None,
        low=low / (1 - low) * scale,
        high=high / (1 - high) * scale if high < 1 else None,
        p=min(1.0, 2 * tail),
    )


def notable(trends: Sequence[Trend], *, false_discoveries: float = FALSE_DISCOVERIES) -> list[Trend]:
    """The same trends, in order, each said to be notable or not: Benjamini and Hochberg (1995) over all of them."""
    ranked = sorted(item.p for item in trends)
    passed = [p for rank, p in enumerate(ranked, 1) if p <= false_discoveries * rank / len(ranked)]
    bar = passed[-1] if passed else -inf
    return [item.model_copy(update={"notable": item.p <= bar}) for item in trends]


def difference(now: Rate | Mean, before: Rate | Mean) -> Difference | None:
    """Later minus earlier, with the interval made from both intervals (Newcombe 1998; Zou and Donner 2008).

    None where one of the two has seen nothing.
    """
    late, early = _middle(now), _middle(before)
    if late is None or early is None:
        return None
    down = sqrt((late - now.low) ** 2 + (before.high - early) ** 2)
    up = sqrt((now.high - late) ** 2 + (early - before.low) ** 2)
    return Difference(difference=late - early, low=late - early - down, high=late - early + up)


def spikes(counts: Sequence[int], *, false_alarms: float = FALSE_ALARMS) -> list[Spike]:
    """Days far above the four weeks before them; `counts` is one number a day, oldest first.

    A day is a spike where both a Poisson and an over-dispersed usual make it rarer than `false_alarms`. The first is
    the exact test of `trend`, one day against the days before it, so on any steady Poisson series at most that share of
    days is flagged, whatever its mean; the second, a negative binomial with the variance of those days (as in
    Farrington et al. 1996), keeps uneven weeks from ringing. Earlier spikes are left out of the usual, until they are
    most of it. The first week after the first mention, and days with fewer than five mentions, are never spikes.
    """
    found: dict[int, Spike] = {}
    first = next((index for index, count in enumerate(counts) if count), len(counts))
    for index in range(first + WARM_UP, len(counts)):
        window = range(max(first, index - WINDOW), index)
        calm = [counts[day] for day in window if day not in found]
        usual = calm if len(calm) * 2 >= len(window) else [counts[day] for day in window]
        p = _rarity(counts[index], usual)
        if counts[index] >= _WORTH and p <= false_alarms:
            found[index] = Spike(index=index, count=counts[index], usual=fsum(usual) / len(usual), p=p)
    return list(found.values())


def _rarity(count: int, usual: Sequence[int]) -> float:
    """How often a day like those in `usual` would bring at least `count`."""
    days, heard = len(usual), sum(usual)
    poisson = _binomial_tail(count, heard + count, 1 / (days + 1))
    average = heard / days
    variance = fsum((day - average) ** 2 for day in usual) / (days - 1)
    if variance <= average or count == 0:
        return poisson
    dispersion = variance / average * (1 + 1 / days)
    return max(poisson, _beta(1 - 1 / dispersion, count, average / (dispersion - 1)))


def _middle(estimate: Rate | Mean) -> float | None:
    return estimate.share if isinstance(estimate, Rate) else estimate.mean


def _binomial_tail(count: int, total: int, share: float) -> float:
    """P(X >= count) for X binomial."""
    return 1.0 if count == 0 else _beta(share, count, total - count + 1)


@cache
def _student(freedom: int) -> float:
    """The half-width of Student's interval in standard errors."""
    outside = 1 - CONFIDENCE
    share = _solve(lambda x: _beta(x, freedom / 2, 0.5), outside)
    return sqrt(freedom * (1 - share) / share)


def _solve(rising: Callable[[float], float], target: float) -> float:
    """Where in 0..1 a rising function reaches its target."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by Lentz's continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    fraction, c, d, step = 1.0, 1.0, 0.0, 0
    while True:
        half = step // 2
        if step == 0:
            term = 1.0
        elif step % 2:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        d = 1 / ((1 + term * d) or _TINY)
        c = (1 + term / c) or _TINY
        fraction *= c * d
        step += 1
        if abs(1 - c * d) < _PRECISE and step > 1:
            return min(1.0, front * (fraction - 1))


_TINY, _PRECISE = 1e-300, 1e-14

"""Whether reasons are true: the lane's probability should fall more without the words named than without others.

The words named as reasons for the lane are left out of the text, and it is judged again; the same with as many other
words, drawn by chance (erasure, as in DeYoung et al., ERASER, ACL 2020: comprehensiveness against a random baseline).
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.answers import Row, analysed, readings
from bench.measures import Figure, figure
from pipeline.analysis import Analysis
from pipeline.classifier import Reading
from pipeline.triage.judge import Effort
from pipeline.triage.words import telling

TIMES, SEED = 3, 11
"""How often other words are drawn for each text, and by what."""
_WORD = re.compile(r"\S+")
Span = tuple[int, int]


@dataclass(frozen=True)
class Faith:
    """How much the lane's probability falls on average, 0..1.

    `named`: without the words named; `others`: without as many others of any kind; `telling`: without as many others
    that are more than grammar; `more`: the share of texts where it falls more without the words named than, on average,
    without those. `texts` could be compared; `left` had no reason, too few other words, or could not be read any more.
    """

    texts: int
    left: int
    named: Figure
    others: Figure
    telling: Figure
    more: Figure


def measured(rows: Sequence[Row], effort: Effort) -> Faith:
    """On the rows of gold whose lane was judged."""
    said = readings(rows)
    draw = random.Random(SEED)  # noqa: S311 - the same words every time, no secret
    tried: list[tuple[int, list[Reading]]] = []
    whole = analysed(said, effort)
    for at, analysis in enumerate(whole):
        cut = _cuts(said[at], analysis, draw)
        if cut:
            tried.append((at, cut))
    again = iter(analysed([one for _, cut in tried for one in cut], effort))
    falls = []
    for at, cut in tried:
        fallen = [_fall(whole[at], next(again)) for _ in cut]
        known = [one for one in fallen if one is not None]
        if len(known) == len(fallen):
            falls.append((known[0], np.mean(known[1 : 1 + TIMES]), np.mean(known[1 + TIMES :])))
    named, others, meant = (np.array(column) for column in zip(*falls, strict=True))
    return Faith(
        texts=len(falls),
        left=len(rows) - len(falls),
        named=figure(np.mean, named),
        others=figure(np.mean, others),
        telling=figure(np.mean, meant),
        more=figure(np.mean, named > meant),
    )


def _cuts(reading: Reading, analysis: Analysis, draw: random.Random) -> list[Reading]:
    """The text without the words named; `TIMES` without others; `TIMES` without others that tell something."""
    words = reading.words
    given = [(one.start, one.end) for one in analysis.reasons if one.field == "lane" and one.start is not None]
    spans = [match.span() for match in _WORD.finditer(words)]
    named = [span for span in spans if any(start < span[1] and span[0] < (end or 0) for start, end in given)]
    others = [span for span in spans if span not in named]
    meant = [span for span in others if telling(words[slice(*span)])]
    if not named or len(meant) < len(named):
        return []
    drawn = [draw.sample(pool, len(named)) for pool in (others, meant) for _ in range(TIMES)]
    return [replace(reading, title=None, text=_without(words, struck)) for struck in (named, *drawn)]


def _without(words: str, struck: Sequence[Span]) -> str:
    kept = words
    for start, end in sorted(struck, reverse=True):
        kept = kept[:start] + kept[end:]
    return kept


def _fall(before: Analysis, after: Analysis) -> float | None:
    """How much the probability of the likeliest lane fell; None where the text cannot be judged any more."""
    lane = max(before.lane_probabilities, key=lambda name: before.lane_probabilities[name] or 0.0)
    was, now = before.lane_probabilities[lane], after.lane_probabilities[lane]
    return None if was is None or now is None else was - now

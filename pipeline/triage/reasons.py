"""Reasons: the words that carried an answer, true to the models that gave it.

The fast model is a sum over tokens and pairs of tokens; the transformer's answer is the mean of what its last layer
says at each token. What people's corrections taught is a sum over words and pairs of words. The blend is a sum of
all. So a word's weight is the exact share it has in the answer's lead over the second best, in natural logarithms of
odds. At a token of the transformer the words around it speak as well: `earful why` tells what the models say when a
word is not there.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.classifier import Reason
from pipeline.triage.lesson import Lesson
from pipeline.triage.model import COLUMNS, HEADS, Scored
from pipeline.triage.second import Opinion
from pipeline.triage.words import telling

Doubles = NDArray[np.float64]

MOST = 3
"""Spans named for one answer."""
_LEAST = 0.0005
"""A smaller share would be shown as 0."""
_WORD = re.compile(r"\S+")
_EDGES = re.compile(r"^[^\w@#$£€]+|[^\w%]+$")


def carried(
    heads: Sequence[str],
    chances: Mapping[str, Sequence[float]],
    scored: Scored,
    *,
    opinions: Sequence[tuple[Opinion, Mapping[str, float]]],
    lesson: Lesson | None,
) -> list[Reason]:
    """For each head up to `MOST` spans that speak for its answer against the second best, and the stars.

    `opinions` come with the trust in each, in the order in which they were blended.
    """
    words = [match.span() for match in _WORD.finditer(scored.words)]
    places = _places(words, scored.spans)
    theirs = [_places(words, opinion.spans) for opinion, _ in opinions]
    found: list[Reason] = []
    for head in heads:
        best, rival = _two(chances[head])
        lead, left = np.zeros(len(words)), 1.0
        own = COLUMNS[head].start if head in COLUMNS else None
        known = own is not None
        if own is not None:
            ours = (scored.shares[:, own + best] - scored.shares[:, own + rival]) / scored.temperature(head)
            np.add.at(lead, places, ours)
        for (opinion, trust), where in zip(opinions, theirs, strict=True):
            share = trust.get(head, 0.0) if head in opinion.chances else 0.0
            if share and not known:
                share, known = 1.0, True  # the first to answer is believed
            lead, left = lead * (1 - share), left * (1 - share)
            if head in opinion.shares:
                np.add.at(lead, where, (opinion.shares[head][:, best] - opinion.shares[head][:, rival]) * share)
        if lesson is not None and head in HEADS:
            pulls = lesson.pulls(scored.words, head, HEADS[head][best], HEADS[head][rival])
            np.add.at(lead, _places(words, [(start, end) for start, end, _ in pulls]), [pull for _, _, pull in pulls])
        found += _spans(head, scored.words, words, lead)
        if own is not None and scored.rating is not None:
            stars = scored.rating_shares[own + best] - scored.rating_shares[own + rival]
            weight = float(stars) / scored.temperature(head) * left
            found.append(Reason(field=head, text=scored.rating, weight=round(weight, 3)))
    return found


def _two(chances: Sequence[float]) -> tuple[int, int]:
    """The best answer and the second best."""
    order = sorted(range(len(chances)), key=lambda at: -chances[at])
    return order[0], order[1]


def _places(words: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    """The word in which each span begins."""
    starts = [start for start, _ in words]
    if not spans:
        return np.zeros(0, dtype=np.intp)
    return np.searchsorted(starts, [start for start, _ in spans], side="right") - 1


def _spans(head: str, text: str, words: Sequence[tuple[int, int]], lead: Doubles) -> list[Reason]:
    """The words with the largest lead, neighbours as one span, the largest first. Mere grammar is passed over."""
    chosen: list[int] = []
    for at in np.argsort(-lead, kind="stable")[: 3 * MOST].tolist():
        if lead[at] < _LEAST or len(chosen) == MOST:
            break
        if telling(text[slice(*words[at])]):
            chosen.append(at)
    runs: list[list[int]] = []
    for at in sorted(chosen):
        if runs and at == runs[-1][-1] + 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    found = []
    for run in runs:
        start, end = words[run[0]][0], words[run[-1]][1]
        bare = _EDGES.sub("", text[start:end]) or text[start:end]
        start += text[start:end].find(bare)
        weight = round(float(lead[run].sum()), 3)
        found.append(Reason(field=head, text=bare, start=start, end=start + len(bare), weight=weight))
    return sorted(found, key=lambda reason: -reason.weight)

"""What the verdict would be if a word were not there: the reasons of any classifier whatever, made when asked for.

Each word in turn is left out and the text judged again (Zeiler and Fergus, ECCV 2014, did so with parts of a picture),
so a text costs as many judgements as it has words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log

from pipeline.classifier import Reading, Reason
from pipeline.triage.judge import Triage
from pipeline.triage.model import HEADS

MOST = 120
"""Pieces a text is cut into at most: a longer one is taken several words at a time."""
READ = 5_000
_WORD = re.compile(r"\S+")
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Explained:
    """One field's answer with its probability, 0..1, and for each piece of the text what leaving it out takes away.

    A reason's weight is the fall of the answer's log-odds, in natural logarithms: above 0 the piece speaks for the
    answer. Largest first.
    """

    field: str
    answer: str
    chance: float
    reasons: list[Reason]


def without(triage: Triage, reading: Reading, fields: Sequence[str]) -> list[Explained]:
    """Each field's answer and how it hangs on the words."""
    words = reading.words
    spans = [match.span() for match in _WORD.finditer(words, 0, READ)]
    step = -(-len(spans) // MOST) or 1
    pieces = [(spans[at][0], spans[min(at + step, len(spans)) - 1][1]) for at in range(0, len(spans), step)]
    cut = [replace(reading, title=None, text=f"{words[:start]}{words[end:]}") for start, end in pieces]
    whole, *others = triage.chances([reading, *cut])
    told = []
    for field in fields:
        chances = list(whole[field])
        best = chances.index(max(chances))
        reasons = [
            Reason(
                field=field,
                text=words[start:end],
                start=start,
                end=end,
                weight=round(_odds(chances[best]) - _odds(other[field][best]), 3),
            )
            for (start, end), other in zip(pieces, others, strict=True)
        ]
        reasons.sort(key=lambda reason: -reason.weight)
        told.append(Explained(field, HEADS[field][best], chances[best], reasons))
    return told


def _odds(chance: float) -> float:
    bounded = min(max(chance, _LEAST), 1 - _LEAST)
    return log(bounded / (1 - bounded))

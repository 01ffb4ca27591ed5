"""Learning: a lesson from corrections, and whether it makes anything worse on mentions whose answers are known."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.classifier import Reading
from pipeline.correction import Correction, Question
from pipeline.errors import SettingsError
from pipeline.language import language
from pipeline.mention import Mention, MentionKind
from pipeline.triage import Lane
from pipeline.triage.judge import Triage
from pipeline.triage.lesson import Example, Lesson, Probabilities, learn
from pipeline.triage.model import HEADS

REGRESSION = Path(__file__).with_name("regression.jsonl")
"""Mentions of our own with their right answers, frozen: no lesson may do worse on them than was done without it."""
LEAST = 10
"""Corrected mentions to learn from. Fewer say little beyond themselves, and they are answered rightly already."""
GROUP = 20
"""Rows a language or source must have to be looked at by itself."""
DRAWS = 4000
_OWN = {Question.CATEGORY, Question.URGENCY}
"""Asked in service only."""
FOLDS = 5
Chances = Callable[[Sequence[Reading]], Sequence[Probabilities | None]]
"""The model's own probabilities of each reading, by head, before any lesson; None where it cannot be read."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A mention with its right answers, by head; a head that was not asked is left out."""

    reading: Reading
    language: str
    source: str
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What a lesson changes for one head in one group of rows: the shares that were right, and the difference.

    `low`..`high` holds the true difference 95 times of 100, by bootstrap over the rows.
    """

    among: str
    group: str
    head: str
    rows: int
    before: float
    after: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Better or worse beyond noise, or the same."""
        return "worse" if self.high < 0 else "better" if self.low > 0 else "same"


def labelled(path: Path) -> list[Labelled]:
    """The labelled mentions of a JSONL file, written like the gold sets; SettingsError names every line amiss.

    `language` is "en" where a row does not say it, `source` its `dataset` where it names none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as UTF-8 text ({type(error).__name__})") from error
    rows, faults = [], []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(_labelled(json.loads(line)))
        except KeyError as error:
            faults.append(f'{path}, line {number}: "{error.args[0]}" is missing')
        except (ValueError, TypeError, AttributeError) as error:
            faults.append(f"{path}, line {number}: {type(error).__name__}: {error}")
    if faults or not rows:
        raise SettingsError("\n".join(faults[:20]) or f"{path}: there is nothing in it")
    return rows


def _labelled(row: Mapping[str, Any]) -> Labelled:
    share, _, scale = str(row.get("rating") or "?").partition("/")
    known = share != "?"
    reading = Reading(
        key=row["id"],
        text=row["text"],
        title=row.get("title"),
        kind=MentionKind(row["kind"]),
        rating=float(share) if known else None,
        rating_max=float(scale) if known else 5.0,
    )
    answers = {head: str(row[head]) for head in HEADS if row.get(head)}
    for head, answer in answers.items():
        if answer not in HEADS[head]:
            raise ValueError(f'"{answer}" is no {head}')
    return Labelled(reading, row.get("language") or "en", row.get("source") or row["dataset"], answers)


def readable(triage: Triage) -> Chances:
    """Asks the triage, where it can read the language. Give it one without a lesson."""

    def chances(readings: Sequence[Reading]) -> list[Probabilities | None]:
        known = [language(reading.words, reading.language).readable for reading in readings]
        told = iter(triage.chances(list(compress(readings, known))))
        return [next(told) if can else None for can in known]

    return chances


def examples(
    taught: Sequence[tuple[Mention, Sequence[Correction]]], chances: Chances
) -> list[tuple[Mention, list[Example]]]:
    """What there is to learn of each corrected mention. One the model cannot read teaches it nothing.

    Nor does a category or urgency that was corrected before the mention was moved out of service.
    """
    told = chances([Reading.of(mention) for mention, _ in taught])
    found = []
    for (mention, corrections), said in zip(taught, told, strict=True):
        if said is not None:
            words = Reading.of(mention).words
            away = any(one.field is Question.LANE and one.answer != Lane.SERVICE for one in corrections)
            asked = [one for one in corrections if one.answer in HEADS[one.field] and not (away and one.field in _OWN)]
            ours = [Example(words, str(one.field), one.answer, said[one.field]) for one in asked]
            if ours:
                found.append((mention, ours))
    return found


def left_out(found: Sequence[tuple[Mention, Sequence[Example]]]) -> list[Change]:
    """How the corrected mentions fare by lessons that were learnt without them: what is learnt must carry over."""
    right: dict[str, tuple[list[bool], list[bool]]] = {}
    for fold in range(FOLDS):
        others = [one for at, (_, ours) in enumerate(found) if at % FOLDS != fold for one in ours]
        if not others:
            continue
        lesson = learn(others)
        for one in (one for at, (_, ours) in enumerate(found) if at % FOLDS == fold for one in ours):
            before, after = right.setdefault(one.head, ([], []))
            before.append(_answer(one.head, one.chances) == one.answer)
            after.append(_answer(one.head, lesson.adjust(one.words, {one.head: one.chances})[one.head]) == one.answer)
    return [change("corrections", "each left out", head, *right[head]) for head in HEADS if head in right]


def changes(among: str, rows: Sequence[Labelled], chances: Chances, lesson: Lesson) -> list[Change]:
    """What is right without any lesson and with this one, on all rows and in each large group that is not all of them.

    Not against the lesson in use: then many lessons, each a little worse, could lead far astray.
    """
    told = chances([row.reading for row in rows])
    right: dict[tuple[str, str], tuple[list[bool], list[bool]]] = {}
    for row, said in zip(rows, told, strict=True):
        if said is None:
            continue
        moved = lesson.adjust(row.reading.words, said)
        for head in (head for head in lesson.heads if head in row.answers):
            for group in ("all", f"language {row.language}", row.source):
                before, after = right.setdefault((head, group), ([], []))
                before.append(_answer(head, said[head]) == row.answers[head])
                after.append(_answer(head, moved[head]) == row.answers[head])
    whole = {head: len(pair[0]) for (head, group), pair in right.items() if group == "all"}
    return [
        change(among, group, head, *pair)
        for (head, group), pair in right.items()
        if len(pair[0]) >= GROUP and (group == "all" or len(pair[0]) < whole[head])
    ]


def change(among: str, group: str, head: str, before: Sequence[bool], after: Sequence[bool]) -> Change:
    """The paired difference of two shares, with its 95 % interval by bootstrap: always the same for the same rows."""
    rows = len(before)
    better = sum(new and not old for old, new in zip(before, after, strict=True))
    worse = sum(old and not new for old, new in zip(before, after, strict=True))
    shares = [better / rows, worse / rows, (rows - better - worse) / rows]
    drawn = np.random.default_rng(0).multinomial(rows, shares, DRAWS)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / rows, [0.025, 0.975]).tolist()
    return Change(among, group, head, rows, sum(before) / rows, sum(after) / rows, low, high)


def worst_first(found: Sequence[Change]) -> Iterator[Change]:
    """What a person should see: every set as a whole, and of its groups those that changed beyond noise."""
    for one in sorted(found, key=lambda one: (one.verdict != "worse", one.among, one.group != "all")):
        if one.group in {"all", "each left out"} or one.verdict != "same":
            yield one


def _answer(head: str, chances: Sequence[float]) -> str:
    return HEADS[head][max(range(len(chances)), key=chances.__getitem__)]

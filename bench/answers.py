"""What the product answers on the labelled sets: always through the Analyst, as `earful analyse` does."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from pipeline.analysis import Analysis, Analyst
from pipeline.classifier import Reading
from pipeline.mention import Mention
from pipeline.sentiment import Vader
from pipeline.triage.judge import Effort, Triage
from pipeline.triage.model import HEADS
from pipeline.triage.second import SMALL, Folder, Opinion
from pipeline.triage.train import reading

Row = dict[str, Any]

OPTIONAL = ("category", "urgency", "factor")
"""Questions that are asked in one lane only."""
NEUTRAL = 0.05
"""VADER's own bound: a compound nearer to 0 is neutral."""
_TOGETHER = 500
"""Texts judged at a time: what is kept of each would fill the memory otherwise."""
_NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def gold(shared: Path) -> list[Row]:
    """The 441 adjudicated rows that no model is trained on."""
    with (shared / "gold" / "dev.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def lines(path: Path, every: int = 1) -> Iterator[Row]:
    """The rows of a gzipped JSON lines file, or each `every`-th from the first on."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, islice(file, 0, None, every))


def readings(rows: Sequence[Row]) -> list[Reading]:
    """Gold rows as the product would read them, with their kind and stars."""
    return [reading(row) for row in rows]


def bare(texts: Sequence[str]) -> list[Reading]:
    """Texts with nothing beside them."""
    return [Reading(key=str(at), text=text) for at, text in enumerate(texts)]


def analysed(said: Sequence[Reading], effort: Effort, classifier: str | None = None) -> list[Analysis]:
    """One analysis for each reading, in order."""
    analyst = Analyst(effort=effort, classifier=classifier)
    parts = (said[at : at + _TOGETHER] for at in range(0, len(said), _TOGETHER))
    return [one for part in parts for one in analyst.analyse(part)]


def answer(analysis: Analysis, head: str) -> str:
    """An answer as the gold labels write it; what was not scored is wrong, except that its stage is "none"."""
    told = getattr(analysis, head)
    if told is None:
        return "none" if head in {"stage", "touchpoint"} else ""
    return {True: "yes", False: "no"}[told] if head == "complaint" else str(told.value)


def given_lane(said: Sequence[Reading], effort: Effort) -> list[dict[str, str]]:
    """The answers to the `OPTIONAL` questions whatever the lane: the one thing the Analyst cannot be asked for."""
    return [
        {head: HEADS[head][max(range(len(HEADS[head])), key=list(chances[head]).__getitem__)] for head in OPTIONAL}
        for chances in Triage(effort).chances(said)
    ]


def vader_strengths(texts: Sequence[str]) -> list[float]:
    """VADER's compounds, -1..1."""
    return [Vader().strength(text).compound for text in texts]


def vader_feeling(compound: float) -> str:
    """The feeling as VADER's authors read a compound."""
    return "positive" if compound >= NEUTRAL else "negative" if compound <= -NEUTRAL else "neutral"


def mention(row: Row) -> Mention:
    """A gold row as it would have been heard."""
    said = reading(row)
    return Mention(
        key=f"gold:{row['id']}",
        source=row["dataset"],
        kind=said.kind,
        text=said.text,
        said_at=_NOON,
        rating=said.rating,
        rating_max=None if said.rating is None else said.rating_max,
    )


@cache
def _shipped() -> Folder:
    return Folder(SMALL)


class Counted:
    """The small transformer that ships, counting for how many readings it is asked."""

    asked: ClassVar[int] = 0
    version = "counted"

    @property
    def trust(self) -> Mapping[str, float]:
        """As shipped."""
        return _shipped().trust

    def opinions(self, readings: Sequence[Reading]) -> list[Opinion]:
        """As shipped."""
        Counted.asked += len(readings)
        return _shipped().opinions(readings)


def asked(said: Sequence[Reading]) -> list[float]:
    """1 for each reading for which `auto` asked the second opinion, else 0."""
    before = Counted.asked
    found = []
    for one in said:
        analysed([one], Effort.AUTO, "bench.answers:Counted")
        found.append(float(Counted.asked > before))
        before = Counted.asked
    return found

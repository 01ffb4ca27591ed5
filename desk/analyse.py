"""Analyse: judge the texts of a file without storing anything, one JSON object for each row, in order."""

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx

from connectors.contract import STRANGE, Item, reason
from connectors.sources.file import File
from desk.hands import spread
from pipeline.analysis import Analysis, Analyst
from pipeline.classifier import Reading
from pipeline.errors import RecordError
from pipeline.triage.judge import Effort

FIELDS = (
    "lane", "lane_probabilities", "needs_reply", "complaint", "complaint_probability", "sentiment", "sentiment_score",
    "category", "urgency", "stage", "touchpoint", "factor", "grave", "language", "reasons", "versions",
)  # fmt: skip
"""What follows `id`, in this order. A public contract: docs/analyse.md."""

ROWS = 250
"""Rows judged at once: enough for speed, few enough that no core waits long for another at the end."""


@dataclass(frozen=True, slots=True)
class Analysed:
    """How many rows were answered, and how many of those could not be read."""

    rows: int
    errors: int


def analyse_file(file: Path, out: Path | None, analyst: Analyst) -> Analysed:
    """Answer each row of `file` on `out`, or on the terminal. RefusedError or SettingsError if the file is unusable.

    `out` takes its name only when it is complete: a file half written is never left in its place. A long file is judged
    on all cores.
    """
    cores = None if analyst.effort is Effort.FAST else 1  # the second opinion takes all cores by itself
    source = File(kind="file", name="analyse", path=file, columns={"said_at": ""})
    rows = errors = 0
    with _written(out) as stream, closing(spread(_Judge(source, analyst), _tasks(source), cores=cores)) as judged:
        for lines, faults in judged:
            stream.writelines(lines)
            rows += len(lines)
            errors += faults
    return Analysed(rows, errors)


def _tasks(source: File) -> Iterator[list[Item]]:
    """The rows of a file, some at a time."""
    with httpx.Client() as unused:
        for page in source.pages(unused, None):
            for at in range(0, len(page.items), ROWS):
                yield page.items[at : at + ROWS]


@dataclass(frozen=True, slots=True)
class _Judge:
    """What is done with each row, wherever it is done: read, judge, tell. When a text was said plays no part here."""

    source: File
    analyst: Analyst

    def __call__(self, items: list[Item]) -> tuple[list[str], int]:
        """A line for each row, in order, and how many rows could not be read."""
        read = [_read(self.source, item) for item in items]
        lines = []
        for row, analysis in zip(read, self.analyst.analyse([row.reading for row in read]), strict=True):
            told = answer(row.name, analysis) | ({"error": row.fault} if row.fault else {})
            lines.append(json.dumps(told, ensure_ascii=False) + "\n")
        return lines, sum(row.fault is not None for row in read)


def answer(name: str | int, analysis: Analysis) -> dict[str, Any]:
    """One analysis in the public form."""
    told = analysis.model_dump(mode="json", include=set(FIELDS))
    return {"id": name, **{field: told[field] for field in FIELDS}}


@dataclass(frozen=True, slots=True)
class _Row:
    name: str | int
    reading: Reading
    fault: str | None = None


def _read(source: File, item: Item) -> _Row:
    """A row as it is judged, and what of it could not be read. A row without any words is no fault: it is unscored."""
    number = int("".join(filter(str.isdigit, source.place(item))) or 0)
    if "row" not in item:
        return _Row(number, Reading(key="", text=""), reason(RecordError(item["fault"])))
    values = source.values(item["row"])
    given, text = values.get("id"), values.get("text")
    name = given if isinstance(given, int | str) and given != "" else number
    try:
        return _Row(name, Reading.of(source.parse(item)))
    except STRANGE as error:
        words = text if isinstance(text, str) else ""
        return _Row(name, Reading(key="", text=words), reason(error) if words.strip() else None)


@contextmanager
def _written(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        with nullcontext(sys.stdout) as stream:
            yield stream
        return
    draft = out.with_name(out.name + ".part")
    with draft.open("w", encoding="utf-8") as stream:
        yield stream
    draft.replace(out)

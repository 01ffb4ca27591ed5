"""Analyse: judge the texts of a file without storing anything, one JSON object for each row, in order."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx

from connectors.contract import STRANGE, Item, reason
from connectors.sources.file import File
from pipeline.analysis import Analysis, Analyst
from pipeline.classifier import Reading
from pipeline.errors import RecordError

FIELDS = (
    "lane", "lane_probabilities", "needs_reply", "complaint", "complaint_probability", "sentiment", "sentiment_score",
    "category", "urgency", "stage", "touchpoint", "factor", "grave", "language", "reasons", "versions",
)  # fmt: skip
"""What follows `id`, in this order. A public contract: docs/analyse.md."""


@dataclass(frozen=True, slots=True)
class Analysed:
    """How many rows were answered, and how many of those could not be read."""

    rows: int
    errors: int


def analyse_file(file: Path, out: Path | None) -> Analysed:
    """Answer each row of `file` on `out`, or on the terminal. RefusedError or SettingsError if the file is unusable.

    `out` takes its name only when it is complete: a file half written is never left in its place.
    """
    rows = errors = 0
    with _written(out) as stream:
        for judged in answers(file, Analyst()):
            stream.write(json.dumps(judged, ensure_ascii=False) + "\n")
            rows += 1
            errors += "error" in judged
    return Analysed(rows, errors)


def answers(file: Path, analyst: Analyst) -> Iterator[dict[str, Any]]:
    """One answer for each row, in order, a page of rows at a time. When a text was said plays no part here."""
    source = File(kind="file", name="analyse", path=file, columns={"said_at": ""})
    with httpx.Client() as unused:
        for page in source.pages(unused, None):
            read = [_read(source, item) for item in page.items]
            for row, analysis in zip(read, analyst.analyse([row.reading for row in read]), strict=True):
                yield answer(row.name, analysis) | ({"error": row.fault} if row.fault else {})


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

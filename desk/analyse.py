"""Analyse: judge the texts of a file without storing anything, one JSON object for each row, in order."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx

from connectors.contract import Item, reason
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
    analyst = Analyst()
    with _written(out) as stream:
        for judged in answers(File(kind="file", name="analyse", path=file), analyst):
            stream.write(json.dumps(judged, ensure_ascii=False) + "\n")
            rows += 1
            errors += "error" in judged
    return Analysed(rows, errors)


def answers(source: File, analyst: Analyst) -> Iterator[dict[str, Any]]:
    """One answer for each row, in order, a page of rows at a time."""
    with httpx.Client() as unused:
        for page in source.pages(unused, None):
            readings, faults, names = [], [], []
            for item in page.items:
                reading, fault = _reading(source, item)
                readings.append(reading)
                faults.append(fault)
                names.append(_name(source, item))
            for name, analysis, fault in zip(names, analyst.analyse(readings), faults, strict=True):
                yield answer(name, analysis) | ({"error": fault} if fault else {})


def answer(name: str | int, analysis: Analysis) -> dict[str, Any]:
    """One analysis in the public form."""
    told = analysis.model_dump(mode="json", include=set(FIELDS))
    return {"id": name, **{field: told[field] for field in FIELDS}}


def _reading(source: File, item: Item) -> tuple[Reading, str | None]:
    """The row as it is judged, and why not if it cannot be read: then there are no words, which is unscored."""
    try:
        return Reading.of(source.parse(item)), None
    except (RecordError, ValueError) as error:
        silent = "row" in item and not str(source.values(item["row"]).get("text") or "").strip()
        return Reading(key=source.place(item), text=""), None if silent else reason(error)


def _name(source: File, item: Item) -> str | int:
    """The row's own id, or the line it stands in."""
    given = source.values(item["row"]).get("id") if "row" in item else None
    place = source.place(item)
    if isinstance(given, int | str) and given != "":
        return given
    return int(place) if place.isdigit() else place


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

"""Trials of a few faults by themselves, in the toy world or before recordings of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from connectors.conform.bench import Bench, world_bench
from connectors.conform.grade import Failing
from connectors.conform.recorded import recorded_bench
from connectors.conform.trial import tried
from connectors.contract import Item, Source
from tests.connectors.conform.toy import ToyWorld

WELL = "nothing goes wrong"
NOTES = [
    {"id": 1, "at": "2026-05-01T10:00:00+00:00", "text": "One"},
    {"id": 2, "at": "2026-05-01T11:00:00+00:00", "text": "Two"},
]


@contextmanager
def opened(kind: type[Source], world: ToyWorld | None = None) -> Iterator[Bench]:
    with world_bench(kind, world or ToyWorld()) as bench:
        yield bench


def failing(kind: type[Source], fault: str, world: ToyWorld | None = None) -> Failing:
    """What it loses points for under a fault, where one without a flaw loses none."""
    with opened(kind, world) as bench:
        found = tried("toy", bench, {fault})
    (one,) = [each for each in found.failings if each.fault == fault]
    assert not found.conforms
    return one


def recordings(folder: Path, notes: list[Item], expected: list[dict[str, Any]] | None = None) -> Path:
    """A folder of recordings of a first walk and of a later one."""
    settings = {"kind": "toy", "name": "toy", "api": "https://toy.example", "key": "sesame-toy"}
    later = (datetime.fromisoformat(notes[-1]["at"]) - timedelta(hours=2)).isoformat()
    pages = [
        ("page=0", notes),
        ("page=1", []),
        (f"page=0&since={quote(later)}", notes),
        (f"page=1&since={quote(later)}", []),
    ]
    exchanges = [
        {
            "request": {"method": "GET", "url": f"https://toy.example/notes?{query}"},
            "response": {"json": {"notes": said}},
        }
        for query, said in pages
    ]
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
    (folder / "exchanges.json").write_text(json.dumps(exchanges), "utf-8")
    if expected is not None:
        (folder / "expected.json").write_text(json.dumps(expected), "utf-8")
    return folder


def recorded(kind: type[Source], folder: Path, fault: str) -> list[str]:
    with recorded_bench(kind, folder) as bench:
        return [each.happened for each in tried("toy", bench, {fault}).failings]

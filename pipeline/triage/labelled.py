"""The labelled mentions that training reads: gold, those labelled since (`labels.csv`), and grave ones (`graves.*`).

`labels.csv` names a set of `data/train`, a line of it (from 0) and the CRC-32 of the text, and gives the eight labels
of `gold/guide.md`: the texts are not ours to keep. Its annotators were language models working by the guide, one for
each mention; every batch held gold mentions unmarked, on which they agreed with gold as often as gold's annotators
with each other (the model card has the figures).
"""

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

from pipeline.errors import SettingsError
from pipeline.triage.model import GRAVE, HEADS

Row = dict[str, Any]

LABELS = Path(__file__).with_name("labels.csv")
GRAVES, WRITTEN = Path(__file__).with_name("graves.csv"), Path(__file__).with_name("graves.txt")
"""Which texts are grave, and how: of the same sets as `labels.csv` and of gold, by the same annotators; and mentions of
our own, for what hardly ever stands in public data ("signal: text", and "-" before what only sounds grave)."""
MENTIONS = Path(__file__).with_name("written.jsonl")
"""Mentions of our own, in the form of gold: of fields that the sets of `data/train` hardly hold."""
_EMPTY = {"category", "urgency", "factor"}
"""Questions that are not asked of every mention."""
_REVIEWS = (
    "app_maalej app_urr bangladesh_airline complaints_cesamard mams_train skytrax_lounge skytrax_seat uci_sentences "
    "vader_amazonReviewSnippets"
)
REVIEWS = frozenset(_REVIEWS.split())
"""Sets whose texts are reviews; the others' are posts."""


def gold(path: Path) -> list[Row]:
    """The mentions of a file like `gold/train.jsonl`. SettingsError names each line that cannot be used."""
    rows, faults = [], []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                fault = None if isinstance(row, dict) else "no object"
            except ValueError:
                fault = "no JSON"
            fault = fault or _fault(row)
            if fault:
                faults.append(f"line {number}: {fault}")
            else:
                rows.append(row)
    _refuse(path, faults)
    return rows


def written() -> list[Row]:
    """Mentions written for this project, labelled by their writers. SettingsError as `gold`."""
    return gold(MENTIONS)


def labels(data: Path) -> list[Row]:
    """Our own labels with their texts out of `data`. SettingsError names each line that cannot be used."""
    return _found(data, LABELS, list(HEADS), _fault)


def graves(data: Path) -> list[Row]:
    """Texts, each with the answer to `grave`: other people's out of `data`, then our own."""
    rows = _found(data, GRAVES, ["grave"], _fault_of_grave)
    faults = []
    for number, line in enumerate(WRITTEN.read_text(encoding="utf-8").splitlines(), 1):
        told, _, text = line.partition(": ")
        row = {"id": f"written:{number}", "dataset": "written", "text": text, "kind": "post", "rating": None}
        row["grave"] = "none" if told == "-" else told
        if fault := _fault_of_grave(row):
            faults.append(f"line {number}: {fault}")
        else:
            rows.append(row)
    _refuse(WRITTEN, faults)
    return rows


def _found(data: Path, path: Path, heads: list[str], wrong: Callable[[Row], str | None]) -> list[Row]:
    rows, faults = [], []
    texts: dict[str, list[Row]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, told in enumerate(csv.DictReader(file), 2):
            try:
                said = _said(data, told, texts)
            except (KeyError, IndexError, TypeError, ValueError, OSError):
                faults.append(f"line {number}: no such text")
                continue
            row = said | {head: told[head] for head in heads}
            fault = None if f"{crc32(row['text'].encode()):08x}" == told["check"] else "the text is another"
            fault = fault or wrong(row)
            if fault:
                faults.append(f"line {number}: {fault}")
            else:
                rows.append(row)
    _refuse(path, faults)
    return rows


def lines(data: Path, name: str) -> Iterator[Row]:
    """The rows of one set."""
    with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _said(data: Path, told: dict[str, str], texts: dict[str, list[Row]]) -> Row:
    name, line = told["set"], int(told["line"])
    if name not in texts:
        texts[name] = gold(data.parents[1] / "gold" / "train.jsonl") if name == "gold" else list(lines(data, name))
    one = texts[name][line]
    if name == "gold":
        return one
    title = f"{one['title']}. " if name == "complaints_cesamard" and one.get("title") else ""
    return {
        "id": f"{name}:{line}",
        "dataset": name.replace("_", "-"),
        "text": title + one["text"],
        "kind": "review" if name in REVIEWS else "post",
        "rating": _stars(one),
    }


def _stars(said: Row) -> str | None:
    given = said.get("rating")
    if given in {None, "", "?"} or not str(given).replace(".", "").isdigit():
        return None
    return f"{float(given):g}/{said.get('rating_max', 5)}"


def _fault(row: Row) -> str | None:
    """What keeps a row from being learnt from."""
    if not str(row.get("text") or "").strip():
        return "no text"
    for head, answers in HEADS.items():
        answer = row.get(head)
        if answer not in answers and not (answer == "" and head in _EMPTY):
            return f"{head} is {answer!r}; it may be {', '.join(answers)}"
    if (row["category"] != "") != (row["lane"] == "service") or (row["factor"] != "") != (row["lane"] == "experience"):
        return "category is for service and factor for experience, always and only"
    return None


def _fault_of_grave(row: Row) -> str | None:
    if not str(row.get("text") or "").strip():
        return "no text"
    return None if row.get("grave") in GRAVE else f"grave is {row.get('grave')!r}; it may be {', '.join(GRAVE)}"


def _refuse(path: Path, faults: list[str]) -> None:
    if faults:
        more = f"; and {len(faults) - 10} more" if len(faults) > 10 else ""  # noqa: PLR2004 - enough to see what is wrong
        raise SettingsError(f"{path.name} cannot be learnt from: {'; '.join(faults[:10])}{more}; nothing was changed")

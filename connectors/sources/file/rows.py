"""The rows of a CSV, JSON or Parquet file, a page at a time in flat memory, each with the place it stood.

A row is an item `{"at": "line 7", "row": {column: value}}`, or `{"at": "line 7", "raw": …, "fault": why}` where it
cannot be read; both can be written as JSON.
"""

import csv
import json
import math
import re
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, Never

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.contract import Item
from connectors.sources.file.content import AS_IT_IS, Content, Known, lines, unpacked
from pipeline.errors import RefusedError

PAGE = 1_000
"""Rows read between two cursors."""
DELIMITERS = ",;\t|"


def pages(content: Content, delimiter: str | None) -> Iterator[tuple[list[Item], Known]]:
    """The rows after those already known, `PAGE` at a time, each page with how far the file is then read."""
    if content.format in {"csv", "jsonl"} and content.known.size == content.size:
        yield [], content.known
        return
    try:
        with unpacked(content.path) as stream:
            if content.format == "parquet":
                with TemporaryFile() as anywhere:  # its rows are found from its end, which gzip cannot seek
                    copyfileobj(stream, anywhere)
                    yield from _parquet(pq.ParquetFile(anywhere), content.known)
                return
            if content.format == "json":
                yield from _json_list(stream.read(), content)
                return
            text = _Lines(lines(stream, content.encoding), content)
            rows = _jsonl(text) if content.format == "jsonl" else _csv(text, delimiter or _delimiter(content.sample))
            page: list[Item] = []
            for row in rows:
                page.append(row)
                if len(page) == PAGE:
                    yield page, text.known
                    page = []
            yield page, text.known
    except csv.Error:  # of a row it would be a fault; without its head no row can be read
        message = f"{content.path.name}: its first line does not name the columns; export it again as CSV"
        raise RefusedError(message) from None
    except (pa.ArrowException, OSError) as error:
        message = f"{content.path.name}: is damaged ({type(error).__name__}); copy or export it again"
        raise RefusedError(message) from None


class _Lines(Iterator[str]):
    """The physical lines of a text, which can be put back until they are settled."""

    def __init__(self, source: Iterator[bytes], content: Content) -> None:
        self._source = source
        self._encoding = content.encoding if content.encoding in AS_IT_IS else "utf-8"
        self._left = content.size  # what was added since the file was seen through waits for the next time
        self._known = content.known.line
        self._taken: list[bytes] = []
        self._again: deque[bytes] = deque()
        self._digest, self._size, self.number = sha256(), 0, 0

    @property
    def known(self) -> Known:
        """How far all is settled."""
        return Known(self._size, self._digest.hexdigest(), self.number)

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._new()
        self._taken.append(line)
        return self._decoded(line)

    def settle(self, count: int | None = None) -> tuple[str, str | None]:
        """Be done with the lines taken, or the first `count` of them; what they were, and what is wrong with them."""
        done, back = self._taken[:count], self._taken[len(self._taken) if count is None else count :]
        self._again.extendleft(reversed(back))
        self._taken = []
        raw = b"".join(done)
        self._digest.update(raw)
        self._size += len(raw)
        self.number += len(done)
        if raw.isascii():
            return raw.decode(), "has NUL bytes in it" if b"\x00" in raw else None
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError:
            return self._decoded(raw), f"is not written in {self._encoding} as the rest of the file"
        return text, "has NUL bytes in it" if b"\x00" in raw else None

    def skip_known(self) -> None:
        """Pass over the lines that were read before."""
        while self.number < self._known:
            next(self)
            self.settle()

    def _new(self) -> bytes:
        line = next(self._source) if self._left > 0 else b""
        self._left -= len(line)
        if not line or self._left < 0:
            self._left = 0
            raise StopIteration
        return line

    def _decoded(self, line: bytes) -> str:
        return line.decode(self._encoding, "replace").removeprefix("\ufeff")


def _csv(text: _Lines, delimiter: str) -> Iterator[Item]:
    head, delimiter = _head(text, delimiter)
    text.skip_known()
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        at = f"line {text.number + 1}"
        try:
            fields = next(reader)
        except StopIteration:
            text.settle()
            return
        except csv.Error as error:
            # A quote that is never closed takes in all rows behind it: they are read again, only its line is at fault.
            raw, _ = text.settle(1)
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            yield {"at": at, "raw": raw, "fault": f"the quotes of the row do not match ({error})"}
            continue
        raw, fault = text.settle()
        if not fields:
            continue  # an empty line
        if fault is None and len(fields) != len(head):
            fault = f"has {len(fields)} columns, where the head has {len(head)}"
        if fault:
            yield {"at": at, "raw": raw, "fault": f"the row {fault}"}
        else:
            yield {"at": at, "row": dict(zip(head, fields, strict=True))}


def _head(text: _Lines, delimiter: str) -> tuple[list[str], str]:
    """The names of the columns, each once; Excel's first line `sep=;` is obeyed."""
    names = next(csv.reader(text, delimiter=delimiter))
    raw, _ = text.settle()
    if told := re.fullmatch(r"sep=(.)\s*", raw):
        delimiter = told[1]
        names = next(csv.reader(text, delimiter=delimiter), [])
        text.settle()
    head: list[str] = []
    for number, name in enumerate(names, 1):
        name = name.strip() or f"column {number}"  # noqa: PLW2901 - the same name, tidied
        head.append(name if name not in head else f"{name} {number}")
    return head, delimiter


def _delimiter(sample: list[str]) -> str:
    """The one of `DELIMITERS` that cuts the most rows into as many columns as the head, at least two."""

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            rows = [row for row in csv.reader(sample, delimiter=delimiter) if row]
        except csv.Error:
            return 0, 0
        columns = len(rows[0])
        return (sum(len(row) == columns for row in rows) / len(rows), columns) if columns > 1 else (0, 0)

    return max(DELIMITERS, key=fit)


def _jsonl(text: _Lines) -> Iterator[Item]:
    text.skip_known()
    for line in text:
        at = f"line {text.number + 1}"
        _, fault = text.settle()
        if not line.strip():
            continue
        row: Any = None
        try:
            row = json.loads(line.rstrip("\r\n"), parse_constant=_no_number)
        except json.JSONDecodeError as error:
            fault = fault or f"is no JSON ({error.msg}, column {error.colno})"
        except (ValueError, RecursionError) as error:
            fault = fault or f"is no JSON ({type(error).__name__})"
        else:
            fault = fault or (None if isinstance(row, dict) else "is JSON, but no object with columns")
        yield {"at": at, "raw": line, "fault": f"the row {fault}"} if fault else {"at": at, "row": row}


def _json_list(told: bytes, content: Content) -> Iterator[tuple[list[Item], Known]]:
    try:
        listed = json.loads(told.removeprefix(b"\xef\xbb\xbf"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        message = f"{content.path.name}: is a JSON list that is broken or cut short ({error}); export it again"
        raise RefusedError(message) from None
    known = content.known
    for start in range(known.line, len(listed), PAGE):
        rows = list(enumerate(listed[start : start + PAGE], start + 1))
        items = [
            {"at": f"row {number}", "row": row}
            if isinstance(row, dict)
            else {"at": f"row {number}", "raw": json.dumps(row), "fault": "the row is JSON, but no object with columns"}
            for number, row in rows
        ]
        yield items, Known(known.size, known.sha256, start + len(rows))
    if known.line >= len(listed):
        yield [], known


def _no_number(name: str) -> Never:
    raise ValueError(name)


def _parquet(file: pq.ParquetFile, known: Known) -> Iterator[tuple[list[Item], Known]]:
    number = 0
    for batch in file.iter_batches(batch_size=PAGE):
        if number + batch.num_rows > known.line:
            first = max(0, known.line - number)
            rows = batch.slice(first).to_pylist()
            items = [{"at": f"row {number + first + place}", "row": _json(row)} for place, row in enumerate(rows, 1)]
            yield items, Known(known.size, known.sha256, number + batch.num_rows)
        number += batch.num_rows


def _json(value: Any) -> Any:  # noqa: ANN401 - a cell of Parquet is anything
    """A cell as JSON holds it; what is no number is null."""
    if isinstance(value, dict):
        return {str(name): _json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)

"""File: one line of JSON for each alert, for whatever reads files."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal

import httpx
from pydantic import Field

from connectors.contract import Sink
from connectors.durable import keep_name, lock
from connectors.wording import link, reasons, visible
from pipeline.errors import RefusedError, TemporaryError
from pipeline.route import Alert
from pipeline.text import shorten

OURS = b'{"key":"'
"""How every line of ours begins."""


class FileSink(Sink, frozen=True):
    """A file on this computer, one alert a line. An alert whose key stands in it already is not written again."""

    label: ClassVar[str] = "File"
    docs: ClassVar[str] = "https://jsonlines.org"
    text_limit: ClassVar[int] = 20_000
    honours_key: ClassVar[bool] = True

    kind: Literal["file"] = "file"
    path: Path = Field(description="The file, such as alerts.jsonl; made if it is not there. It is only ever added to.")

    def send(self, http: httpx.Client, alert: Alert) -> str:
        """Write one alert, on disk when this returns; the receipt is the file's name and the line it stands on."""
        del http
        path = self.path.expanduser()
        try:
            if path.exists() and not path.is_file():  # a pipe would wait for a reader, a device never ends
                raise RefusedError(f"{self.path}: is no file; the operator must act: name a file Earful may write")
            with _alone(path) as file:
                number = _write_once(file, alert)
        except (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
            raise RefusedError(
                f"{self.path}: {error.strerror}; the operator must act: name a file Earful may write"
            ) from error
        except OSError as error:
            raise TemporaryError(f"{self.path}: {error.strerror}; {TemporaryError.who_acts}") from error
        if number is None:
            raise RefusedError(
                f"{self.path}: ends in something Earful did not write; the operator must act: name a file of its own"
            )
        return f"{self.path.name}:{number}"


def line_of(alert: Alert) -> bytes:
    """The alert as one line of JSON in UTF-8. The key comes first, so that a line is known by how it starts."""
    told = alert.model_dump(mode="json", exclude={"key", "sink"})
    told = {name: visible(value) if isinstance(value, str) else value for name, value in told.items()}
    told |= {"text": shorten(told["text"], FileSink.text_limit), "why": reasons(alert), "url": link(alert)}
    return _json({"key": alert.key, **told}) + b"\n"


def _json(values: dict[str, Any]) -> bytes:
    written = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return written.encode("utf-8", "backslashreplace")  # half a surrogate pair becomes its JSON escape


@contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    """The file, opened for reading and adding, while every other process and thread waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        lock(file)  # closing the file gives the lock back, and so does the end of a killed process
        fresh = file.seek(0, os.SEEK_END) == 0
        yield file
    if fresh:
        keep_name(path.parent)


def _write_once(file: BinaryIO, alert: Alert) -> int | None:
    """Number of the line, from 1, the alert stands on; None if the file's last words are not ours.

    A crash can leave half a line at the end. It is taken out: its alert was never marked as sent, so it comes again.
    """
    start = _json({"key": alert.key})[:-1] + b","
    lines, whole, torn = 0, 0, b""
    file.seek(0)
    for stood in file:
        if not stood.endswith(b"\n"):
            torn = stood
            break
        lines, whole = lines + 1, whole + len(stood)
        if stood.startswith(start):
            return lines
    if torn and not (torn.startswith(OURS) or OURS.startswith(torn)):
        return None
    if torn and _complete(torn):
        file.write(b"\n")
        lines += 1
    elif torn:
        file.truncate(whole)
    if not (torn.startswith(start) and _complete(torn)):
        file.write(line_of(alert))
        lines += 1
    file.flush()
    os.fsync(file.fileno())
    return lines


def _complete(line: bytes) -> bool:
    """Whether only the newline is missing."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True

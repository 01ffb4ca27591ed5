"""Spool: a file where what was pushed to us waits to be read; on disk before the sender is told that we have it."""

import errno
import gzip
import hashlib
import json
import os
import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any, BinaryIO

from connectors.durable import keep_name, lock

REMEMBERED = 100_000
"""Ids by which a message sent again is known; senders give up after days."""
PAGE = 500
"""Lines read between two places."""
PIECE = 1 << 20
"""Bytes read at once."""

_PUT_AWAY = re.compile(r"\..+|[-_~]\d.*|~")
"""What logrotate and its like write behind a name: .1, .2.gz, -20261122."""
_PACKED = b"\x1f\x8b"
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


class Spool:
    """The writing end, for any number of threads and processes at one file; a message is in it once.

    The file may be renamed or cut at any time by whoever keeps it small: the next message begins a new one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids = OrderedDict[str, None]()
        self._seen = (0, 0)  # inode and how far its ids are known
        self._own = Lock()

    def put(self, sent_as: str, body: object, heard_at: str) -> bool:
        """Add a message; on disk when this returns. False where it was there already; OSError where it cannot be."""
        line = json.dumps({"id": sent_as, "heard_at": heard_at, "body": body}, separators=(",", ":")).encode() + b"\n"
        with self._own, self._alone() as file:
            end = self._catch_up(file)
            if sent_as in self._ids:
                os.fsync(file.fileno())  # whoever wrote it may have died before it was on disk
                return False
            try:
                _write(file, line)
            except OSError:
                file.truncate(end)  # what is half written would hide what comes after it
                raise
            self._note(sent_as)
            self._seen = (self._seen[0], end + len(line))
        if not end:
            keep_name(self._path.parent)
        return True

    @contextmanager
    def _alone(self) -> Iterator[BinaryIO]:
        """The file under its name, with no other process at it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with self._path.open("a+b", buffering=0) as file:
                lock(file)
                try:
                    named = os.path.samestat(os.fstat(file.fileno()), self._path.stat())
                except FileNotFoundError:
                    named = False
                if named:
                    yield file
                    return

    def _catch_up(self, file: BinaryIO) -> int:
        """Learn the ids that others added, take out what a crash left half written; where the file ends then."""
        now = os.fstat(file.fileno())
        inode, known = self._seen
        if inode != now.st_ino or now.st_size < known:
            known = 0
        file.seek(known)
        rest = b""
        while piece := file.read(PIECE):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                known += len(line) + 1
                message = _message(line)
                if message is not None:
                    self._note(str(message.get("id")))
        if rest:
            file.truncate(known)  # nobody was told that we have it
        self._seen = (now.st_ino, known)
        return known

    def _note(self, sent_as: str) -> None:
        self._ids[sent_as] = None
        while len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)


def _write(file: BinaryIO, line: bytes) -> None:
    if file.write(line) != len(line):  # a full disk takes a part
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a spool is read: `offset` bytes of the file that begins with the line of hash `first`, up to `last`."""

    first: str = ""
    last: str = ""
    offset: int = 0

    def cursor(self) -> str:
        """As a source keeps it."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Read:
    """Some messages, in the order they came, and where we are then. `lost`: what stood between is gone."""

    messages: list[dict[str, Any]]
    mark: Mark
    lost: bool = False


def read(path: Path, since: str | None) -> Iterator[Read]:
    """What came after the mark. A file that was put away under a longer name, packed or not, is read to its end first.

    A line that is not whole waits until it is. Where the file of the mark is gone, all that is left is read. OSError
    where a file cannot be read.
    """
    mark = Mark(**json.loads(since)) if since else Mark()
    files = [each for each in (*_put_away(path), path) if _first(each)]
    known = next((place for place, each in enumerate(files) if _first(each) == mark.first), None)
    if known is None:
        if mark.first and files:
            yield Read([], mark, lost=True)
        known, mark = 0, Mark()
    for each in files[known:]:
        first = _first(each)
        with _opened(each) as (file, whole):
            yield from _rest(file, mark if mark.first == first and _stands(file, mark) else Mark(first))
        if not whole:
            yield Read([], mark, lost=True)


def kept_since(path: Path) -> str | None:
    """When the oldest message came that is still there, as it was written down."""
    files = [each for each in (*_put_away(path), path) if _first(each)]
    if not files:
        return None
    told = (_message(_line(files[0])) or {}).get("heard_at")
    return told if isinstance(told, str) else None


def is_put_away(path: Path, other: Path) -> bool:
    """Whether `other` has a name that the file `path` gets when it is put away."""
    name = other.name.removeprefix(path.name)
    return path.parent == other.parent and name != other.name and bool(_PUT_AWAY.fullmatch(name))


def _rest(file: BinaryIO, mark: Mark) -> Iterator[Read]:
    messages: list[dict[str, Any]] = []
    first, last, offset = mark.first, mark.last, mark.offset
    file.seek(offset)
    for line in file:
        if not line.endswith(b"\n"):
            break
        message = _message(line)
        messages.append({"strange": "no line of a spool", "at": offset} if message is None else message)
        last, offset = _hash(line), offset + len(line)
        if len(messages) == PAGE:
            yield Read(messages, Mark(first, last, offset))
            messages = []
    yield Read(messages, Mark(first, last, offset))


def _stands(file: BinaryIO, mark: Mark) -> bool:
    """Whether the file still is what we read of it: else somebody cut it inside, and all is read again."""
    file.seek(0, os.SEEK_END)
    if file.tell() < mark.offset:
        return False
    line, start = b"", mark.offset
    while start and not line.removesuffix(b"\n").count(b"\n"):
        step = min(start, 65_536)
        start -= step
        file.seek(start)
        line = file.read(step) + line
    return not mark.offset or (
        line.endswith(b"\n") and _hash(line.removesuffix(b"\n").rpartition(b"\n")[2] + b"\n") == mark.last
    )


def _put_away(path: Path) -> list[Path]:
    """What the file was renamed to, the oldest first. One that is just being packed is there twice, and taken once."""
    folder = path.parent.iterdir() if path.parent.is_dir() else ()
    found = {each for each in folder if is_put_away(path, each) and each.is_file()}
    once = [each for each in found if each.suffix != ".gz" or each.with_suffix("") not in found]
    return sorted(once, key=lambda each: (each.stat().st_mtime_ns, each.name))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """The lines of a file, unpacked where they are packed, and whether that is all of them."""
    with path.open("rb") as file:
        packed = file.read(len(_PACKED)) == _PACKED
        file.seek(0)
        if not packed:
            yield file, True
            return
        with TemporaryFile() as unpacked:
            whole = True
            try:
                for line in gzip.GzipFile(fileobj=file):
                    unpacked.write(line)
            except _DAMAGED:
                whole = False
            yield unpacked, whole


def _first(path: Path) -> str:
    """What a file is known by; nothing where it is not there or has no whole line yet."""
    line = _line(path)
    return _hash(line) if line.endswith(b"\n") else ""


def _line(path: Path) -> bytes:
    """The first line; nothing of a file that is not there, or is packed and damaged."""
    try:
        with path.open("rb") as file:
            packed = file.read(len(_PACKED)) == _PACKED
            file.seek(0)
            return gzip.GzipFile(fileobj=file).readline() if packed else file.readline()
    except (FileNotFoundError, *_DAMAGED):
        return b""


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:32]


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None

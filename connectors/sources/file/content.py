"""What a file holds, seen through once before a row of it is used: packing, format, encoding, how far we know it.

A file that is not what its name says is refused here, whole.
"""

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Literal, cast

from pipeline.errors import RefusedError

Format = Literal["csv", "jsonl", "json", "parquet"]

LONGEST_LINE = 16_000_000
"""Bytes. No row is as long; without a bound one file without line ends would fill the memory."""
SAMPLE = 64_000
"""Bytes looked at to tell a format."""
SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
TITLES: dict[Format, str] = {"csv": "CSV", "jsonl": "JSON lines", "json": "a JSON list", "parquet": "Parquet"}
LONGEST_LIST = 200_000_000
"""Bytes. A JSON list is read as a whole, so it has to fit the memory; lines do not."""
STRANGERS = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive; save the sheet as “CSV UTF-8”, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as “CSV UTF-8”",
    b"%PDF": "a PDF; ask for the data as CSV",
    b"SQLite format 3": "a SQLite database; export the table as CSV",
    b"BZh": "packed with bzip2; unpack it",
    b"\xfd7zXZ": "packed with xz; unpack it",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it",
    b"\x1f\x8b": "packed with gzip twice; unpack it once",
}
MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""Byte-order marks of encodings whose lines cannot be told apart as bytes; that of UTF-8 is taken off with the head."""
AS_IT_IS = ("utf-8", "cp1252")
"""Encodings in which a line feed is one byte, and never part of another character."""
CONTROLS = bytes(set(range(32)) - {9, 10, 12, 13, 27})


@dataclass(frozen=True, slots=True)
class Known:
    """How far a file is read: its first `size` bytes, which hash to `sha256`, hold `line` lines (rows of Parquet)."""

    size: int = 0
    sha256: str = sha256().hexdigest()
    line: int = 0

    def cursor(self) -> str:
        """As a source keeps it."""
        return json.dumps(asdict(self))


def known(since: str | None) -> Known:
    """What a cursor says."""
    return Known(**json.loads(since)) if since else Known()


@dataclass(frozen=True, slots=True)
class Content:
    """A file that was seen through once, and is what it says it is.

    `known` is what of it was read before: nothing if what was read has changed since. `sample` holds the first lines.
    """

    path: Path
    format: Format
    encoding: str
    size: int
    known: Known
    sample: list[str] = field(default_factory=list)


def see_through(path: Path, since: str | None, *, named: Format | None, encoding: str | None) -> Content:
    """Read all bytes of a file once, in little memory. Raises RefusedError, which names the file and the mend."""
    try:
        with path.open("rb") as packed:
            start = packed.read(2)
        if path.suffix.lower() == ".gz" and start != b"\x1f\x8b":
            raise _refused(path, "is not packed with gzip, as its name says; rename it or export it again")
        with unpacked(path) as stream:
            return _seen(path, stream, known(since), named or _named(path), encoding)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _refused(path, "its gzip packing is cut short or damaged; copy or export it again") from None
    except FileNotFoundError:
        raise _refused(path, "is not there; check the path") from None
    except OSError as error:
        raise _refused(
            path, f"cannot be read ({error.strerror or error}); check what it is and who may read it"
        ) from None


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, without gzip if the bytes (not the name) say that it is packed."""
    with path.open("rb") as packed:
        magic = packed.read(2)
        packed.seek(0)
        if magic != b"\x1f\x8b":
            yield packed
            return
        with gzip.GzipFile(fileobj=packed) as stream:
            yield cast("BinaryIO", stream)


def lines(stream: BinaryIO, encoding: str) -> Iterator[bytes]:
    """Physical lines with their ends: in UTF-8, but cp1252 stays as it is."""
    if encoding in AS_IT_IS:
        yield from iter(lambda: stream.readline(LONGEST_LINE), b"")
        return
    text = io.TextIOWrapper(stream, encoding, newline="\n")
    for line in iter(lambda: text.readline(LONGEST_LINE // 4), ""):
        yield line.encode("utf-8", "surrogatepass")
    text.detach()


def _refused(path: Path, why: str) -> RefusedError:
    return RefusedError(f"{path.name}: {why}")


def _named(path: Path) -> Format | None:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def _seen(path: Path, stream: BinaryIO, before: Known, named: Format | None, encoding: str | None) -> Content:
    start = stream.read(SAMPLE)
    stream.seek(0)
    for magic, what in STRANGERS.items():
        if start.startswith(magic):
            raise _refused(path, f"is {what}")
    if start.startswith(b"PAR1"):
        if named not in {"parquet", None}:
            raise _refused(path, f"is Parquet, not {TITLES[named]} as it is called; rename it")
        return _whole(path, stream, before, "parquet")
    if named in {"jsonl", "json"} and _is_list(start.removeprefix(codecs.BOM_UTF8).lstrip()):
        return _whole(path, stream, before, "json")
    if named == "parquet":
        raise _refused(path, "is not Parquet, as it is called; rename it or export it again")
    marked = next((name for mark, name in MARKS if start.startswith(mark)), None)
    encoding = _codec(encoding) or marked
    controls = len(start) - len(start.translate(None, CONTROLS))
    if encoding in {None, *AS_IT_IS} and controls > max(8, len(start) // 20):
        raise _refused(path, "is no text at all; export it as CSV, JSON lines or Parquet")
    return _text(path, stream, before, named, encoding)


def _is_list(start: bytes) -> bool:
    """Whether a file is one JSON list, and not lines of which the first happens to be a list by itself."""
    first, _, rest = start.partition(b"\n")
    return start[:1] == b"[" and not (rest.strip() and _is_json(first))


def _codec(encoding: str | None) -> str | None:
    return codecs.lookup(encoding).name.removesuffix("-sig") if encoding else None


def _whole(path: Path, stream: BinaryIO, before: Known, found: Format) -> Content:
    """What has its rows in no lines: known whole, or not at all."""
    digest, size = sha256(), 0
    while piece := stream.read(1 << 20):
        digest.update(piece)
        size += len(piece)
        if found == "json" and size > LONGEST_LIST:
            raise _refused(path, "is one JSON list, too long to be read as a whole; export it as JSON lines")
    same = (size, digest.hexdigest()) == (before.size, before.sha256)
    whole = Known(size, digest.hexdigest(), before.line if same else 0)
    return Content(path, found, "", size, whole)


def _text(path: Path, stream: BinaryIO, before: Known, named: Format | None, encoding: str | None) -> Content:
    sample: list[bytes] = []
    seen, prefix, size = _Encodings(), _Prefix(before), 0
    try:
        for number, line in enumerate(lines(stream, encoding or "utf-8"), 1):
            if len(line) >= LONGEST_LINE // 4 and not line.endswith(b"\n"):
                raise _refused(path, f"line {number} has no end; export the file as CSV or JSON lines")
            if size < SAMPLE:
                sample.append(line)
            seen.take(line)
            prefix.take(line)
            size += len(line)
    except UnicodeError:
        raise _refused(path, f"is not written in {encoding}; set `encoding` right, or leave it out") from None
    encoding = encoding or seen.most_likely()
    if encoding is None:
        raise _refused(path, "is in an encoding that cannot be told; set `encoding`, or export it in UTF-8")
    texts = [line.decode(encoding if encoding in AS_IT_IS else "utf-8", "replace") for line in sample]
    texts[:1] = [text.removeprefix("\ufeff") for text in texts[:1]]
    found = _like(path, texts, named)
    return Content(path, found, encoding, size, before if prefix.same else Known(), texts)


@dataclass(slots=True)
class _Encodings:
    """How many lines beyond ASCII are UTF-8, how many are not, and whether those could be cp1252."""

    right: int = 0
    wrong: int = 0
    western: bool = True

    def take(self, line: bytes) -> None:
        if line.isascii():
            return
        if _decodes(line, "utf-8"):
            self.right += 1
        else:
            self.wrong += 1
            self.western = self.western and _decodes(line, "cp1252")

    def most_likely(self) -> str | None:
        # A few broken lines in a file of UTF-8 are broken lines; they must not turn every "ü" of it into "Ã¼".
        if self.wrong <= self.right:
            return "utf-8"
        return "cp1252" if self.western else None


class _Prefix:
    """Whether a file still begins with what we know of it."""

    def __init__(self, before: Known) -> None:
        self._before, self._left, self._digest = before, before.size, sha256()
        self.same = not before.size

    def take(self, line: bytes) -> None:
        if self._left <= 0:
            return
        self._digest.update(line[: self._left])
        rest, self._left = line[self._left :], self._left - len(line)
        if self._left <= 0:
            # The last line we know may have been half written; then everything has to be read again.
            self.same = rest in {b"", b"\n", b"\r\n"} and self._digest.hexdigest() == self._before.sha256


def _like(path: Path, texts: list[str], named: Format | None) -> Format:
    """The format of a text, which must be the one it is named for."""
    said = [text.strip() for text in texts if text.strip()]
    first = said[0] if said else ""
    if not said and named != "jsonl":
        raise _refused(path, "is empty; a CSV has a head at least")
    if first[:2] in {"<!", "<?", "<h", "<H"}:
        raise _refused(path, "is a web page or XML; export the data as CSV or JSON lines")
    if "\r" in first:
        raise _refused(path, "ends its lines in the old Macintosh way; save it as “CSV UTF-8”")
    objects = sum(text.startswith("{") and _is_object(text) for text in said)
    if named == "jsonl" and said and not objects:
        raise _refused(path, "is no JSON lines, as it is called; export it again, or rename it if it is CSV")
    if named == "jsonl" or (objects and 2 * objects >= len(said)):
        if named == "csv":
            raise _refused(path, "is JSON lines, not CSV as it is called; rename it")
        return "jsonl"
    if first.startswith(("[", "{")):
        raise _refused(path, "is JSON, but with no line for each row; export it as JSON lines")
    return "csv"


def _is_object(text: str) -> bool:
    return isinstance(_json(text), dict)


def _is_json(text: bytes) -> bool:
    return _json(text) is not None


def _json(text: str | bytes) -> object:
    """What it says; None where it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True

"""File import: CSV, JSON lines or Parquet, also gzipped. For every place that has an export and no way in.

One bad row is kept aside with its line and reason; a file that is not what its name says is refused whole.
"""

import codecs
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

import httpx
from pydantic import Field, field_validator, model_validator

from connectors.contract import Item, Page, Source
from connectors.sources.file import mapping, rows
from connectors.sources.file.content import Format, see_through
from pipeline.errors import RecordError, SettingsError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain, tidy

_LOG = logging.getLogger(__name__)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
ID_LENGTH = 400
"""A longer id is hashed: a key has 512 characters at most."""

Constant = Literal["brand", "product", "country", "language", "kind", "author"]


class File(Source, frozen=True):
    """One file with a mention in every row. Columns with common names are found; name the others in `columns`."""

    label: ClassVar[str] = "File import"
    docs: ClassVar[str] = "https://www.rfc-editor.org/rfc/rfc4180"
    quiet_after: ClassVar[timedelta] = timedelta(days=3650)  # a file is silent by nature

    kind: Literal["file"] = "file"
    path: Path = Field(description="The file; may be gzipped.")
    format: Literal["auto", "csv", "jsonl", "parquet"] = Field(
        default="auto", description="If its name does not say it."
    )
    columns: dict[mapping.Field, str] = Field(
        default_factory=dict, description='Which column holds what: { text = "Comment", author = "" }; "" is no column.'
    )
    constants: dict[Constant, str] = Field(default_factory=dict, description="What is the same for every row.")
    where: dict[str, str | tuple[str, ...]] = Field(
        default_factory=dict, description='Take only rows with these values, such as { speaker = "client" }.'
    )
    rating_min: float | None = Field(default=None, description="Lower end of the scale of ratings; 1 if left out.")
    rating_max: float | None = Field(default=None, description="Upper end of the scale of ratings.")
    date_format: str | None = Field(default=None, description="How dates are written, such as %d/%m/%Y.")
    timezone: str = Field(default="UTC", description="IANA zone of times that name none, such as Europe/Berlin.")
    html: bool = Field(default=False, description="The texts are HTML.")
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=1, description="Between columns, if not found."
    )
    encoding: str | None = Field(default=None, description="Of a text file, if not UTF-8 or cp1252.")

    @field_validator("timezone", mode="after")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError):
            message = "no such time zone; write an IANA name such as Europe/Berlin"
            raise ValueError(message) from None
        return value

    @field_validator("encoding", mode="after")
    @classmethod
    def _encoding(cls, value: str | None) -> str | None:
        try:
            return value and codecs.lookup(value).name
        except LookupError:
            message = "no such encoding; write one such as cp1252 or utf-16"
            raise ValueError(message) from None

    @model_validator(mode="after")
    def _scale(self) -> Self:
        if self.rating_max is not None and (1 if self.rating_min is None else self.rating_min) >= self.rating_max:
            message = "rating_max must be above rating_min (1 if left out)"
            raise ValueError(message)
        if "kind" in self.constants and self.constants["kind"] not in {*MentionKind}:
            message = f"constants.kind is one of {', '.join(MentionKind)}"
            raise ValueError(message)
        return self

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """The rows not read yet; from the start if what was read has changed. Asks nobody, so `http` is not used.

        Raises RefusedError where the file is not what it says, SettingsError where no settings fit its columns, before
        anything is yielded.
        """
        del http
        named: Format | None = None if self.format == "auto" else self.format
        # Other settings read other things in the same rows: then the file is read again from the start.
        settings = _fingerprint({"settings": self.model_dump_json(exclude={"path"})})
        told, _, place = (since or "").partition(" ")
        content = see_through(self.path, place if told == settings else None, named=named, encoding=self.encoding)
        if content.encoding not in {"", "utf-8"}:
            _LOG.warning("%s: %s is not UTF-8, read as %s", self.name, self.path.name, content.encoding)
        heard_at = datetime.fromtimestamp(self.path.stat().st_mtime, UTC).isoformat()
        unchecked, left_out = content.known.line == 0, 0
        for read, known in rows.pages(content, self.delimiter):
            if unchecked:
                self._check([item["row"] for item in read if "row" in item])
                unchecked = False
            items = [item | {"heard_at": heard_at} for item in read if self._wanted(item)]
            left_out += len(read) - len(items)
            yield Page(items, cursor=f"{settings} {known.cursor()}")
        _LOG.info("%s: %s read; %d rows left out by `where`", self.name, self.path.name, left_out)

    def parse(self, item: Item) -> Mention:
        """One row as a mention; a row without a date was said when the file was written."""
        if "fault" in item:
            raise RecordError(item["fault"])
        values = self.values(item["row"])
        stars = mapping.rating(values.get("rating"), *self._ends(item["row"], values))
        title, text = (self._text(values.get(field)) for field in ("title", "text"))
        if not (text or title) and stars is None:
            message = "the row has neither text nor rating"
            raise RecordError(message)
        said_at = mapping.when(values.get("said_at"), self.date_format, ZoneInfo(self.timezone))
        said = {field: mapping.string(value) for field, value in values.items()}
        thread = said.get("thread")
        language = (said.get("language") or "").replace("_", "-").partition("-")[0].lower()
        return Mention.model_validate(
            {
                "key": self._key(said.get("id") or _fingerprint(said)),
                "source": self.name,
                "kind": self._kind(said.get("kind"), MentionKind.POST if stars is None else MentionKind.REVIEW),
                "title": title or None,
                "text": text or title,
                "said_at": said_at or datetime.fromisoformat(item["heard_at"]),
                "url": said.get("url"),
                "author": said.get("author"),
                "language": language if re.fullmatch("[a-z]{2}", language) else None,
                **dict(zip(("rating", "rating_min", "rating_max"), stars or (None,) * 3, strict=True)),
                "thread": self._key(thread) if thread else None,
                "brand": said.get("brand"),
                "product": said.get("product"),
                "country": said.get("country"),
            }
        )

    def place(self, item: Item) -> str:
        """The line (in Parquet, the row) it stood in."""
        return str(item.get("at", "?"))

    def _kind(self, told: str | None, otherwise: MentionKind) -> str:
        """The kind a row names; a word of another vocabulary counts only where the settings ask for that column."""
        return told if told and (told in {*MentionKind} or "kind" in self.columns) else otherwise

    def _columns(self, row: Item) -> dict[mapping.Field, str]:
        constant: set[mapping.Field] = {*self.constants}
        if self.brand:
            constant.add("brand")
        return dict(mapping.found(tuple(row), tuple(self.columns.items()), frozenset(constant)))

    def values(self, row: Item) -> dict[str, Any]:
        """What the row says, by field; where it says nothing, what is the same for all."""
        values: dict[str, Any] = {field: row.get(column) for field, column in self._columns(row).items()}
        for field, value in ({"brand": self.brand} | dict(self.constants)).items():
            if mapping.string(values.get(field)) is None:
                values[field] = value
        return values

    def _ends(self, row: Item, values: dict[str, Any]) -> tuple[float, float | None]:
        """Of the scale: as the row says, as the settings say, as the column's name says."""
        by_name = mapping.SCALES.get(mapping.plain_name(self._columns(row).get("rating", "")), (1, None))
        high = values.get("rating_max")
        low = by_name[0] if self.rating_min is None else self.rating_min
        if mapping.string(high) is not None:
            return low, mapping.number(high)
        return low, by_name[1] if self.rating_max is None else self.rating_max

    def _text(self, value: Any) -> str:  # noqa: ANN401 - a cell is anything
        said = mapping.string(value) or ""
        # Exports of web texts have "&amp;" for "&" as often as not; a "<3" in them is no tag, though.
        return plain(said) if self.html else tidy(_ENTITY.sub(lambda found: unescape(found.group()), said))

    def _key(self, native_id: str) -> str:
        native_id = native_id if len(native_id) <= ID_LENGTH else sha256(native_id.encode(errors="replace")).hexdigest()
        return f"file:{self.name}:{native_id}"

    def _wanted(self, item: Item) -> bool:
        """Whether `where` lets a row in; what cannot be read is not left out unseen."""
        return "fault" in item or all(
            mapping.string(item["row"].get(column)) in ((values,) if isinstance(values, str) else values)
            for column, values in self.where.items()
        )

    def _check(self, sample: list[Item]) -> None:
        """Whether the settings fit the first rows at all; SettingsError says what to set."""
        if not sample:
            return
        there = dict.fromkeys(column for row in sample for column in row)
        shown = ", ".join(column for column in there if len(column) <= 40)[:400]  # noqa: PLR2004 - longer is no name
        for column in [*self.columns.values(), *self.where]:
            if column and column not in there:
                self._refuse(f"has no column {column!r}; its columns are: {shown}")
        used = [self._columns(row) for row in sample]
        if not any("text" in columns or "rating" in columns for columns in used):
            self._refuse(f'has no column known to hold the text; set columns = {{ text = "…" }}, one of: {shown}')
        self._check_all(sample, "said_at", "dates cannot be read for sure; set `date_format`, such as %d/%m/%Y")
        self._check_all(sample, "rating", "ratings cannot be read; set `rating_min` and `rating_max`")

    def _check_all(self, sample: list[Item], field: Literal["said_at", "rating"], mend: str) -> None:
        """Refuse the file if a column has values and not one of them can be read."""
        asked = 0
        for row in sample:
            values = self.values(row)
            if mapping.string(values.get(field)) is None:
                continue
            asked += 1
            try:
                if field == "rating":
                    mapping.rating(values[field], *self._ends(row, values))
                else:
                    mapping.when(values[field], self.date_format, ZoneInfo(self.timezone))
            except RecordError:
                continue
            return
        if asked:
            self._refuse(f"the {mend}")

    def _refuse(self, why: str) -> None:
        message = f"{self.name}: {self.path.name}: {why}"
        raise SettingsError(message)


def _fingerprint(said: dict[str, str | None]) -> str:
    """An id made of all that is read of a row: the same row, imported again, is the same mention."""
    told = sorted((field, value) for field, value in said.items() if value is not None)
    return sha256(json.dumps(told).encode()).hexdigest()[:24]

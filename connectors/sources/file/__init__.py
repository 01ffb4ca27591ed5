"""File import: CSV, JSON lines or Parquet, also gzipped. For every place that has an export and no way in.

One bad row is kept aside with its line and reason; a file that is not what its name says is refused whole.
"""

import codecs
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field, field_validator

from connectors import values as written
from connectors.contract import Item, Page
from connectors.mapping import Mapped, fingerprint
from connectors.sources.file import mapping, rows
from connectors.sources.file.content import Format, see_through
from pipeline.errors import RecordError, SettingsError
from pipeline.mention import Mention, MentionKind

_LOG = logging.getLogger(__name__)


class File(Mapped, frozen=True):
    """One file with a mention in every row. Columns with common names are found; name the others in `columns`."""

    label: ClassVar[str] = "File import"
    docs: ClassVar[str] = "https://www.rfc-editor.org/rfc/rfc4180"
    quiet_after: ClassVar[timedelta] = timedelta(days=3650)  # a file is silent by nature

    kind: Literal["file"] = "file"
    path: Path = Field(description="The file; may be gzipped.")
    format: Literal["auto", "csv", "jsonl", "parquet"] = Field(
        default="auto", description="If its name does not say it."
    )
    columns: dict[written.Field, str] = Field(
        default_factory=dict, description='Which column holds what: { text = "Comment", author = "" }; "" is no column.'
    )
    where: dict[str, str | tuple[str, ...]] = Field(
        default_factory=dict, description='Take only rows with these values, such as { speaker = "client" }.'
    )
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=1, description="Between columns, if not found."
    )
    encoding: str | None = Field(default=None, description="Of a text file, if not UTF-8 or cp1252.")

    @field_validator("encoding", mode="after")
    @classmethod
    def _encoding(cls, value: str | None) -> str | None:
        try:
            return value and codecs.lookup(value).name
        except LookupError:
            message = "no such encoding; write one such as cp1252 or utf-16"
            raise ValueError(message) from None

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """The rows not read yet; from the start if what was read has changed. Asks nobody, so `http` is not used.

        Raises RefusedError where the file is not what it says, SettingsError where no settings fit its columns, before
        anything is yielded.
        """
        del http
        named: Format | None = None if self.format == "auto" else self.format
        # Other settings read other things in the same rows: then the file is read again from the start.
        settings = fingerprint({"settings": self.model_dump_json(exclude={"path"})})
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
        found = self.values(item["row"])
        return self.mention(found, heard_at=item["heard_at"], ends=self._ends(item["row"], found))

    def place(self, item: Item) -> str:
        """The line (in Parquet, the row) it stood in."""
        return str(item.get("at", "?"))

    def kind_told(self, told: str | None, usual: MentionKind) -> str:
        """The kind a row names; a word of another vocabulary counts only where the settings ask for that column."""
        return told if told and "kind" in self.columns else super().kind_told(told, usual)

    def _columns(self, row: Item) -> dict[written.Field, str]:
        constant: set[written.Field] = {*self.constants}
        if self.brand:
            constant.add("brand")
        return dict(mapping.found(tuple(row), tuple(self.columns.items()), frozenset(constant)))

    def values(self, row: Item) -> dict[written.Field, Any]:
        """What the row says, by field; where it says nothing, what is the same for all."""
        return self.with_constants({field: row.get(column) for field, column in self._columns(row).items()})

    def _ends(self, row: Item, found: dict[written.Field, Any]) -> tuple[float, float | None]:
        """Of the scale: as the row says, as the settings say, as the column's name says."""
        low, high = self.ends
        if self.scale is None:
            by_name = mapping.SCALES.get(mapping.plain_name(self._columns(row).get("rating", "")), (1, None))
            low = by_name[0] if self.rating_min is None else low
            high = by_name[1] if high is None else high
        return self.ends_told(found, (low, high))

    def _wanted(self, item: Item) -> bool:
        """Whether `where` lets a row in; what cannot be read is not left out unseen."""
        return "fault" in item or all(
            written.string(item["row"].get(column)) in ((values,) if isinstance(values, str) else values)
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
            found = self.values(row)
            if written.string(found.get(field)) is None:
                continue
            asked += 1
            try:
                if field == "rating":
                    written.rating(found[field], *self._ends(row, found))
                else:
                    self.when(found[field])
            except RecordError:
                continue
            return
        if asked:
            self._refuse(f"the {mend}")

    def _refuse(self, why: str) -> None:
        message = f"{self.name}: {self.path.name}: {why}"
        raise SettingsError(message)

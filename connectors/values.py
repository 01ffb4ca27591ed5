"""Values: what exports and APIs write of a mention, and what it means: ratings on their scale, times in their zone."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Literal

from pipeline.errors import RecordError

Field = Literal[
    "text", "id", "title", "rating", "rating_max", "said_at", "author", "url", "language", "thread",
    "brand", "product", "country", "kind",
    "edited_at", "author_id", "parent", "product_version", "likes", "replies", "reposts",
]  # fmt: skip
"""What a column or a path can hold of a mention."""

Scale = Literal["nps", "csat", "thumbs", "ces"]
SCALES: dict[Scale, tuple[float, float]] = {"nps": (0, 10), "csat": (1, 5), "thumbs": (0, 1), "ces": (1, 7)}
"""Both ends of what each kind of survey asks for."""

DATES = (
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d",
    "%a %b %d %H:%M:%S %z %Y", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y",
)  # fmt: skip
"""Ways to write a date that mean one day only. 03/04/2026 does not: it needs `date_format`."""
EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Outside, a date is a slip, or a number that was no date."""

_UNTOLD = re.compile(r"(?:-+|\?|n/?a|nan|nat|null|none|k\.? ?a\.?)?(?:\s*/\s*\d+)?", re.IGNORECASE)
"""How exports write that there is no rating or date, such as "n/a" or "?/10"."""
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_OUT_OF = re.compile(rf"({_NUMBER.pattern})\s*(?:/|out of|of|von|sur|de|di|van)\s*(\d+(?:[.,]\d+)?)", re.IGNORECASE)
_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)|\s*(?:UTC|GMT)$")


def string(value: Any) -> str | None:  # noqa: ANN401 - a value is anything
    """A cell as text: None if empty, a list or an object; 7.0 is "7", as it was before a table made it a float."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (str(value).strip() or None) if isinstance(value, str | int | float) else None


def number(value: Any) -> float:  # noqa: ANN401 - a value is anything
    """A number, however it is written: 4.5, "4.5" or "4,5". Raises RecordError."""
    if isinstance(value, bool) or not (isinstance(value, int | float) or _NUMBER.fullmatch(str(value).strip())):
        message = "the rating is no number"
        raise RecordError(message)
    figure = float(str(value).strip().replace(",", "."))
    if not isfinite(figure):
        message = "the rating is no number"
        raise RecordError(message)
    return figure


def rating(value: Any, low: float, high: float | None) -> tuple[float, float, float] | None:  # noqa: ANN401 - as above
    """Rating and its scale, or None for an empty cell; "4/5" brings its own upper end. RecordError off the scale."""
    written = string(value)
    if written is None or _UNTOLD.fullmatch(written):
        return None
    if isinstance(value, str) and (parts := _OUT_OF.fullmatch(value.strip())):
        value, high = parts[1], number(parts[2])
    if high is None:
        message = "the rating has no scale; set `rating_max`, or name a column for it"
        raise RecordError(message)
    figure = number(value)
    if not low <= figure <= high:
        message = f"the rating is off the scale {low:g} to {high:g}; set rating_min and rating_max right"
        raise RecordError(message)
    return figure, low, high


def when(value: Any, date_format: str | None, zone: tzinfo) -> datetime | None:  # noqa: ANN401 - a value is anything
    """A time, aware, or None for an empty cell; epoch seconds or milliseconds too. RecordError where it is no date."""
    written = string(value)
    if written is None or _UNTOLD.fullmatch(written):
        return None
    told = _formatted(written, (date_format,)) if date_format else _epoch(written) or _iso(written) or _mailed(written)
    told = told or (None if date_format else _formatted(written, DATES))
    if told is not None and told.tzinfo is None:
        told = told.replace(tzinfo=zone)
    if told is None or not EARLIEST <= told < LATEST:
        message = (
            f"the date is not one that fits {date_format}" if date_format else "the date is none, or not a sure one"
        )
        raise RecordError(message)
    return told.astimezone(UTC)


def language(declared: object) -> str | None:
    """As ISO 639-1: of "pt-BR" or "pt_BR" the "pt", of three letters nothing."""
    code = declared.split("-")[0].split("_")[0].strip().lower() if isinstance(declared, str) else ""
    return code if re.fullmatch("[a-z]{2}", code) else None


def identity(value: Any, field: str = "id") -> str:  # noqa: ANN401 - as above
    """The id that a place gave a thing. Raises RecordError: two things without one would be taken for one."""
    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
        message = f"the field {field!r} holds no id"
        raise RecordError(message)
    return str(value)


def native(key: str) -> str:
    """Of a mention's key, or of the key of the answer inside it, the id that its place gave it."""
    return key.partition(":")[2].removesuffix("/reply")


def _formatted(written: str, formats: Sequence[str]) -> datetime | None:
    for form in formats:
        try:
            return datetime.strptime(written, form)  # noqa: DTZ007 - the zone is the caller's
        except ValueError:
            continue
    return None


def _epoch(written: str) -> datetime | None:
    if not re.fullmatch(r"\d{9,10}(\.\d+)?|\d{12,13}|\d{15,16}", written):
        return None
    thousands = (len(written.partition(".")[0]) - 9) // 3  # 9 or 10 digits are seconds, 12 or 13 milliseconds, …
    return datetime.fromtimestamp(float(written) / 1000**thousands, UTC)


def _iso(written: str) -> datetime | None:
    try:
        return datetime.fromisoformat(_OFFSET.sub(lambda gap: "" if gap.group().isspace() else "+00:00", written))
    except ValueError:
        return None


def _mailed(written: str) -> datetime | None:
    if not re.match(r"[A-Z][a-z]{2}, |\d{1,2} [A-Z][a-z]{2} \d{4} \d", written):
        return None
    try:
        return parsedate_to_datetime(written)
    except ValueError:
        return None

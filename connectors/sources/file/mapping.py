"""Which column holds what, and what its values mean: ratings on their scale, times in their zone."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from math import isfinite
from typing import Any, Literal

from pipeline.errors import RecordError

Field = Literal[
    "text", "id", "title", "rating", "rating_max", "said_at", "author", "url", "language", "thread",
    "brand", "product", "country", "kind",
]  # fmt: skip
"""What a column can hold of a mention."""

NAMES: dict[Field, tuple[str, ...]] = {
    "text": (
        "text", "review_text", "review", "comment", "comments", "content", "body", "message", "feedback", "verbatim",
        "answer", "kommentar", "rezension", "bewertungstext", "nachricht", "freitext", "commentaire", "avis",
        "comentario", "opinion", "resena", "commento", "recensione", "opmerking",
    ),
    "id": (
        "id", "review_id", "reviewid", "response_id", "responseid", "comment_id", "message_id", "tweet_id", "survey_id",
        "uuid", "guid", "antwort_id", "bewertungs_id",
    ),
    "title": (
        "title", "headline", "subject", "summary", "review_title", "titel", "betreff", "titre", "titulo", "titolo",
    ),
    "rating": (
        "rating", "stars", "score", "star_rating", "overall_rating", "overall", "nps", "nps_score", "csat", "punktzahl",
        "punkte", "sterne", "bewertung", "note", "etoiles", "puntuacion", "estrellas", "punteggio", "voto",
    ),
    "rating_max": ("rating_max", "max_rating", "max", "rating_scale", "scale", "out_of"),
    "said_at": (
        "said_at", "created_at", "created_on", "created", "submitted_at", "submitted", "published_at", "published",
        "posted_at", "review_date", "response_date", "date", "datetime", "timestamp", "ts", "time", "abgegeben_am",
        "erstellt_am", "datum", "zeitpunkt", "date_de_creation", "fecha",
    ),
    "author": (
        "author", "author_name", "user", "user_name", "username", "reviewer", "reviewer_name", "screen_name", "handle",
        "customer", "customer_name", "autor", "verfasser", "kunde", "auteur", "autore",
    ),
    "url": ("url", "link", "permalink", "review_url"),
    "language": ("language", "lang", "locale", "sprache", "langue", "idioma", "lingua"),
    "thread": ("thread", "thread_id", "conversation", "conversation_id", "ticket_id"),
    "brand": ("brand", "brand_name", "company", "marke", "firma", "marque", "marca"),
    "product": ("product", "product_name", "item", "app", "produkt", "produit", "producto", "prodotto"),
    "country": ("country", "country_code", "land", "pays", "pais", "paese"),
    "kind": ("kind",),
}  # fmt: skip
"""How exports call their columns, the surest name first; case, accents and signs between words do not matter."""

SCALES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("stars", "star_rating", "sterne", "etoiles", "estrellas"), (1, 5)),
    **dict.fromkeys(("nps", "nps_score"), (0, 10)),
}
"""Columns whose name says their scale."""

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


def plain_name(column: str) -> str:
    """A column's name without case, accents and signs: "Abgegeben am" is "abgegeben_am"."""
    letters = unicodedata.normalize("NFKD", column.casefold())
    return "_".join(re.findall(r"[^\W_]+", "".join(letter for letter in letters if not unicodedata.combining(letter))))


@lru_cache(maxsize=1024)
def found(
    columns: tuple[str, ...], named: tuple[tuple[Field, str], ...], constant: frozenset[Field]
) -> Mapping[Field, str]:
    """The column of each field: as the settings name it ("" for none); else, where no constant is set, by `NAMES`."""
    mapping: dict[Field, str] = dict(named)
    free = {plain_name(column): column for column in reversed(columns) if column not in mapping.values()}
    for field, names in NAMES.items():
        if field not in mapping and field not in constant:
            column = next((free[name] for name in names if name in free), None)
            if column is not None:
                mapping[field] = column
    return {field: column for field, column in mapping.items() if column}


def string(value: Any) -> str | None:  # noqa: ANN401 - a cell is anything
    """A cell as text: None if empty, a list or an object; 7.0 is "7", as it was before a table made it a float."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (str(value).strip() or None) if isinstance(value, str | int | float) else None


def number(value: Any) -> float:  # noqa: ANN401 - a cell is anything
    """A number, however it is written: 4.5, "4.5" or "4,5". Raises RecordError."""
    if isinstance(value, bool) or not (isinstance(value, int | float) or _NUMBER.fullmatch(str(value).strip())):
        message = "the rating is no number"
        raise RecordError(message)
    figure = float(str(value).strip().replace(",", "."))
    if not isfinite(figure):
        message = "the rating is no number"
        raise RecordError(message)
    return figure


def rating(value: Any, low: float, high: float | None) -> tuple[float, float, float] | None:  # noqa: ANN401 - a cell
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


def when(value: Any, date_format: str | None, zone: tzinfo) -> datetime | None:  # noqa: ANN401 - a cell is anything
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

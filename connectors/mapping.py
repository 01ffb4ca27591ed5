"""Mapped: a source whose shape only its settings know, and the mention that is made of the values they find."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from html import unescape
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import jsonpath
from pydantic import AfterValidator, Field, field_validator, model_validator

from connectors import values
from connectors.contract import STRANGE, Item, Source
from pipeline.errors import RecordError
from pipeline.mention import Mention, MentionKind
from pipeline.text import plain, tidy

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
ID_LENGTH = 400
"""A longer id is hashed: a key has 512 characters at most."""

_YES = {"true", "yes", "1", "t", "y"}
_KEYS: tuple[values.Field, ...] = ("thread", "parent")
_PASSING: frozenset[values.Field] = frozenset({"likes", "replies", "reposts", "edited_at"})
"""What changes of the same mention, and so cannot tell which one it is."""

Constant = Literal["brand", "product", "country", "language", "kind", "author"]
Values = Mapping[values.Field, Any]
Flag = Literal["deleted", "by_brand", "answer", "answered_at"]
"""What a path can hold beyond a mention itself; see `Shaped.fields`."""


class Mapped(Source, frozen=True):
    """What the settings say of all values alike."""

    constants: dict[Constant, str] = Field(default_factory=dict, description="What is the same for every mention.")
    scale: values.Scale | None = Field(
        default=None, description="A survey: nps is 0 to 10, csat 1 to 5, thumbs 0 or 1, ces 1 to 7."
    )
    rating_min: float | None = Field(default=None, description="Lower end of the scale of ratings; 1 if left out.")
    rating_max: float | None = Field(default=None, description="Upper end of the scale of ratings.")
    date_format: str | None = Field(default=None, description="How dates are written, such as %d/%m/%Y.")
    timezone: str = Field(default="UTC", description="IANA zone of times that name none, such as Europe/Berlin.")
    html: bool = Field(default=False, description="The texts are HTML.")

    @field_validator("timezone", mode="after")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError):
            message = "no such time zone; write an IANA name such as Europe/Berlin"
            raise ValueError(message) from None
        return value

    @model_validator(mode="after")
    def _scale(self) -> Self:
        low, high = self.ends
        if high is not None and low >= high:
            message = "rating_max must be above rating_min (1 if left out)"
            raise ValueError(message)
        if "kind" in self.constants and self.constants["kind"] not in {*MentionKind}:
            message = f"constants.kind is one of {', '.join(MentionKind)}"
            raise ValueError(message)
        return self

    @property
    def ends(self) -> tuple[float, float | None]:
        """Of the scale, as the settings say."""
        low, high = values.SCALES[self.scale] if self.scale else (1, None)
        return low if self.rating_min is None else self.rating_min, high if self.rating_max is None else self.rating_max

    def mention(
        self, found: Values, *, heard_at: str, ends: tuple[float, float | None] | None = None, by_brand: bool = False
    ) -> Mention:
        """The mention these values make; without a time it was said when it was heard. RecordError where it is none."""
        stars = values.rating(found.get("rating"), *self.ends_told(found, ends or self.ends))
        title, text = (self.text(found.get(field)) for field in ("title", "text"))
        if not (text or title) and stars is None:
            message = "it has neither text nor rating"
            raise RecordError(message)
        said = {field: values.string(value) for field, value in found.items()}
        usual = MentionKind.SURVEY if self.scale else MentionKind.POST if stars is None else MentionKind.REVIEW
        return Mention.model_validate(
            {
                "key": self.key(
                    said.get("id") or fingerprint({field: said[field] for field in said.keys() - _PASSING})
                ),
                "source": self.name,
                "kind": self.kind_told(said.get("kind"), usual),
                "title": title or None,
                "text": text or title,
                "said_at": self.when(found.get("said_at")) or datetime.fromisoformat(heard_at),
                "edited_at": self.when(found.get("edited_at")),
                **{field: said.get(field) for field in ("url", "author", "author_id", "product_version")},
                "language": values.language(said.get("language")),
                **dict(zip(("rating", "rating_min", "rating_max"), stars or (None,) * 3, strict=True)),
                **{field: self.key(native) if (native := said.get(field)) else None for field in _KEYS},
                **{field: said.get(field) for field in ("brand", "product", "country")},
                **{field: _count(said.get(field)) for field in ("likes", "replies", "reposts")},
                "by_brand": by_brand,
            }
        )

    def ends_told(self, found: Values, ends: tuple[float, float | None]) -> tuple[float, float | None]:
        """Of the scale, its upper one as the values tell it beside a rating; else `ends`."""
        rating, told = (values.string(found.get(field)) for field in ("rating", "rating_max"))
        return ends if rating is None or told is None else (ends[0], values.number(told))

    def kind_told(self, told: str | None, usual: MentionKind) -> str:
        """The kind that a value names; a word of another vocabulary does not count."""
        return told if told and told in {*MentionKind} else usual

    def text(self, value: Any) -> str:  # noqa: ANN401 - a value is anything
        """A text as its readers see it."""
        said = values.string(value) or ""
        # Exports of web texts have "&amp;" for "&" as often as not; a "<3" in them is no tag, though.
        return plain(said) if self.html else tidy(_ENTITY.sub(lambda found: unescape(found.group()), said))

    def when(self, value: Any) -> datetime | None:  # noqa: ANN401 - a value is anything
        """A time, aware; RecordError where it is none."""
        return values.when(value, self.date_format, ZoneInfo(self.timezone))

    def key(self, native_id: str) -> str:
        """Of the mention with this id."""
        native_id = native_id if len(native_id) <= ID_LENGTH else sha256(native_id.encode(errors="replace")).hexdigest()
        return f"{self.kind}:{self.name}:{native_id}"

    def with_constants(self, found: dict[values.Field, Any]) -> dict[values.Field, Any]:
        """The values, and where there is none what is the same for all."""
        same: list[tuple[values.Field, str | None]] = [*self.constants.items(), ("brand", self.brand)]
        for field, value in same:
            if values.string(found.get(field)) is None:
                found[field] = value
        return found


@lru_cache(maxsize=256)
def compiled(path: str) -> jsonpath.JSONPath:
    """A JSONPath after RFC 9535. Raises ValueError, which says what is wrong with it."""
    try:
        made = jsonpath.compile(path, strict=True)
    except jsonpath.JSONPathError as error:
        why = error.args[0] if error.args else "it cannot be read"
        raise ValueError(f"{path!r} is no JSONPath ({why}); write one such as $.review.text") from None
    except RecursionError:
        raise ValueError("this JSONPath is nested too deep") from None
    if not isinstance(made, jsonpath.JSONPath):
        raise ValueError(f"{path!r} is no JSONPath after RFC 9535; write one such as $.review.text")  # noqa: TRY004 - pydantic's
    return made


def _checked(path: str) -> str:
    compiled(path)
    return path


JsonPath = Annotated[str, AfterValidator(_checked)]
"""A JSONPath in the settings, such as $.review.text, checked as they are read."""


class Shaped(Mapped, frozen=True):
    """JSON of any shape. Only what `fields` name of an item is kept: the rest may hold what nobody may keep."""

    fields: dict[values.Field | Flag, JsonPath] = Field(
        min_length=1,
        description='Where in an item stands what, as JSONPath: { id = "$.id", text = "$.body" }. Not only what a '
        "mention holds: also deleted and by_brand (true, or a time), answer and answered_at (the brand's own).",
    )

    @model_validator(mode="after")
    def _told(self) -> Self:
        if not {"text", "title", "rating"} & {*self.fields}:
            message = "fields must name where the text stands, or at least the rating"
            raise ValueError(message)
        return self

    def found(self, item: object, heard_at: str) -> Item:
        """What the settings name of one item of the answer; a strange one is wrapped, so that `parse` refuses it."""
        if not isinstance(item, dict):
            return {"strange": "no object"}
        try:
            told = {field: _only(compiled(path).findall(item)) for field, path in self.fields.items()}
        except (*STRANGE, jsonpath.JSONPathError) as error:
            return {"strange": type(error).__name__}
        return {**{field: value for field, value in told.items() if value is not None}, "heard_at": heard_at}

    def parse(self, item: Item) -> Mention:
        """What `found` found."""
        if "strange" in item:
            message = f"the item cannot be read ({item['strange']})"
            raise RecordError(message)
        if "said_at" in self.fields and values.string(item.get("said_at")) is None:
            message = "the item has no time where `fields` say it stands"
            raise RecordError(message)
        found = self.with_constants(_of_mention(item))
        return self.mention(found, heard_at=item["heard_at"], by_brand=self._yes(item.get("by_brand")))

    def answer(self, item: Item) -> Mention | None:
        """The brand's own answer, where `fields` say where it stands."""
        text = self.text(item.get("answer"))
        if not text:
            return None
        about = self.parse(item)
        kept = ("source", "brand", "product", "product_version", "country", "language", "url")
        return Mention.model_validate(
            {
                **{field: getattr(about, field) for field in kept},
                "key": f"{about.key}/reply",
                "kind": MentionKind.COMMENT,
                "text": text,
                "said_at": self.when(item.get("answered_at")) or about.said_at,
                "thread": about.thread or about.key,
                "parent": about.key,
                "by_brand": True,
            }
        )

    def gone_among(self, items: list[Item]) -> tuple[list[Item], list[str]]:
        """The items that still stand, and the keys of those that say they were deleted."""
        deleted = [item for item in items if "strange" not in item and self._yes(item.get("deleted"))]
        keys = [self.key(native) for item in deleted if (native := values.string(item.get("id")))]
        return [item for item in items if item not in deleted], keys

    def _yes(self, value: object) -> bool:
        """Whether a value says so: true, yes, or a time."""
        told = values.string(value)
        if told is None or told.casefold() in _YES:
            return told is not None
        try:
            return self.when(told) is not None
        except RecordError:
            return False

    def place(self, item: Item) -> str:
        """The native id."""
        return (values.string(item.get("id")) or "?")[:100]


def fingerprint(said: Mapping[Any, str | None]) -> str:
    """An id made of values: the same ones, heard again, are the same mention."""
    told = sorted((field, value) for field, value in said.items() if value is not None)
    return sha256(json.dumps(told).encode()).hexdigest()[:24]


def _of_mention(item: Item) -> dict[values.Field, Any]:
    other = {"heard_at", "deleted", "by_brand", "answer", "answered_at"}
    return {field: value for field, value in item.items() if field not in other}  # type: ignore[misc]


def _only(nodes: list[Any]) -> Any:  # noqa: ANN401 - JSON is anything
    """One value, or the texts of several one under the other; None of what is no plain value."""
    if len(nodes) == 1 and isinstance(nodes[0], bool):
        return nodes[0]
    said = [node for node in nodes if values.string(node) is not None]
    if len(said) <= 1:
        return said[0] if said else None
    return "\n\n".join(str(values.string(node)) for node in said)


def _count(told: str | None) -> int | None:
    return int(told) if told and re.fullmatch(r"\d{1,18}", told) else None

"""Mention: one thing a person said, as they said it."""

from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite

from pydantic import field_validator
from sqlmodel import Field, SQLModel

from pipeline.text import storable

_LARGEST = 2**63
"""No database counts further."""


class MentionKind(StrEnum):
    """What sort of thing was said. A review is a mention with a rating."""

    POST = "post"
    COMMENT = "comment"
    REVIEW = "review"
    MESSAGE = "message"
    ARTICLE = "article"
    SURVEY = "survey"


class Mention(SQLModel):
    """A post, comment, review or message. A fact: kept as said.

    All times are aware. `rating` is on the scale `rating_min`..`rating_max`, and null is not 0. `language` is what the
    source declared (ISO 639-1). `thread` and `parent` are keys of mentions; `author_reach` counts followers.
    """

    key: str = Field(min_length=1, max_length=512, description="Source kind and native id, such as hackernews:41.")
    source: str = Field(description="Name of the source in the settings.")
    kind: MentionKind
    text: str
    title: str | None = None
    said_at: datetime
    edited_at: datetime | None = None
    url: str | None = None
    author: str | None = None
    author_id: str | None = None
    author_reach: int | None = Field(default=None, ge=0, lt=_LARGEST)
    language: str | None = None
    rating: float | None = None
    rating_min: float | None = None
    rating_max: float | None = None
    thread: str | None = None
    parent: str | None = None
    brand: str | None = None
    product: str | None = None
    product_version: str | None = None
    country: str | None = None
    likes: int | None = Field(default=None, ge=-_LARGEST, lt=_LARGEST)
    replies: int | None = Field(default=None, ge=-_LARGEST, lt=_LARGEST)
    reposts: int | None = Field(default=None, ge=-_LARGEST, lt=_LARGEST)
    by_brand: bool = Field(default=False, description="The brand said it itself.")

    @field_validator(
        "key",
        "source",
        "text",
        "title",
        "url",
        "author",
        "author_id",
        "language",
        "thread",
        "parent",
        "brand",
        "product",
        "product_version",
        "country",
        mode="before",  # a bounded string with half a surrogate pair is refused before any later look at it
    )
    @classmethod
    def _storable(cls, value: object) -> object:
        return storable(value) if isinstance(value, str) else value

    @field_validator("rating", "rating_min", "rating_max", mode="after")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not isfinite(value):
            message = "a rating is a finite number"
            raise ValueError(message)
        return value

    @field_validator("said_at", "edited_at", mode="after")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            message = "a time needs its time zone"
            raise ValueError(message)
        return None if value is None else value.astimezone(UTC)

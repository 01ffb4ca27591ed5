"""What a source and a sink are: Source, Sink, Page, Batch and fetch()."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, Field, ValidationError

from pipeline.errors import ChangedError, RecordError
from pipeline.mention import Mention
from pipeline.route import Alert

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Raw items of one answer, in any order.

    A cursor means: everything up to here has been yielded. A page without one must not move the place.
    """

    items: list[Item]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """One raw item nobody could read: kept as it came, with the place it stood and the reason."""

    item: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """One page, read: `raws[i]` is what `mentions[i]` was made from."""

    mentions: list[Mention]
    raws: list[Item]
    rejected: list[Rejected] = field(default_factory=list)
    cursor: str | None = None


class Source(BaseModel, ABC, frozen=True, extra="forbid"):
    """One place we listen to: its fields are its settings, its two methods its work, its class attributes who it is."""

    label: ClassVar[str]
    docs: ClassVar[str]
    quiet_after: ClassVar[timedelta]
    """A longer silence than this means it is broken."""

    kind: str
    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$", description="Your name for it; unique.")
    brand: str | None = Field(default=None, description="Whose mentions these are, if not the brand of the file.")

    @abstractmethod
    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """Network only: pages of raw items, oldest place first known from `since` (a cursor this source made)."""

    @abstractmethod
    def parse(self, item: Item) -> Mention:
        """Meaning only: no network, no clock. Raises on anything strange."""

    def place(self, item: Item) -> str:
        """Where a strange item stood, for the person who looks for it; never its text."""
        return str(item.get("id") or item.get("key") or "?")[:100]


class Sink(BaseModel, ABC, frozen=True, extra="forbid"):
    """One place alerts go to. At least once, with `alert.key` as idempotency key or visible in the message."""

    label: ClassVar[str]
    docs: ClassVar[str]
    text_limit: ClassVar[int]
    """The most characters of a stranger's text that one message may carry; cutting is done before `send`."""

    kind: str
    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$", description="Your name for it; unique.")

    @abstractmethod
    def send(self, http: httpx.Client, alert: Alert) -> str:
        """Deliver one alert and return a receipt: what the other side said, or the id it gave."""


MANY = 20
"""Strange items, and not one that can be read, after which a source must have changed its form."""
STRANGE = (
    RecordError, LookupError, TypeError, ValueError, AttributeError,
    ArithmeticError, OSError, AssertionError, RecursionError,
)  # fmt: skip
"""What `parse` may raise on an item that is not as documented, and what the standard library's parsers of times and
HTML raise on hostile ones; pydantic's ValidationError is a ValueError."""


def fetch(source: Source, http: httpx.Client, since: str | None) -> Iterator[Batch]:
    """Walk a source and read what it says, a page at a time.

    One strange item is kept aside with its reason. A walk in which nothing could be read raises ChangedError, unless
    it goes on from a place and brought only a few items: those may well be strange all by themselves.
    """
    read = strange = 0
    for page in source.pages(http, since):
        mentions: list[Mention] = []
        raws: list[Item] = []
        rejected: list[Rejected] = []
        for item in page.items:
            try:
                mention = source.parse(item)
            except STRANGE as error:
                rejected.append(Rejected(item=_raw(item), place=source.place(item), reason=reason(error)))
            else:
                mentions.append(mention)
                raws.append(item)
        read, strange = read + len(mentions), strange + len(rejected)
        changed = not read and strange >= (1 if since is None else MANY)
        yield Batch(mentions, raws, rejected, None if changed else page.cursor)
    if not read and strange >= (1 if since is None else MANY):
        message = f"{source.name}: none of {strange} items could be read; {source.label} may have changed"
        raise ChangedError(message)


def reason(error: Exception) -> str:
    """Why an item was strange, in words that carry none of its text."""
    if isinstance(error, ValidationError):
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'item'}: {fault['msg']}" for fault in error.errors()]
        return "; ".join(faults)[:500]
    if isinstance(error, KeyError):
        return f"the field {error.args[0]!r} is missing"
    if isinstance(error, RecordError):
        return str(error)
    return f"not as documented ({type(error).__name__})"


def _raw(item: Item) -> str:
    return json.dumps(item, ensure_ascii=True, default=str)

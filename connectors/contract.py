"""What a source and a sink are: Source, Sink, Page, Batch and fetch()."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, Field, ValidationError

from pipeline.coverage import Gap
from pipeline.errors import ChangedError, RecordError, SettingsError
from pipeline.mention import Mention
from pipeline.route import Alert

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Raw items of one answer, in any order.

    A cursor means: everything up to here has been yielded. A page without one must not move the place. `gone` are the
    keys of mentions that the source says were deleted. `reach`, on a walk's last page, means: everything that was said
    from then until the walk began has been yielded, but for the `gaps`.
    """

    items: list[Item]
    cursor: str | None = None
    gone: Sequence[str] = ()
    reach: datetime | None = None
    gaps: Sequence[Gap] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """One raw item nobody could read: kept as it came, with the place it stood and the reason."""

    item: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """One page, read: `raws[i]` is what `mentions[i]` was made from. The rest as the page says."""

    mentions: list[Mention]
    raws: list[Item]
    rejected: list[Rejected] = field(default_factory=list)
    cursor: str | None = None
    gone: Sequence[str] = ()
    reach: datetime | None = None
    gaps: Sequence[Gap] = ()


class Source(BaseModel, ABC, frozen=True, extra="forbid", coerce_numbers_to_str=True):
    """One place we listen to: its fields are its settings, its two methods its work, its class attributes who it is.

    What only some places allow are further methods, each with a class attribute that says so: `answer` (the brand's
    own words inside an item), `gone` (what was deleted) and `reply`.
    """

    label: ClassVar[str]
    docs: ClassVar[str]
    quiet_after: ClassVar[timedelta]
    """A longer silence than this means it is broken."""
    recheck_after: ClassVar[timedelta | None] = None
    """How long after it was heard, or last looked at, a mention is looked up again by `gone`; None: it cannot be."""
    reply_limit: ClassVar[int | None] = None
    """The most characters of a reply; None: the place takes none from a program."""
    aside: ClassVar[frozenset[str]] = frozenset()
    """The settings that change nothing of what is heard: budgets, pace, keys, how deep a first call goes. A source in
    which another one is changed is read from its start again."""

    kind: str
    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$", description="Your name for it; unique.")
    brand: str | None = Field(default=None, description="Whose mentions these are, if not the brand of the file.")
    first_day: date | None = Field(
        default=None,
        description="How far back the first call goes, as far as the place lets it. Change it to go again.",
    )

    @abstractmethod
    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        """Network only: pages of raw items, oldest place first known from `since` (a cursor this source made)."""

    @abstractmethod
    def parse(self, item: Item) -> Mention:
        """Meaning only: no network, no clock. Raises on anything strange."""

    def answer(self, item: Item) -> Mention | None:
        """The brand's own answer that stands inside an item, if there is one; its `parent` is the item's mention.

        No network, no clock; raises on anything strange.
        """
        del item
        return None

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        """Which of these mentions were deleted where they were said. Only what is surely gone, never what is unsure."""
        del http, keys
        return set()

    def worded(self, mention: Mention, text: str) -> str:
        """The answer as it stands there in the end, for a person to read before it goes out; worded twice, the same."""
        del mention
        return text

    def length(self, text: str) -> int:
        """The characters of an answer, as the place counts them against `reply_limit`."""
        return len(text)

    def reply(self, http: httpx.Client, mention: Mention, text: str) -> str:
        """Answer a mention where it was said, once a person ordered it; the reply's address, or else its id.

        `text` is as `worded`, and at most `reply_limit` characters. The same to the same mention is sent once where the
        place knows keys.
        """
        del http, mention, text
        raise SettingsError(f"{self.label} takes no replies from a program; answer there by hand")

    def place(self, item: Item) -> str:
        """Where a strange item stood, for the person who looks for it; never its text."""
        return str(item.get("id") or item.get("key") or "?")[:100]


class Sink(BaseModel, ABC, frozen=True, extra="forbid", coerce_numbers_to_str=True):
    """One place alerts go to. At least once, with `alert.key` as idempotency key or visible in the message."""

    label: ClassVar[str]
    docs: ClassVar[str]
    text_limit: ClassVar[int]
    """The most characters of a stranger's text that one message may carry; cutting is done before `send`."""
    settles: ClassVar[bool] = False
    """Whether it is told, too, that a case is settled: it holds a ticket or a page that must end."""
    answer_settles: ClassVar[bool] = False
    """Whether the brand's answer settles it already, as it ends a page; a ticket ends only when the case is closed."""
    honours_key: ClassVar[bool] = False
    """Whether people find an alert once however often it is sent, for its key, or its case's, is known there."""

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

    One strange item is kept aside with its reason; if only the brand's answer in it is strange, its mention is heard
    all the same. A walk in which nothing could be read raises ChangedError, unless
    it goes on from a place and brought only a few items: those may well be strange all by themselves.
    """
    read = strange = 0
    for page in source.pages(http, since):
        mentions: list[Mention] = []
        raws: list[Item] = []
        rejected: list[Rejected] = []
        for item in page.items:
            try:
                mentions.append(source.parse(item))
                raws.append(item)
                if answer := source.answer(item):
                    mentions.append(answer)
                    raws.append(item)
            except STRANGE as error:
                rejected.append(Rejected(item=_raw(item), place=source.place(item), reason=reason(error)))
        read, strange = read + len(mentions), strange + len(rejected)
        changed = not read and strange >= (1 if since is None else MANY)
        batch = Batch(mentions, raws, rejected, page.cursor, page.gone, page.reach, page.gaps)
        yield replace(batch, cursor=None, reach=None) if changed else batch
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

"""World and Desk: a place, and an alert channel, as their documentation describes them, for the kit to spoil."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx


@dataclass(frozen=True, slots=True)
class Said:
    """One thing said in a world. `number` counts up in order of arrival, from 1: a native id can be made of it.

    `at` is when its author said it; a late one arrives after others that were said later. `text` is what the mention
    must say, word for word. `deleted`: its author took it back. Times are aware, and whole seconds.

    Every text has the word Hike and the hashtag #hike in it; some have an `&`, a `<` or letters beyond ASCII, which a
    world encodes as its place does.
    """

    number: int
    at: datetime
    text: str
    edited_at: datetime | None = None
    deleted: bool = False


class World(ABC):
    """The other side of one source: its class attributes say what the documentation promises, `answer` keeps it."""

    kind: ClassVar[str]
    """The source's kind."""
    page: ClassVar[int]
    """The most things on one page, as the source asks for them."""
    cap: ClassVar[int | None] = None
    """The most things that any one query reaches, however it is paged; None: no such limit."""
    late: ClassVar[timedelta] = timedelta(minutes=1)
    """A thing that appears this much later than it was said must still be heard."""
    edits: ClassVar[timedelta | None] = None
    """An edit this long after it was said must be heard at the next call; None: the place shows none."""
    deletes: ClassVar[bool] = False
    """Whether a deletion can be known, by the walk or by `gone`."""
    skips: ClassVar[frozenset[str]] = frozenset()
    """Fields of an item that decide whether it is looked for at all: where one is strange the item may be passed over;
    any other strange item must be heard or rejected."""
    same_second: ClassVar[int] = 250
    """So many things said in one second must all be heard."""

    @abstractmethod
    def settings(self, address: str) -> dict[str, Any]:
        """Settings of a source that listens here, all but its name; `address` is http://127.0.0.1:PORT."""

    @abstractmethod
    def answer(self, request: httpx.Request, said: Sequence[Said], now: datetime) -> httpx.Response:
        """What the place answers, as documented, having heard `said`, in order of arrival, up to `now`.

        Its tokens last for ever, and every page is cut from `said` as it is at that moment. What was not documented is
        answered with 404.
        """

    def truth(self, said: Said) -> dict[str, Any]:
        """What the place tells of a thing besides its words and its time: values by the names of a mention's fields.

        Only what must be heard so: the author, the rating and its scale, the kind, the address, the language. Of
        `thread` and `parent` the native id, with which the key must end; None: there is none. `said_at` stands here
        only where the place tells another time than that of its author.
        """
        del said
        return {}


@dataclass(frozen=True, slots=True)
class Found:
    """What a person finds at a desk: one message, ticket or page, with everything that was said in it since."""

    key: str
    """The alert's key, or the case's where the desk holds one ticket or page for a case."""
    text: str
    """Every word a person can read there, one message after the other."""
    open: bool = True
    """False once it is settled."""


class Desk(ABC):
    """The other side of one sink, as its documentation describes it."""

    kind: ClassVar[str]
    """The sink's kind."""
    by_case: ClassVar[bool] = False
    """Whether it holds one ticket or page for each case, which later alerts of the same case add to."""
    knows: ClassVar[bool] = True
    """Whether an alert that comes again can be known in its ticket, so that it is not said there twice."""

    @abstractmethod
    def settings(self, address: str) -> dict[str, Any]:
        """Settings of a sink that sends here, all but its name; `address` is http://127.0.0.1:PORT."""

    @abstractmethod
    def answer(self, request: httpx.Request, now: datetime) -> httpx.Response:
        """Take one request and answer as documented; what is refused leaves nothing behind."""

    @abstractmethod
    def found(self) -> list[Found]:
        """What a person finds there now, the oldest first."""

    def delete(self) -> bool:
        """A person deletes the newest ticket; False where nobody can, or there is none."""
        return False

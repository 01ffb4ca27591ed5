"""A source made for tests of one walk, that says and deletes what a test wrote down, and a clock."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar, Literal

import httpx

from connectors.contract import Item, Page, Source
from pipeline.errors import RefusedError
from pipeline.mention import Mention

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTINGS = """\
[brand]
name = "Hike"
[[sink]]
kind = "file"
name = "log"
path = "alerts.jsonl"
[grave]
team = "Safety"
sinks = ["log"]
[[route]]
name = "rest"
team = "Support"
reply_within = "4h"
"""


class Town(Source, frozen=True):
    """Says page by page what a test wrote down; a page may be an error."""

    label: ClassVar[str] = "Town"
    docs: ClassVar[str] = "https://town.test"
    quiet_after: ClassVar[timedelta] = timedelta(days=1)
    recheck_after: ClassVar[timedelta | None] = timedelta(hours=6)
    walks: ClassVar[list[tuple[str | None, date | None]]] = []
    """The cursor and the first day of every walk."""
    asked: ClassVar[list[str]] = []
    """The keys that were looked up."""
    deleted: ClassVar[set[str]] = set()
    refused: ClassVar[set[str]] = set()
    """The keys of which none can be looked up."""
    told: ClassVar[list[Page | Exception]] = []
    kind: Literal["town"] = "town"
    phrase: str = "hike"

    def pages(self, http: httpx.Client, since: str | None) -> Iterator[Page]:
        del http
        self.walks.append((since, self.first_day))
        for page in self.told:
            if isinstance(page, Exception):
                raise page
            yield page

    def parse(self, item: Item) -> Mention:
        fields = {"key": f"town:{item['id']}", "source": self.name, "kind": "post", "text": "Hm.", "said_at": NOON}
        return Mention.model_validate(fields)

    def gone(self, http: httpx.Client, keys: Sequence[str]) -> set[str]:
        del http
        if self.refused & set(keys):
            raise RefusedError("GET town.test: 403; the operator must act")
        self.asked.extend(keys)
        return self.deleted | {"other:1"}


class Clock:
    """The time, an hour later each time a test says so."""

    def __init__(self) -> None:
        self.now = NOON

    def tick(self, hours: int = 1) -> None:
        self.now += hours * HOUR


def say(*pages: Page | Exception) -> None:
    Town.told[:] = pages

"""A listener as the store is one: keeps what it hears and how far it heard, a batch as a whole or not at all."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import httpx

from connectors.client import open_client
from connectors.conform.faults import LEISURE
from connectors.contract import Batch, Item, Source, fetch
from connectors.wire import Wire
from pipeline.coverage import Gap
from pipeline.mention import Mention

MOST_WALKS = 6
"""After so many walks over an unchanged place, all of it must have been heard."""


class _Kept(httpx.BaseTransport):
    """A transport that serves one client after the other: each would read all certificates of the system anew."""

    def __init__(self) -> None:
        self._inner = Wire()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the connections; the next walk makes its own."""
        self._inner.close()


@cache
def wire() -> httpx.BaseTransport:
    """The way out, as Earful's client takes it."""
    return _Kept()


def patient(timeout: float = LEISURE, attempts: int = 1, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """Earful's client, which here waits for nothing and gives up a silent server after `timeout` seconds."""
    client = open_client(attempts=attempts, transport=transport or wire(), sleep=lambda _: None)
    client.timeout = httpx.Timeout(timeout)
    return client


@dataclass(slots=True)
class Listener:
    """What was kept so far. `reach`, `gaps`, `raws` and `clashes` are the last walk's.

    A raw item stands with the key of the mention that was made of it. A clash is a key under which one walk brought two
    things.
    """

    kept: dict[str, Mention] = field(default_factory=dict)
    cursor: str | None = None
    gone: set[str] = field(default_factory=set)
    aside: set[str] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)
    reach: datetime | None = None
    batches: int = 0
    raws: list[tuple[str, Item]] = field(default_factory=list)
    clashes: set[str] = field(default_factory=set)
    _walked: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def walk(self, source: Source, client: httpx.Client, most: int | None = None) -> None:
        """One walk, or only its first `most` batches."""
        self.gaps, self.reach, self.batches = [], None, 0
        self.raws, self.clashes, self._walked = [], set(), {}
        with client as http:
            for batch in fetch(source, http, self.cursor):
                self.keep(batch)
                if self.batches == most:
                    return

    def keep(self, batch: Batch) -> None:
        """Save one batch."""
        self.batches += 1
        self.raws += zip((mention.key for mention in batch.mentions), batch.raws, strict=False)
        for mention in batch.mentions:
            said = mention.text, mention.said_at
            if self._walked.setdefault(mention.key, said) != said:
                self.clashes.add(mention.key)
        self.kept |= {mention.key: mention for mention in batch.mentions}
        self.aside |= {each.item for each in batch.rejected}
        self.gone |= set(batch.gone)
        self.cursor = batch.cursor or self.cursor
        self.gaps += batch.gaps
        self.reach = batch.reach or self.reach

    def copy(self) -> "Listener":
        """Another that knows the same."""
        return Listener(dict(self.kept), self.cursor, set(self.gone), set(self.aside))

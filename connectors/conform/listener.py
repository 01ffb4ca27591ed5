"""A listener as the store is one: keeps what it hears and how far it heard, a batch as a whole or not at all."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import httpx

from connectors.client import open_client
from connectors.contract import Batch, Source, fetch
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


def patient(timeout: float = 10.0, attempts: int = 1, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """Earful's client, which here waits for nothing and gives up a silent server after `timeout` seconds."""
    client = open_client(attempts=attempts, transport=transport or wire(), sleep=lambda _: None)
    client.timeout = httpx.Timeout(timeout)
    return client


@dataclass(slots=True)
class Listener:
    """What was kept so far. `moved`: whether the last walk gave a cursor; `reach` and `gaps` are the last walk's."""

    kept: dict[str, Mention] = field(default_factory=dict)
    cursor: str | None = None
    gone: set[str] = field(default_factory=set)
    aside: set[str] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)
    reach: datetime | None = None
    batches: int = 0

    def walk(self, source: Source, client: httpx.Client, most: int | None = None) -> None:
        """One walk, or only its first `most` batches."""
        self.gaps, self.reach, self.batches = [], None, 0
        with client as http:
            for batch in fetch(source, http, self.cursor):
                self.keep(batch)
                if self.batches == most:
                    return

    def keep(self, batch: Batch) -> None:
        """Save one batch."""
        self.batches += 1
        self.kept |= {mention.key: mention for mention in batch.mentions}
        self.aside |= {each.item for each in batch.rejected}
        self.gone |= set(batch.gone)
        self.cursor = batch.cursor or self.cursor
        self.gaps += batch.gaps
        self.reach = batch.reach or self.reach

    def copy(self) -> "Listener":
        """Another that knows the same."""
        return Listener(dict(self.kept), self.cursor, set(self.gone), set(self.aside))

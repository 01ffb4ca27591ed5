"""How many texts a second are judged, everything included: language, VADER, the models, reasons, grave signals.

`python bench/judge.py ../shared [effort ...]`: tweets, the labelled mixture and long reviews, on one core and on two,
beside vaderSentiment alone in the same run. Each measurement is a process of its own. A second is one of the clock, so
leave the machine alone; the CPU seconds tell whether it was.
"""

import gzip
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE, Popen
from time import perf_counter, process_time
from typing import Any

from rich.console import Console
from rich.table import Table

SIZES = {"fast": 10_000, "auto": 2_000, "accurate": 500}
WARM = 500
BATCH = 1_000
SETS = {
    "tweets": "data/bench/semeval2016_test.jsonl.gz",
    "labelled mixture": "gold/dev.jsonl",
    "reviews": "data/bench/yelp_10k.jsonl.gz",
}
VADER = "vaderSentiment alone"


def texts(shared: Path, name: str, count: int) -> list[dict[str, Any]]:
    """The rows of a set, from the start again where there are fewer."""
    path = shared / SETS[name]
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in content.splitlines()]
    return (rows * (count // len(rows) + 1))[:count]


def judge(shared: Path, effort: str, name: str, part: int, parts: int) -> None:
    """Judges its part when told to, and prints the seconds of the processor it took."""
    rows = texts(shared, name, SIZES[effort] + WARM)
    from pipeline.analysis import Analyst  # noqa: PLC0415 - vader's process must not carry it
    from pipeline.classifier import Reading  # noqa: PLC0415
    from pipeline.mention import MentionKind  # noqa: PLC0415
    from pipeline.triage.judge import Effort  # noqa: PLC0415

    kinds = {"tweets": MentionKind.POST, "reviews": MentionKind.REVIEW}
    readings = [
        Reading(key=str(at), text=row["text"], kind=kinds.get(name) or MentionKind(row["kind"]))
        for at, row in enumerate(rows)
    ]
    analyst = Analyst(Effort(effort))
    analyst.analyse(readings[:WARM])
    mine = readings[WARM + part :: parts]
    batches = [mine[at : at + BATCH] for at in range(0, len(mine), BATCH)]
    _told_to_begin()
    began = process_time()
    judged = sum(len(analyst.analyse(batch)) for batch in batches)
    assert judged == len(mine)  # noqa: S101 - a number for work not done would be worth nothing
    print(process_time() - began, flush=True)


def vader(shared: Path, name: str, part: int, parts: int) -> None:
    """The same with vaderSentiment as it is."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415 - only this process needs it

    rows = texts(shared, name, SIZES["fast"] + WARM)
    alone = SentimentIntensityAnalyzer()
    mine = [row["text"] for row in rows[WARM + part :: parts]]
    _told_to_begin()
    began = process_time()
    for text in mine:
        alone.polarity_scores(text)
    print(process_time() - began, flush=True)


def _told_to_begin() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def measured(what: list[str], parts: int) -> tuple[float, float]:
    """Seconds of the clock and of the processors for a set, judged by as many processes at once."""
    workers = [
        Popen([sys.executable, __file__, *what, str(part), str(parts)], stdin=PIPE, stdout=PIPE, text=True)  # noqa: S603 - ourselves
        for part in range(parts)
    ]
    for worker in workers:
        assert worker.stdout is not None  # noqa: S101 - a pipe
        worker.stdout.readline()
    began = perf_counter()
    with ThreadPoolExecutor(parts) as threads:
        told = list(threads.map(lambda worker: worker.communicate("now\n")[0], workers))
    return perf_counter() - began, sum(map(float, told))


def main(shared: str, efforts: list[str]) -> None:
    """Measure each and print the table."""
    table = Table("what", "texts", "one core, a second", "two cores, a second", "CPU seconds per 1,000")
    for name in SETS:
        for effort in [*efforts, VADER]:
            size = SIZES.get(effort, SIZES["fast"])
            what = ["vader", shared, name] if effort == VADER else ["judge", shared, effort, name]
            (one, spent), (two, _) = measured(what, 1), measured(what, 2)
            figures = f"{size / one:,.0f}", f"{size / two:,.0f}", f"{spent / size * 1000:.3f}"
            table.add_row(effort if effort == VADER else f"judged, {effort}", name, *figures)
    Console(width=120).print(table)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["judge", shared, effort, name, part, parts]:
            judge(Path(shared), effort, name, int(part), int(parts))
        case ["vader", shared, name, part, parts]:
            vader(Path(shared), name, int(part), int(parts))
        case [shared, *efforts]:
            main(shared, efforts or list(SIZES))
        case _:
            sys.exit("usage: python bench/judge.py ../shared [fast|auto|accurate ...]")

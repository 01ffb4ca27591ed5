"""How fast VADER's scores are, ours beside the package's on the same texts, and equal to the digit.

`python bench/vader.py ../shared`. Seconds of the processor, the best of three: read the ratio.
"""

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

from rich.console import Console
from rich.table import Table
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.sentiment import SwiftVader

COUNT, ROUNDS = 600, 3


def texts(shared: Path) -> dict[str, list[str]]:
    """Tweets, snippets, and reviews joined and cut to a length."""
    tweets = _read(shared / "data/bench/semeval2016_test.jsonl.gz", COUNT)
    snippets = _read(shared / "data/train/vader_amazonReviewSnippets.jsonl.gz", COUNT)
    whole = " ".join(_read(shared / "data/bench/yelp_10k.jsonl.gz", COUNT))
    long = {
        f"{size:,} characters": [whole[at * size : (at + 1) * size] for at in range(count)]
        for size, count in ((600, COUNT // 4), (2_300, COUNT // 20))
    }
    return {"tweets": tweets, "snippets": snippets, **long}


def _read(path: Path, count: int) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line, _ in zip(lines, range(count), strict=False)]


def rate(scores: Callable[[str], dict[str, float]], said: list[str]) -> float:
    """Texts a second of the processor, in the best of the rounds."""
    spent = []
    for _ in range(ROUNDS):
        began = process_time()
        for text in said:
            scores(text)
        spent.append(process_time() - began)
    return len(said) / min(spent)


def main(shared: Path) -> None:
    """Measure each length and print the table."""
    package, ours = SentimentIntensityAnalyzer(), SwiftVader()
    table = Table("texts", "how many", "vaderSentiment, a second", "ours, a second", "times")
    for name, said in texts(shared).items():
        assert all(ours.polarity_scores(text) == package.polarity_scores(text) for text in said)  # noqa: S101 - a bench of another answer is worth nothing
        theirs, mine = rate(package.polarity_scores, said), rate(ours.polarity_scores, said)
        table.add_row(name, f"{len(said):,}", f"{theirs:,.0f}", f"{mine:,.0f}", f"{mine / theirs:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and its one argument
        sys.exit("usage: python bench/vader.py ../shared")
    main(Path(sys.argv[1]))

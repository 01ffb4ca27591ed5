"""How well languages are told apart: on sentences of our own in 21 languages, on tweets, and on English mentions."""

import gzip
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.language import language

CORPUS = Path(__file__).resolve().parents[1] / "tests" / "pipeline" / "languages.txt"
SAMPLE, SEED = 10_000, 3
"""English mentions looked at, out of some 160,000, and the seed they are drawn by."""


@dataclass(frozen=True)
class Told:
    """How the texts of one language were told: shares 0..1. `away`: not judged, as is right for all but English."""

    rows: int
    named: float
    away: float


def corpus(path: Path = CORPUS) -> list[tuple[str, str]]:
    """The sentences with their language, an ISO 639-1 code; lines that begin with # are remarks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.partition(": ") for line in lines if line and not line.startswith("#")]
    return [(code, text) for code, _, text in pairs]


def told(rows: Iterable[tuple[str, str]]) -> dict[str, Told]:
    """How the texts of each language were told, by its code."""
    texts: dict[str, list[str]] = {}
    for code, text in rows:
        texts.setdefault(code, []).append(text)
    return {code: told_of(code, of) for code, of in texts.items()}


def told_of(code: str, texts: list[str]) -> Told:
    """How texts that are all in one language were told."""
    found = [language(text) for text in texts]
    named = sum(one.code == code for one in found) / len(found)
    return Told(len(found), named, sum(not one.readable for one in found) / len(found))


def named(of: dict[str, Told]) -> float:
    """The share of all texts that were named rightly."""
    return sum(one.rows * one.named for one in of.values()) / sum(one.rows for one in of.values())


def turned_away(shared: Path) -> list[str]:
    """Those of `SAMPLE` mentions of the English training sets that are not judged; some are indeed not English."""
    paths = sorted((shared / "data" / "train").glob("*.jsonl.gz"))
    texts = [text for path in paths for text in _texts(path)]
    drawn = random.Random(SEED).sample(texts, SAMPLE)  # noqa: S311 - a sample that comes out the same each time
    return [text for text in drawn if not language(text).readable]


def tweets(shared: Path) -> dict[str, Told]:
    """How tweets were told, by the language their set is named for; the sets hold other languages as well."""
    paths = sorted((shared / "data" / "bench").glob("umsab_*_val.jsonl.gz"))
    names = {path.name.split("_")[1]: path for path in paths}
    codes = {
        "arabic": "ar", "english": "en", "french": "fr", "german": "de", "hindi": "hi", "italian": "it",
        "portuguese": "pt", "spanish": "es",
    }  # fmt: skip
    return {name: told_of(codes[name], list(_texts(path))) for name, path in names.items()}


def figures(shared: Path) -> dict[str, str]:
    """All of it, by what each figure says: the language table of the model card."""
    own = told(corpus())
    rows = sum(one.rows for one in own.values())
    worst = min(own, key=lambda code: own[code].named)
    found = {
        f"languages named rightly: {rows} sentences of our own, {len(own)} languages": f"{named(own):.1%}",
        f"the worst of them ({worst})": f"{own[worst].named:.1%}",
        f"{SAMPLE:,} mentions of the English sets turned away (most of them are indeed not English)": (
            f"{len(turned_away(shared)) / SAMPLE:.2%}"
        ),
    }
    for name, one in tweets(shared).items():
        found[f"{name} tweets: named, not judged"] = f"{one.named:.1%}, {one.away:.1%}"
    return found


def _texts(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from (json.loads(line)["text"] for line in lines)

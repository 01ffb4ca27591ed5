"""How good the judgement is: `python bench/evaluate.py SHARED_DIR` prints it and writes it into the model card.

Takes about half an hour on two cores. The figures of the complaint benchmark come from `bench/complaints.py`,
which is run before.
"""

import json
import logging
import sys
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from bench import faithful, languages, tables
from bench.answers import (
    OPTIONAL,
    Row,
    analysed,
    answer,
    asked,
    bare,
    given_lane,
    gold,
    lines,
    readings,
    vader_feeling,
    vader_strengths,
)
from bench.complaints import FIGURES as COMPLAINTS
from bench.measures import (
    DRAWS,
    Figure,
    calibration_error,
    figure,
    macro_f1,
    macro_recall,
    precision_at,
    rank_correlation,
    share,
)
from pipeline.analysis import Analysis, Analyst
from pipeline.triage import Lane
from pipeline.triage.judge import Effort
from pipeline.triage.model import HEADS

CARD = Path(__file__).resolve().parents[1] / "pipeline" / "triage" / "README.md"
BESIDE = Path(__file__).parent / "figures" / "beside.toml"
START, END = "<!-- measured: start -->", "<!-- measured: end -->"
EVERY = {
    ("yelp_10k", Effort.AUTO): 4,
    ("yelp_10k", Effort.ACCURATE): 4,
    ("semeval2016_test", Effort.ACCURATE): 4,
}
"""Where judging all rows would take too long: every so many-th is judged, from the first on."""
MIDDLE = 3
"""Stars that are neither good nor bad."""
ASKED = 10
"""Of the tweets every so many-th, to see for which `auto` asks."""
log = logging.getLogger(__name__)


def of_gold(
    rows: Sequence[Row], analyses: Sequence[Analysis], effort: Effort, *, draws: int = DRAWS
) -> dict[str, Figure]:
    """Every question on the rows of gold that have an answer to it, and the calibration; by the table's names."""
    found = {}
    told = given_lane(readings(rows), effort)
    for head in HEADS:
        at = [place for place, row in enumerate(rows) if row[head] != ""]
        truth, given = [rows[place][head] for place in at], [answer(analyses[place], head) for place in at]
        name = head
        if head in OPTIONAL:
            found[f"{head} end to end, accuracy"] = figure(share, truth, given, draws=draws)
            name, given = f"{head} given the lane", [told[place][head] for place in at]
        found[f"{name}, accuracy"] = figure(share, truth, given, draws=draws)
        found[f"{name}, macro F1"] = figure(macro_f1, truth, given, draws=draws)
    waits = [one.lane_probabilities[Lane.SERVICE] or 0.0 for one in analyses]
    found["service, precision where recall is .95"] = figure(
        lambda chances, wanted: precision_at(0.95, chances, wanted),
        waits,
        [row["lane"] == "service" for row in rows],
        draws=draws,
    )
    judged = [(one, row) for one, row in zip(analyses, rows, strict=True) if one.lane is not Lane.UNSCORED]
    sure = [max(chance or 0.0 for chance in one.lane_probabilities.values()) for one, _ in judged]
    right = [one.lane.value == row["lane"] for one, row in judged]
    found["lane, calibration error"] = figure(calibration_error, sure, right, draws=draws)
    known = [
        (one.complaint_probability, row["complaint"] == "yes")
        for one, row in judged
        if one.complaint_probability is not None
    ]
    found["complaint, calibration error"] = figure(calibration_error, *zip(*known, strict=True), draws=draws)
    return found


def tweets(shared: Path, name: str, effort: Effort | None) -> Figure:
    """Macro recall of the feeling; None asks VADER alone. What is not scored counts as neutral."""
    rows = list(lines(_bench(shared, name), EVERY.get((name, effort), 1) if effort else 1))
    texts = [row["text"] for row in rows]
    if effort is None:
        given = [vader_feeling(compound) for compound in vader_strengths(texts)]
    else:
        given = [one.sentiment.value.replace("unscored", "neutral") for one in analysed(bare(texts), effort)]
    return figure(macro_recall, [row["sentiment"] for row in rows], given)


def reviews(shared: Path, effort: Effort | None) -> dict[str, Figure]:
    """Yelp by the text alone: good against bad, and the order of all; None asks VADER alone."""
    rows = list(lines(_bench(shared, "yelp_10k"), EVERY.get(("yelp_10k", effort), 1) if effort else 1))
    texts, stars = [row["text"] for row in rows], [row["stars"] for row in rows]
    strengths = (
        vader_strengths(texts)
        if effort is None
        else [one.sentiment_score or 0.0 for one in analysed(bare(texts), effort)]
    )
    clear = [at for at, given in enumerate(stars) if given != MIDDLE]
    good, liked = [stars[at] > MIDDLE for at in clear], [strengths[at] > 0 for at in clear]
    return {
        "Yelp, 1-2 against 4-5 stars, accuracy": figure(share, good, liked),
        "Yelp, rank correlation with the stars": figure(rank_correlation, stars, strengths),
    }


def ours(shared: Path, rows: Sequence[Row], analyses: Sequence[Analysis], effort: Effort) -> dict[str, Figure]:
    """A column of the table: one effort."""
    found = of_gold(rows, analyses, effort)
    log.info("%s: gold is measured", effort)
    for year in ("2016", "2013"):
        found[f"SemEval {year} test, macro recall"] = tweets(shared, f"semeval{year}_test", effort)
    log.info("%s: tweets are measured", effort)
    found |= reviews(shared, effort)
    found |= speed(shared, effort)
    log.info("%s: reviews and speed are measured", effort)
    if effort is Effort.AUTO:
        some = [row["text"] for row in lines(_bench(shared, "semeval2016_test"), ASKED)]
        share_of = {"gold": readings(rows), "tweets": bare(some)}
        for name, said in share_of.items():
            found[f"second opinion asked, share of {name}"] = figure(lambda yes: float(yes.mean()), asked(said))
    return found


def vader(shared: Path, rows: Sequence[Row]) -> dict[str, Figure]:
    """The column of plain VADER, where it has an answer."""
    truth = [row["sentiment"] for row in rows]
    given = [vader_feeling(compound) for compound in vader_strengths([row["text"] for row in rows])]
    found = {"sentiment, accuracy": figure(share, truth, given), "sentiment, macro F1": figure(macro_f1, truth, given)}
    for year in ("2016", "2013"):
        found[f"SemEval {year} test, macro recall"] = tweets(shared, f"semeval{year}_test", None)
    return found | reviews(shared, None) | speed(shared, None)


def complaints(told: Mapping[str, Any]) -> dict[Effort, dict[str, Figure]]:
    """The complaint benchmark by the methods nearest to an effort: n-grams alone, and the small transformer too."""
    found: dict[Effort, dict[str, Figure]] = {effort: {} for effort in Effort}
    for effort, method in ((Effort.FAST, "n-grams"), (Effort.AUTO, "blended")):
        for rows, value in told["macro F1"].get(method, {}).items():
            if rows in {"all rows", "brand rows"}:
                count = told["rows" if rows == "all rows" else rows]
                found[effort][f"complaint benchmark, {rows}, macro F1"] = Figure(
                    count, value, float("nan"), float("nan")
                )
    return found


def speed(shared: Path, effort: Effort | None) -> dict[str, Figure]:
    """Texts a second in one process, everything included, on a machine with nothing else to do; None is VADER alone."""
    alone = SentimentIntensityAnalyzer()
    found = {}
    for name, path, every in (("tweets", "semeval2016_test", 5), ("Yelp reviews", "yelp_10k", 10)):
        few = every if effort in {Effort.FAST, None} else every * 5
        texts = [row["text"] for row in lines(_bench(shared, path), few)]
        if effort is None:
            rate = _rate(lambda said: [alone.polarity_scores(text) for text in said], texts)
        else:
            analysed(bare(texts[:20]), effort)
            rate = _rate(lambda said: analysed(bare(said), effort), texts)
        found[f"texts a second, {name}"] = Figure(len(texts), rate, float("nan"), float("nan"))
    return found


def _rate(work: Callable[[list[str]], object], texts: list[str]) -> float:
    started = time.perf_counter()
    work(texts)
    return len(texts) / (time.perf_counter() - started)


def _bench(shared: Path, name: str) -> Path:
    return shared / "data" / "bench" / f"{name}.jsonl.gz"


def main(shared: Path) -> None:
    """Measures, prints, and writes the card."""
    rows = gold(shared)
    said = {effort: analysed(readings(rows), effort) for effort in Effort}
    columns = complaints(json.loads(COMPLAINTS.read_text(encoding="utf-8")))
    for effort in Effort:
        columns[effort] |= ours(shared, rows, said[effort], effort)
    beside = tomllib.loads(BESIDE.read_text(encoding="utf-8"))
    versions = Analyst(effort=Effort.ACCURATE).versions
    parts = [
        f"Versions: {', '.join(f'{name} `{version}`' for name, version in versions.items() if name != 'effort')}.",
        tables.tasks(beside, columns, vader(shared, rows)),
        tables.by_source(rows, said),
        tables.by_length(rows, said),
        tables.lanes(rows, said[Effort.AUTO]),
        tables.costs(rows, said[Effort.AUTO]),
        tables.faith({effort: faithful.measured(rows, effort) for effort in (Effort.FAST, Effort.ACCURATE)}),
        tables.grave_signals(),
        tables.listed(languages.figures(shared), "language"),
    ]
    measured = "\n\n".join(parts)
    card = CARD.read_text(encoding="utf-8")
    before, after = card.split(START)[0], card.split(END)[1]
    CARD.write_text(f"{before}{START}\n{measured}\n{END}{after}", encoding="utf-8")
    sys.stdout.write(measured + "\n")


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    main(Path(sys.argv[1]))

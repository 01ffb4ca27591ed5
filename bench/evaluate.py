"""How good the judgement is: `python bench/evaluate.py SHARED_DIR` prints it and writes it into the model card."""

import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.analysis import Analysis, Analyst
from pipeline.classifier import Reading
from pipeline.language import language
from pipeline.sentiment import Vader
from pipeline.triage.model import HEADS, shipped
from pipeline.triage.train import reading

CARD = Path(__file__).resolve().parents[1] / "pipeline" / "triage" / "README.md"
START, END = "<!-- measured: start -->", "<!-- measured: end -->"
FIRST_LINEAR = {"lane": 0.80, "complaint": 0.85, "sentiment": 0.77, "category": 0.65}
"""Accuracy of a first n-gram linear model on the same rows, measured outside."""
AGREED = {
    "lane": 0.972,
    "complaint": 0.980,
    "sentiment": 0.951,
    "category": 0.952,
    "urgency": 0.933,
    "stage": 0.914,
    "touchpoint": 0.901,
    "factor": 0.930,
}
"""How often the two annotators agreed before adjudication."""
BINS = 10
NEUTRAL = 0.05
"""VADER's own bound: a compound nearer to 0 is neutral."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Score:
    """One question: shares 0..1. `end_to_end` counts a question not asked, because the lane was wrong, as wrong."""

    rows: int
    accuracy: float
    macro_f1: float
    end_to_end: float


def gold(shared: Path) -> list[Row]:
    """The 441 adjudicated rows that no model is trained on."""
    with (shared / "gold" / "dev.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def scores(rows: Sequence[Row]) -> dict[str, Score]:
    """Every question on the rows that have an answer to it."""
    analyses = Analyst().analyse([reading(row) for row in rows])
    vader, model = Vader(), shipped()
    told = [model.score(one, vader.strength(one.words)) for one in map(reading, rows)]
    found = {}
    for head in HEADS:
        asked = [at for at, row in enumerate(rows) if row[head] != ""]
        truth = [rows[at][head] for at in asked]
        given = [said(analyses[at], head) for at in asked]
        plain = [told[at].answer(head) for at in asked] if head in {"category", "urgency", "factor"} else given
        found[head] = Score(len(asked), share(truth, plain), macro_f1(truth, plain), share(truth, given))
    return found


def said(analysis: Analysis, head: str) -> str:
    """An answer as the gold labels write it."""
    answer = getattr(analysis, head)
    if answer is None:
        return "none" if head in {"stage", "touchpoint"} else ""
    return {True: "yes", False: "no"}[answer] if head == "complaint" else str(answer.value)


def share(truth: Sequence[str], given: Sequence[str]) -> float:
    """How many are equal."""
    return sum(one == other for one, other in zip(truth, given, strict=True)) / len(truth)


def macro_f1(truth: Sequence[str], given: Sequence[str]) -> float:
    """The mean over the answers in `truth` of the harmonic mean of precision and recall."""
    pairs = list(zip(truth, given, strict=True))
    found = []
    for answer in sorted(set(truth)):
        hits = sum(one == other == answer for one, other in pairs)
        found.append(2 * hits / (sum(one == answer for one, _ in pairs) + sum(other == answer for _, other in pairs)))
    return sum(found) / len(found)


def macro_recall(truth: Sequence[str], given: Sequence[str]) -> float:
    """The mean over the answers in `truth` of the share found."""
    answers = sorted(set(truth))
    pairs = list(zip(truth, given, strict=True))
    return sum(share([a] * truth.count(a), [o for t, o in pairs if t == a]) for a in answers) / len(answers)


def calibration_error(sure: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error over `BINS` equal bins: how far probability and share of right answers lie apart."""
    total = 0.0
    for at in range(BINS):
        inside = [k for k, chance in enumerate(sure) if min(int(chance * BINS), BINS - 1) == at]
        total += abs(sum(sure[k] for k in inside) - sum(right[k] for k in inside))
    return total / len(sure)


def precision_at(recall: float, chances: Sequence[float], wanted: Sequence[bool]) -> float:
    """The precision of the smallest set of most probable ones that holds this share of those wanted."""
    hits = 0
    for count, (_, hit) in enumerate(sorted(zip(chances, wanted, strict=True), key=lambda pair: -pair[0]), 1):
        hits += hit
        if hits >= recall * sum(wanted):
            return hits / count
    return 0.0


def lines(path: Path) -> Iterator[Row]:
    """The rows of a gzipped JSON lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def feelings(texts: Sequence[str]) -> list[Analysis]:
    """Analyses of bare texts."""
    return Analyst().analyse([Reading(key=str(at), text=text) for at, text in enumerate(texts)])


def beside(shared: Path, rows: Sequence[Row]) -> dict[str, str]:
    """The figures beside the table, by what they say."""
    bench = shared / "data" / "bench"
    analyses = Analyst().analyse([reading(row) for row in rows])
    service = [one.lane_probabilities["service"] or 0.0 for one in analyses]
    wanted = [row["lane"] == "service" for row in rows]
    tweets = list(lines(bench / "semeval2016_test.jsonl.gz"))
    tweeted = [one.sentiment.value.replace("unscored", "neutral") for one in feelings([row["text"] for row in tweets])]
    yelp = [row for row in lines(bench / "yelp_10k.jsonl.gz") if row["stars"] != 3]  # noqa: PLR2004 - the middle star
    liked = [(one.sentiment_score or 0.0) > 0 for one in feelings([row["text"] for row in yelp])]
    loved = [row["stars"] > 3 for row in yelp]  # noqa: PLR2004 - the middle star
    found = {
        "service: precision where 95 % of service is found": precision_at(0.95, service, wanted),
        "lane: expected calibration error": lane_error(analyses, rows),
        "complaint: expected calibration error": complaint_error(analyses, rows),
        "sentiment by plain VADER on these rows, accuracy": share(
            [row["sentiment"] for row in rows], plain_vader(rows)
        ),
        "SemEval 2017 task 4A test (20,632 tweets), macro recall; plain VADER .570": macro_recall(
            [row["sentiment"] for row in tweets], tweeted
        ),
        "Yelp, 1-2 against 4-5 stars, text only, accuracy": share(list(map(str, loved)), list(map(str, liked))),
    }
    return {name: f"{figure:.3f}" for name, figure in found.items()}


def lane_error(analyses: Sequence[Analysis], rows: Sequence[Row]) -> float:
    """How honest the lane's probability is, over what was judged."""
    judged = [(one, row) for one, row in zip(analyses, rows, strict=True) if one.complaint is not None]
    sure = [max(chance or 0.0 for chance in one.lane_probabilities.values()) for one, _ in judged]
    return calibration_error(sure, [one.lane.value == row["lane"] for one, row in judged])


def complaint_error(analyses: Sequence[Analysis], rows: Sequence[Row]) -> float:
    """How honest the complaint's probability is, over what was judged."""
    judged = [(one.complaint_probability, row) for one, row in zip(analyses, rows, strict=True)]
    known = [(chance, row["complaint"] == "yes") for chance, row in judged if chance is not None]
    return calibration_error([chance for chance, _ in known], [complains for _, complains in known])


def plain_vader(rows: Sequence[Row]) -> list[str]:
    """The feeling by the sign of VADER's strength alone."""
    compounds = [Vader().strength(row["text"]).compound for row in rows]
    return ["positive" if c >= NEUTRAL else "negative" if c <= -NEUTRAL else "neutral" for c in compounds]


def languages(shared: Path) -> dict[str, str]:
    """How the language gate does: nothing English may be turned away."""
    english = [row["text"] for name in ("train", "dev") for row in _gold_file(shared, name)]
    away = sum(not language(text).readable for text in english) / len(english)
    found = {"gold mentions turned away (two thirds of them are indeed not English)": f"{away:.2%}"}
    for path in sorted((shared / "data" / "bench").glob("umsab_*_val.jsonl.gz")):
        texts = [row["text"] for row in lines(path)]
        name = path.name.split("_")[1]
        found[f"{name} tweets recognised as not English"] = (
            f"{sum(not language(text).readable for text in texts) / len(texts):.1%}"
        )
    return found


def _gold_file(shared: Path, name: str) -> list[Row]:
    with (shared / "gold" / f"{name}.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def speed(shared: Path) -> dict[str, str]:
    """Texts a second on one core: processor time, so that a busy machine does not blur it."""
    tweets = [row["text"] for row in islice(lines(shared / "data" / "bench" / "semeval2016_test.jsonl.gz"), 4_000)]
    reviews = [row["text"] for row in islice(lines(shared / "data" / "bench" / "yelp_10k.jsonl.gz"), 1_000)]
    alone = SentimentIntensityAnalyzer()
    feelings(tweets[:100])
    return {
        f"{name}: {what}": f"{_rate(work, texts):,.0f}"
        for name, texts in (("tweets", tweets), ("reviews", reviews))
        for what, work in (
            ("the whole judgement", feelings),
            ("vaderSentiment alone", lambda texts: [alone.polarity_scores(text) for text in texts]),
        )
    }


def _rate(work: Callable[[list[str]], object], texts: list[str]) -> float:
    started = time.process_time()
    work(texts)
    return len(texts) / (time.process_time() - started)


def table(found: dict[str, Score]) -> str:
    """The questions as a Markdown table."""
    head = "| question | rows | accuracy | macro F1 | end to end | first linear model | annotators agreed |"
    body = [
        f"| {name} | {one.rows} | {one.accuracy:.3f} | {one.macro_f1:.3f} | {one.end_to_end:.3f} | "
        f"{FIRST_LINEAR.get(name, '-')} | {AGREED[name]} |"
        for name, one in found.items()
    ]
    return "\n".join([head, "| --- | --- | --- | --- | --- | --- | --- |", *body])


def listed(found: dict[str, str], title: str) -> str:
    """Figures as a Markdown table of two columns."""
    return "\n".join([f"| {title} | |", "| --- | --- |", *(f"| {name} | {figure} |" for name, figure in found.items())])


def main(shared: Path) -> None:
    """Measures, prints, and writes the card."""
    rows = gold(shared)
    parts = [
        f"Weights `{shipped().digest[:12]}`.",
        table(scores(rows)),
        listed(beside(shared, rows), "beside the table"),
        listed(languages(shared), "language"),
        listed(speed(shared), "texts a second, one core"),
    ]
    measured = "\n\n".join(parts)
    card = CARD.read_text(encoding="utf-8")
    before, after = card.split(START)[0], card.split(END)[1]
    CARD.write_text(f"{before}{START}\n{measured}\n{END}{after}", encoding="utf-8")
    sys.stdout.write(measured + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

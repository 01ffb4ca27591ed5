"""What other people labelled in the sets of `data/train`: for the small transformer before our labels, some for both.

Feelings, complaints, topics, intents: none of it is quite our question, and all of it is how people talk of brands.
Read by `train_deep.py` only.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.triage.labelled import Row, lines

_GLAD = "admiration amusement approval caring desire excitement gratitude joy love optimism pride relief"
_SAD = "anger annoyance disappointment disapproval disgust embarrassment fear grief nervousness remorse sadness"
GLAD, SAD = _GLAD.split(), _SAD.split()
EMOTIONS = [*GLAD, *SAD, "confusion", "curiosity", "realization", "surprise", "neutral"]
"""The 28 answers of GoEmotions."""
APP = ["Bug", "Feature", "UserExperience"]
FEELINGS = ["negative", "neutral", "positive"]
NEGATIVE, NEUTRAL, POSITIVE = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]
SEED = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One text. `hard` names the right answer of a question; `soft` gives chances, or for `emotions` each yes or no."""

    text: str
    weight: float
    hard: dict[str, int] = field(default_factory=dict)
    soft: dict[str, list[float]] = field(default_factory=dict)


class Names(dict[str, int]):
    """Numbers for answers, in the order in which they are met."""

    def __missing__(self, name: str) -> int:
        self[name] = len(self)
        return self[name]


def examples(data: Path) -> tuple[list[Example], dict[str, int]]:
    """Every example, always in the same order, and how many answers each question has."""
    draw = random.Random(SEED)  # noqa: S311 - a choice of texts, no secret
    found = list(_rated(data, draw))
    found += _emotional(data, draw)
    found += _starred(data)
    topics = Names()
    found += _complaining(data, topics)
    found += _aspects(data)
    intents, desks, products = Names(), Names(), Names()
    found += [
        Example(row["text"], 0.5, {"intent": intents[row["intent"]]})
        for row in _drawn(data, "banking77_train", draw, 5000)
    ]
    found += [Example(row["text"], 0.4, {"desk": desks[row["category"]]}) for row in _drawn(data, "bitext", draw, 2500)]
    found += [
        Example(row["text"][:500], 0.4, {"product": products[row["product"]]})
        for row in _drawn(data, "cfpb", draw, 500)
    ]
    found += [
        Example(row["text"], 0.3, {"sarcasm": int(row["sarcastic"])}) for row in lines(data, "isarcasmeval_train")
    ]
    found += [Example(row["text"], 0.2, {"spam": int(row["spam"])}) for row in _drawn(data, "sms_spam", draw, 1500)]
    sizes = {"feeling": len(FEELINGS), "emotions": len(EMOTIONS), "app": len(APP), "complaint": 2}
    sizes |= {"topic": len(topics), "intent": len(intents), "desk": len(desks), "product": len(products)}
    return [one for one in found if len(one.text) > 3], sizes | {"sarcasm": 2, "spam": 2}  # noqa: PLR2004 - no words


def _drawn(data: Path, name: str, draw: random.Random, count: int) -> list[Row]:
    rows = list(lines(data, name))
    draw.shuffle(rows)
    return rows[:count]


def _rated(data: Path, draw: random.Random) -> Iterator[Example]:
    """The texts of VADER's authors, each rated by twenty people, and sentences that are one or the other."""
    sets = (("tweets", 9999, 1.0), ("amazonReviewSnippets", 9999, 1.0), ("movieReviewSnippets", 4000, 0.7))
    for name, count, weight in (*sets, ("nytEditorialSnippets", 1200, 0.5)):
        for row in _drawn(data, f"vader_{name}", draw, count):
            yield Example(row["text"], weight, soft={"feeling": leaning(row["mean"])})
    for row in lines(data, "uci_sentences"):
        yield Example(row["text"], 1.0, soft={"feeling": POSITIVE if row["positive"] in {1, "1"} else NEGATIVE})


def leaning(mean: float) -> list[float]:
    """Chances of negative, neutral and positive for a mean rating of -4..4: a step each between 0.2 and 1."""
    positive, negative = (min(max((one - 0.2) / 0.8, 0.0), 1.0) for one in (mean, -mean))
    return [negative, 1 - positive - negative, positive]


def _emotional(data: Path, draw: random.Random) -> Iterator[Example]:
    for row in _drawn(data, "goemotions_train", draw, 14_000):
        felt = row["emotions"]
        soft = {"emotions": [float(emotion in felt) for emotion in EMOTIONS]}
        glad, sad = any(one in GLAD for one in felt), any(one in SAD for one in felt)
        if glad != sad:
            soft["feeling"] = POSITIVE if glad else NEGATIVE
        elif felt == ["neutral"]:
            soft["feeling"] = [0.1, 0.8, 0.1]
        yield Example(row["text"], 0.8, soft=soft)


def _starred(data: Path) -> Iterator[Example]:
    """Reviews with a rating: it tells the feeling, not surely in the middle."""
    for name in ("skytrax_seat", "skytrax_lounge"):
        for row in lines(data, name):
            share = float(row["rating"]) / float(row.get("rating_max") or 10) if _number(row.get("rating")) else None
            if share is not None:
                likely = POSITIVE if share >= 0.65 else NEGATIVE if share <= 0.45 else [0.4, 0.3, 0.3]  # noqa: PLR2004
                yield Example(row["text"], 0.7, soft={"feeling": likely})
    for name in ("app_maalej", "app_urr"):
        for row in lines(data, name):
            if not _number(row.get("rating")):
                continue
            stars, title = float(row["rating"]), f"{row['title']}. " if row.get("title") else ""
            likely = POSITIVE if stars >= 4 else NEGATIVE if stars <= 2 else [0.45, 0.25, 0.3]  # noqa: PLR2004 - of five
            hard = {"app": APP.index(row["label"])} if row.get("label") in APP else {}
            yield Example(title + row["text"], 0.8, hard, {"feeling": likely})


def _number(given: object) -> bool:
    return str(given).replace(".", "", 1).isdigit()


def _complaining(data: Path, topics: Names) -> Iterator[Example]:
    """The three sets of complaints. Their labels of complaint and feeling follow other guides than ours."""
    one_hot = dict(zip(FEELINGS, (NEGATIVE, NEUTRAL, POSITIVE), strict=True))
    for row in lines(data, "complaints_cesamard"):
        likely = (NEGATIVE, NEUTRAL, POSITIVE)[int(row["sentiment"])]
        text = f"{row.get('title') or ''}. {row['text']}"
        yield Example(text, 0.8, {"complaint": int(row["complaint"])}, {"feeling": likely})
    for row in lines(data, "complaints_fincorp"):
        hard = {"complaint": int(row["complaint"]), "topic": topics[(row["topic"] or "").strip().lower()]}
        yield Example(row["text"], 1.0, hard, {"feeling": one_hot[row["sentiment"]]})
    for row in lines(data, "complaints_xci"):
        yield Example(row["text"], 1.0, {"complaint": int(row["complaint"])}, {"feeling": one_hot[row["sentiment"]]})


def _aspects(data: Path) -> Iterator[Example]:
    for name in ("mams_train", "mams_val", "mams_test"):
        for row in lines(data, name):
            said = list(row["aspects"].values())
            balance = said.count("positive") - said.count("negative")
            likely = POSITIVE if balance > 0 else NEGATIVE if balance < 0 else [0.25, 0.5, 0.25]
            yield Example(row["text"], 0.6, soft={"feeling": likely})
    mixed = {"Negative": NEGATIVE, "Positive": POSITIVE, "Mixed": [0.35, 0.3, 0.35]}
    for row in lines(data, "bangladesh_airline"):
        yield Example(row["text"], 0.6, soft={"feeling": mixed[row["label"]]})
